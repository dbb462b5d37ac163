import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { scriptedEngine } from '../engine/testing/scripted.ts'
import { readSamples } from './data.ts'
import { scoresOf, translateAll } from './evaluate.ts'

const own = () => readSamples(readFileSync(new URL('testset.tsv', import.meta.url), 'utf8'))

test('the own test set has markup and placeholders in all twenty directions', () => {
  const samples = own()
  expect(new Set(samples.map(({ from, to }) => `${from}-${to}`)).size).toBe(20)
  expect(new Set(samples.map(({ format }) => format))).toEqual(
    new Set(['text', 'html', 'markdown', 'telegram']),
  )
})

test('a table of languages is tried in every direction; escapes are read', () => {
  const samples = readSamples('kind\ten\tde\nx\ta\\nb\tc\\\\n\n')
  expect(samples).toEqual([
    { from: 'en', to: 'de', format: 'text', source: 'a\nb', reference: 'c\\n' },
    { from: 'de', to: 'en', format: 'text', source: 'c\\n', reference: 'a\nb' },
  ])
})

test.each([
  ['from\tto\tsource\treference\nen\tde\ta', /line 2 has no 'reference'/],
  ['from\tto\tformat\tsource\treference\nen\tde\tword\ta\tb', /line 2: the format/],
  ['en\tde\na\tb\tc', /line 2 has more cells/],
  ['en\na', /first line names the columns/],
])('%j is refused by its line', (tsv, message) => {
  expect(() => readSamples(tsv)).toThrow(message)
})

test('what came back is scored by pair: chrF++, kept parts, errors', async () => {
  const samples = readSamples(
    'from\tto\tsource\treference\nen\tde\tHello {name}, @bob!\tHallo {name}, @bob!\nen\tfr\tThe book\tLe livre\n',
  )
  const engine = scriptedEngine({
    script: ({ prompt }) => [
      prompt.kind === 'translation' && prompt.target === 'de' ? 'Hallo @bob' : 'Le livre',
    ],
  })
  const batches: number[] = []
  const scores = scoresOf(await translateAll(samples, engine, (texts) => batches.push(texts)))
  expect(batches).toEqual([1, 1])
  expect(scores).toMatchObject([
    { pair: 'en → de', texts: 1, parts: 2, survived: 1, errors: 1 },
    { pair: 'en → fr', chrf: 100, parts: 0, survived: 0, errors: 0 },
  ])
})
