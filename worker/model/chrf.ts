// chrF2 and chrF++ as sacrebleu computes them: character n-grams of orders 1 to 6 without white space, for chrF++
// also word n-grams of orders 1 and 2; beta 2, counts summed over the corpus before any division.

const ORDERS = 6
const WORD_ORDERS = 2
const BETA_SQUARED = 4

function ngrams(units: readonly string[], order: number, joint: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (let start = 0; start + order <= units.length; start++) {
    const gram = units.slice(start, start + order).join(joint)
    counts.set(gram, (counts.get(gram) ?? 0) + 1)
  }
  return counts
}

const total = (counts: ReadonlyMap<string, number>): number =>
  counts.values().reduce((sum, count) => sum + count, 0)
const letters = (text: string): string[] => [...text.replace(/\s+/gu, '')]

const punctuation = new Set('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~')

/** Words, with one mark of punctuation taken from the end, or else from the beginning. */
function wordsOf(text: string): string[] {
  return text.split(/\s+/u).flatMap((word) => {
    const characters = [...word]
    if (characters.length < 2) return characters
    const [first = '', last = ''] = [characters[0], characters.at(-1)]
    if (punctuation.has(last)) return [characters.slice(0, -1).join(''), last]
    return punctuation.has(first) ? [first, characters.slice(1).join('')] : [word]
  })
}

export interface Pair {
  readonly hypothesis: string
  readonly reference: string
}

/** Corpus-level chrF2, 0 to 100. */
export function chrf(pairs: readonly Pair[]): number {
  return score(pairs, 0)
}

/** Corpus-level chrF++ (chrF2 with word orders up to 2), 0 to 100. */
export function chrfPlusPlus(pairs: readonly Pair[]): number {
  return score(pairs, WORD_ORDERS)
}

function score(pairs: readonly Pair[], wordOrders: number): number {
  const counts = [
    ...Array.from({ length: ORDERS }, (_, index) => count(pairs, letters, index + 1, '')),
    ...Array.from({ length: wordOrders }, (_, index) => count(pairs, wordsOf, index + 1, ' ')),
  ].filter(({ given, wanted }) => given > 0 && wanted > 0)
  if (counts.length === 0) return 0
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const precision = mean(counts.map(({ matched, given }) => matched / given))
  const recall = mean(counts.map(({ matched, wanted }) => matched / wanted))
  if (precision + recall === 0) return 0
  return (100 * (1 + BETA_SQUARED) * precision * recall) / (BETA_SQUARED * precision + recall)
}

function count(pairs: readonly Pair[], units: (text: string) => string[], order: number, joint: string) {
  let given = 0
  let wanted = 0
  let matched = 0
  for (const { hypothesis, reference } of pairs) {
    const theirs = ngrams(units(hypothesis), order, joint)
    const ours = ngrams(units(reference), order, joint)
    // sacrebleu leaves out what a reference is too short to judge
    given += ours.size > 0 ? total(theirs) : 0
    wanted += total(ours)
    for (const [gram, times] of theirs) matched += Math.min(times, ours.get(gram) ?? 0)
  }
  return { given, wanted, matched }
}
