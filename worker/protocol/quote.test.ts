import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromUtf8, utf8 } from '../../attest/bytes.ts'
import {
  affordable,
  boundFor,
  charge,
  encodeQuote,
  parseQuote,
  type Quote,
  QuoteError,
  quoteDigest,
} from './quote.ts'

const prices = { prompt: '1000000', cached: '250000', completion: '3000000', reasoning: '3000000' }
const quote: Quote = {
  v: 1,
  model: { id: 'm', sha256: 'ab'.repeat(32) },
  client: prices,
  worker: prices,
  step: '1',
}

test('the exact sum, rounded up once', () => {
  const counts = { promptTokens: 10, cachedTokens: 4, completionTokens: 5, reasoningTokens: 2 }
  expect(charge(prices, counts, '1')).toBe(6n + 1n + 15n)
  expect(
    charge(
      { ...prices, prompt: '1' },
      { ...counts, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 },
      '1',
    ),
  ).toBe(1n)
  expect(charge(prices, counts, '100')).toBe(100n)
  expect(
    charge(prices, { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }, '100'),
  ).toBe(0n)
})

test('counts that contradict themselves are refused', () => {
  for (const wrong of [
    { cachedTokens: 11 },
    { reasoningTokens: 6 },
    { promptTokens: -1 },
    { completionTokens: 0.5 },
  ]) {
    const counts = { promptTokens: 10, cachedTokens: 0, completionTokens: 5, reasoningTokens: 0, ...wrong }
    expect(() => charge(prices, counts, '1')).toThrow(QuoteError)
  }
})

test('a quote is its bytes', () => {
  const bytes = encodeQuote(quote)
  expect(parseQuote(bytes)).toEqual(quote)
  expect(quoteDigest(bytes)).toMatch(/^[0-9a-f]{64}$/)
  expect(quoteDigest(bytes)).not.toBe(quoteDigest(utf8(`${fromUtf8(bytes)} `)))
  for (const text of [
    '',
    '{}',
    JSON.stringify({ ...quote, x: 1 }),
    JSON.stringify({ ...quote, step: '0' }),
    JSON.stringify({ ...quote, step: '01' }),
  ]) {
    expect(() => parseQuote(utf8(text))).toThrow(QuoteError)
  }
})

test('property: what is affordable fits under maxCharge, one more token does not, and the bound bounds', () => {
  const price = fc.bigInt({ min: 0n, max: 10n ** 12n }).map(String)
  const anyPrices = fc.record({ prompt: price, cached: price, completion: price, reasoning: price })
  const step = fc.constantFrom('1', '7', '1000', '1000000')
  const tokens = fc.nat(100_000)
  fc.assert(
    fc.property(
      anyPrices,
      step,
      fc.bigInt({ min: 0n, max: 10n ** 13n }),
      tokens,
      tokens,
      tokens,
      (p, s, max, a, b, c) => {
        const promptTokens = Math.max(a, b)
        const cachedTokens = Math.min(a, b)
        const cost = (completionTokens: number, reasoningTokens: number) =>
          charge(p, { promptTokens, cachedTokens, completionTokens, reasoningTokens }, s)
        const room = affordable(p, s, max, promptTokens, cachedTokens)
        if (room < 0) expect(cost(0, 0)).toBeGreaterThan(max)
        else {
          const some = Math.min(room, c)
          expect(cost(some, 0)).toBeLessThanOrEqual(max)
          expect(cost(some, some)).toBeLessThanOrEqual(max)
          const dearer = BigInt(p.completion) >= BigInt(p.reasoning) ? 0 : room + 1
          if (room < Number.MAX_SAFE_INTEGER) expect(cost(room + 1, dearer)).toBeGreaterThan(max)
        }
        const bound = boundFor({ ...quote, client: p, step: s }, promptTokens, c)
        expect(cost(c, 0)).toBeLessThanOrEqual(bound)
        expect(cost(c, c)).toBeLessThanOrEqual(bound)
        expect(affordable(p, s, bound, promptTokens, cachedTokens)).toBeGreaterThanOrEqual(c)
      },
    ),
    { numRuns: 300 },
  )
})
