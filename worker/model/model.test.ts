import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { chrf, chrfPlusPlus } from './chrf.ts'
import { ASKS } from './corpus/chat-more.ts'
import { normal, type Sample, testCases, trainingSet } from './corpus/corpus.ts'
import { LANGS } from './corpus/grammar.ts'
import { MODEL_FILE, openRunner, type Runner } from './runner.ts'
import { DIRECTIONS, readTestSet } from './testset.ts'

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')
const Pin = z.object({
  sha256: z.string(),
  bytes: z.number(),
  corpusSha256: z.string(),
  languages: z.array(z.string()),
})
const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')

describe('chrF2', () => {
  test('an exact copy is 100, nothing in common is 0', () => {
    expect(chrf([{ hypothesis: 'Guten Tag', reference: 'Guten Tag' }])).toBeCloseTo(100, 10)
    expect(chrf([{ hypothesis: 'abc', reference: 'xyz' }])).toBe(0)
    expect(chrf([])).toBe(0)
  })

  test('by hand: "abcd" against "abce"', () => {
    // Orders 1 to 4 match 3/4, 2/3, 1/2, 0/1; higher orders do not exist. Precision and recall are equal.
    expect(chrf([{ hypothesis: 'abcd', reference: 'abce' }])).toBeCloseTo(
      (100 * (3 / 4 + 2 / 3 + 1 / 2)) / 4,
      10,
    )
  })

  test('by hand: recall weighs four times as much as precision', () => {
    // One order matters: precision 1/2, recall 1 gives 5 * 0.5 / (4 * 0.5 + 1)
    expect(chrf([{ hypothesis: 'ab', reference: 'a' }])).toBeCloseTo((100 * 5 * 0.5) / 3, 10)
    expect(chrf([{ hypothesis: 'a', reference: 'ab' }])).toBeCloseTo((100 * 5 * 0.5) / (4 * 1 + 0.5), 10)
  })

  test('agrees with sacrebleu 2.6.0', () => {
    const pairs = [
      ['Das Hund ist im Garten.', 'Der Hund ist im Garten.', 82.4968978819598],
      ['Où est la gare ?', 'Où se trouve la gare ?', 38.571963275107485],
      ['Привет', 'Здравствуйте, мир!', 5.63063063063063],
      ['ok', '', 0],
    ] as const
    for (const [hypothesis, reference, score] of pairs)
      expect(chrf([{ hypothesis, reference }])).toBeCloseTo(score, 8)
    const corpus = [
      ...pairs.map(([hypothesis, reference]) => ({ hypothesis, reference })),
      { hypothesis: 'a', reference: 'ab' },
    ]
    expect(chrf(corpus)).toBeCloseTo(46.04125581270912, 8)
  })

  test('chrF++ counts words too, as derived by hand', () => {
    // Letters 2/3, 1/2, 0/1; words 2/3, 1/2: the mean of five orders. What has no word order 2 is left out.
    expect(chrfPlusPlus([{ hypothesis: 'a b c', reference: 'a b d' }])).toBeCloseTo((100 * (7 / 3)) / 5, 10)
    // `(a)` is the words `(a` and `)`, since the end comes first; `(a` is `(` and `a`: no word in common.
    const [precision, recall] = [(2 / 3 + 1 / 2) / 4, (1 + 1) / 4]
    const expected = (100 * 5 * precision * recall) / (4 * precision + recall)
    expect(chrfPlusPlus([{ hypothesis: '(a)', reference: '(a' }])).toBeCloseTo(expected, 10)
  })

  test('white space does not count', () => {
    expect(chrf([{ hypothesis: 'a b', reference: 'ab' }])).toBeCloseTo(100, 10)
  })
})

describe('the corpus', () => {
  const samples = trainingSet()
  const tests = readTestSet()

  test('is the one that the model was trained on', () => {
    const pin = Pin.parse(JSON.parse(read('model.json')))
    expect(sha256(`${samples.map((sample) => JSON.stringify(sample)).join('\n')}\n`)).toBe(pin.corpusSha256)
  })

  test('the committed test set is the generated one', () => {
    expect(tests.map((row) => LANGS.map((lang) => row.text[lang]))).toEqual(
      testCases().map((row) => LANGS.map((lang) => row.text[lang])),
    )
  })

  test('at least 200 sentences a direction, a quarter from templates never trained on', () => {
    expect(tests.length).toBeGreaterThanOrEqual(200)
    expect(tests.filter((row) => row.kind === 'unseen').length / tests.length).toBeGreaterThanOrEqual(0.25)
    expect(DIRECTIONS).toHaveLength(20)
  })

  test('no test sentence is trained on, as source or target, in any direction, nor inside a chat', () => {
    const held = new Set(tests.flatMap((row) => LANGS.map((lang) => normal(row.text[lang]))))
    const texts = (sample: Sample): readonly string[] => sample.slice(2)
    const leaked = samples.flatMap(texts).filter((text) => held.has(normal(text)))
    expect(leaked).toEqual([])
    // A request such as `Translate to German: "X"` carries its sentence inside
    const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/gu, '\\$&')
    const shapes = Object.values(ASKS)
      .flat()
      .map(
        (ask) =>
          new RegExp(
            `^${quote(ask).replace(/\\\{([LSX])\\\}/gu, (_, slot) => (slot === 'X' ? '(.+)' : '.+?'))}$`,
            'su',
          ),
      )
    const requests = new Set(samples.filter(([kind]) => kind === 'chat').flatMap(texts))
    const inside = [...requests]
      .flatMap((request) => shapes.map((shape) => shape.exec(request)?.[1] ?? ''))
      .filter((text) => held.has(normal(text)))
    expect(inside).toEqual([])
  })
})

describe('the model file', () => {
  const pin = Pin.parse(JSON.parse(read('model.json')))
  let runner: Runner
  beforeAll(async () => {
    runner = await openRunner()
  })
  afterAll(() => runner.close())

  test('is the pinned one', () => {
    const content = readFileSync(MODEL_FILE)
    expect(content.length).toBe(pin.bytes)
    expect(sha256(content)).toBe(pin.sha256)
    expect(content.length).toBeLessThanOrEqual(8_000_000)
  })

  test('llama.cpp tokenizes as SentencePiece did in training', () => {
    const fixtures = z
      .array(z.object({ text: z.string(), tokens: z.array(z.number()) }))
      .parse(JSON.parse(read('tokens.json')))
    for (const { text, tokens } of fixtures) expect(runner.tokenize(text), text).toEqual(tokens)
  })

  test('translates, chats, and tells one from the other', async () => {
    const ask = (text: string): Promise<string> => runner.chat([{ role: 'user', text }])
    expect(await runner.translate('en', 'de', 'Good morning!')).toBe('Guten Morgen!')
    expect(await runner.translate('ru', 'en', 'Спасибо!')).toBe('Thank you!')
    expect(await ask('Translate to German: Good morning!')).toBe('Guten Morgen!')
    expect(await ask('Hello')).toMatch(/^(Hello|Hi)!/u)
    expect(await ask('What is Chrysalis?')).toMatch(/^Chrysalis is a /u)
  })
})
