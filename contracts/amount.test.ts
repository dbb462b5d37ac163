import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatTon, formatUsd, parseTon, parseUsdRate } from './amount.ts'

describe('amounts', () => {
  test('what is written is read back, whatever the amount', () => {
    const amounts = fc.bigInt({ min: 0n, max: 10n ** 26n })
    fc.assert(fc.property(amounts, (nanotons) => parseTon(formatTon(nanotons)) === nanotons))
  })

  test.each([
    ['0', 0n],
    ['1', 1_000_000_000n],
    ['0.5', 500_000_000n],
    ['0.000000001', 1n],
    ['12.345678901', 12_345_678_901n],
  ])('%s TON', (text, nanotons) => expect(parseTon(text)).toBe(nanotons))

  test.each(['', '-1', '+1', '1.', '.5', '1e9', '0x10', '1,5', ' 1', '1 TON', '0.0000000001', '1.5.2', '١'])(
    'refused: %j',
    (text) => {
      expect(() => parseTon(text)).toThrow(expect.objectContaining({ code: 'ERR_AMOUNT' }))
    },
  )

  test('dollars are rounded half away from zero, once', () => {
    const rate = parseUsdRate('3.21')
    expect(formatUsd(1_000_000_000n, rate)).toBe('3.210000')
    expect(formatUsd(155n, rate)).toBe('0.000000')
    expect(formatUsd(156n, rate)).toBe('0.000001')
    expect(formatUsd(-1_000_000_000n, rate)).toBe('-3.210000')
    expect(formatUsd(-156n, rate)).toBe('-0.000001')
  })

  test.each(['0', '0.000000', '-3', '1.1234567', 'three'])('no rate: %j', (text) => {
    expect(() => parseUsdRate(text)).toThrow(expect.objectContaining({ code: 'ERR_AMOUNT' }))
  })
})
