// The committed test set: one meaning a line, in all five languages.

import { readFileSync } from 'node:fs'
import { LANGS, type Lang } from './corpus/grammar.ts'

export interface TestRow {
  readonly kind: 'trained' | 'unseen'
  readonly text: Readonly<Record<Lang, string>>
}

export function readTestSet(): TestRow[] {
  const [, ...rows] = readFileSync(new URL('testset.tsv', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return rows.map((row) => {
    const [kind, en = '', de = '', es = '', fr = '', ru = ''] = row.split('\t')
    return { kind: kind === 'unseen' ? 'unseen' : 'trained', text: { en, de, es, fr, ru } }
  })
}

/** All twenty directions, those with English first. */
export const DIRECTIONS: ReadonlyArray<readonly [Lang, Lang]> = LANGS.flatMap((source) =>
  LANGS.filter((target) => target !== source).map((target) => [source, target] as const),
).toSorted((a, b) => Number(b.includes('en')) - Number(a.includes('en')))
