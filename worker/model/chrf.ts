// chrF2 as sacrebleu computes it by default: character n-grams of orders 1 to 6 without white space,
// no word n-grams, beta 2, counts summed over the corpus before any division.

const ORDERS = 6
const BETA_SQUARED = 4

function ngrams(characters: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let start = 0; start + order <= characters.length; start++) {
    const gram = characters.slice(start, start + order).join('')
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

const total = (counts: ReadonlyMap<string, number>): number =>
  counts.values().reduce((sum, count) => sum + count, 0)
const letters = (text: string): string[] => [...text.replace(/\s+/gu, '')]

export interface Pair {
  readonly hypothesis: string
  readonly reference: string
}

/** Corpus-level chrF2, 0 to 100. */
export function chrf(pairs: readonly Pair[]): number {
  let precision = 0
  let recall = 0
  let orders = 0
  for (let order = 1; order <= ORDERS; order++) {
    let given = 0
    let wanted = 0
    let matched = 0
    for (const { hypothesis, reference } of pairs) {
      const theirs = ngrams(letters(hypothesis), order)
      const ours = ngrams(letters(reference), order)
      // sacrebleu leaves out what a reference is too short to judge
      given += ours.size > 0 ? total(theirs) : 0
      wanted += total(ours)
      for (const [gram, count] of theirs) matched += Math.min(count, ours.get(gram) ?? 0)
    }
    if (given === 0 || wanted === 0) continue
    precision += matched / given
    recall += matched / wanted
    orders++
  }
  if (orders === 0 || precision + recall === 0) return 0
  const [p, r] = [precision / orders, recall / orders]
  return (100 * (1 + BETA_SQUARED) * p * r) / (BETA_SQUARED * p + r)
}
