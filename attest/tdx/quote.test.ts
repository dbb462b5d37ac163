import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, toHex } from '../bytes.ts'
import { sampleTee } from '../evidence/testing.ts'
import { simulatedEventLog } from '../simulate/eventlog.ts'
import { tdReport } from '../simulate/quote.ts'
import { MAX_QUOTE, parseQuote } from './quote.ts'

const data = Uint8Array.from({ length: 64 }, (_, i) => i + 1)
const quote = await sampleTee().quote(data)

/** The quote with bytes written over it. */
function over(at: number, ...bytes: number[]): Uint8Array {
  const changed = quote.slice()
  changed.set(bytes, at)
  return changed
}

/** The quote as version 5 with a body type and size, its body cut or filled to that size. */
function version5(type: number, size: number): Uint8Array {
  const body = new Uint8Array(size)
  body.set(quote.subarray(48, 48 + Math.min(size, 584)))
  const head = concat(Uint8Array.of(5), quote.subarray(1, 48))
  return concat(head, Uint8Array.of(type, 0, size & 0xff, size >> 8, 0, 0), body, quote.subarray(632))
}

describe('parseQuote', () => {
  it('reads what the simulated TEE wrote, at the offsets that Intel documents', () => {
    const parsed = parseQuote(quote)
    const report = tdReport('')
    expect(parsed.version).toBe(4)
    expect(parsed.length).toBe(quote.length)
    expect(parsed.signed.length).toBe(632)
    expect(toHex(parsed.body.mrTd)).toBe(toHex(report.mrTd))
    expect(toHex(quote.subarray(184, 232))).toBe(toHex(report.mrTd))
    expect(parsed.body.rtmr.map(toHex)).toEqual(
      simulatedEventLog({ software: '', events: [] }).rtmr.map(toHex),
    )
    expect(toHex(quote.subarray(568, 632))).toBe(toHex(data))
    expect(toHex(parsed.body.reportData)).toBe(toHex(data))
    expect(toHex(parsed.attestationKey)).toBe(toHex(quote.subarray(700, 764)))
    expect(parsed.qeAuthData.length).toBe(32)
    expect(quote.length).toBeGreaterThan(4000)
  })

  it('reads version 5 with either TD report, and no other body', () => {
    const td10 = parseQuote(version5(2, 584))
    expect([td10.version, td10.body.kind, td10.signed.length]).toEqual([5, 'td10', 638])
    const td15 = parseQuote(version5(3, 648))
    expect([td15.body.kind, td15.signed.length, td15.body.mrServiceTd?.length]).toEqual(['td15', 702, 48])
    expect(toHex(td15.body.reportData)).toBe(toHex(data))
    for (const [type, size] of [
      [1, 384],
      [2, 648],
      [3, 584],
      [4, 648],
    ] as const)
      expect(() => parseQuote(version5(type, size))).toThrow('not a TD report')
  })

  it.each<[string, Uint8Array, string]>([
    ['version 3', over(0, 3), 'version'],
    ['version 6', over(0, 6), 'version'],
    ['a P-384 key', over(2, 3), 'key type'],
    ['an SGX quote', over(4, 0), 'TEE type'],
    ['reserved bytes', over(9, 1), 'reserved'],
    ['another vendor', over(12, 0), 'vendor'],
    ['a longer signature length', over(632, (quote[632] ?? 0) + 1), 'too short'],
    ['a shorter signature length', over(632, (quote[632] ?? 0) - 1), 'too short'],
    ['outer certification type 5', over(764, 5), 'type 5 is not 6'],
    [
      'a shorter certification size',
      over(766, (quote[766] ?? 0) - 1),
      'signature data: bytes follow its end',
    ],
    ['more QE auth data than there is', over(1218, 0xff, 0xff), 'too short'],
    ['inner certification type 1', over(1252, 1), 'type 1 is not 5'],
    ['a shorter PCK chain', over(1254, (quote[1254] ?? 0) - 1), 'certification data: bytes follow its end'],
    ['trailing bytes', concat(quote, Uint8Array.of(0, 0, 7)), 'padding'],
    ['too much of anything', new Uint8Array(MAX_QUOTE + 1), 'more than'],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => parseQuote(bytes)).toThrow(message)
  })

  it('takes zero padding and knows where the quote ends', () => {
    expect(parseQuote(concat(quote, new Uint8Array(70))).length).toBe(quote.length)
  })

  it('refuses every truncation, and random bytes, with ERR_QUOTE only', () => {
    const refused = (bytes: Uint8Array): void => {
      try {
        parseQuote(bytes)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_QUOTE' })
        return
      }
      throw new Error('parsed')
    }
    for (let length = 0; length < quote.length; length += 7) refused(quote.subarray(0, length))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), refused))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (tail) =>
        refused(concat(quote.subarray(0, 632), tail)),
      ),
    )
  })
})
