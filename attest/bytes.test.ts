import { createHmac, hkdfSync } from 'node:crypto'
import { base64, base64urlnopad, hex } from '@scure/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64, fromBase64Url, fromHex, toBase64, toBase64Url, toHex } from './bytes.ts'
import { hkdfExpandSha256, hmacSha256, sha256 } from './crypto.ts'

const bytes = fc.uint8Array({ maxLength: 200 })
const text = fc.oneof(
  fc.string(),
  fc.base64String(),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF+/-_= \nZ') }),
)

/** What a decoder says: bytes, or that it refuses. */
function verdict(decode: (text: string) => Uint8Array, input: string): string {
  try {
    return hex.encode(Uint8Array.from(decode(input)))
  } catch {
    return 'refused'
  }
}

describe("Node's codec and that of browsers", () => {
  it('write the same', () => {
    fc.assert(
      fc.property(bytes, fc.nat(20), (all, from) => {
        const part = all.subarray(from)
        expect(toHex(part)).toBe(hex.encode(part))
        expect(toBase64(part)).toBe(base64.encode(part))
        expect(toBase64Url(part)).toBe(base64urlnopad.encode(part))
      }),
    )
  })

  it('read the same, and refuse the same', () => {
    fc.assert(
      fc.property(text, (input) => {
        if (input === input.toLowerCase()) expect(verdict(fromHex, input)).toBe(verdict(hex.decode, input))
        else expect(verdict(fromHex, input)).toBe('refused')
        expect(verdict(fromBase64, input)).toBe(verdict(base64.decode, input))
        expect(verdict(fromBase64Url, input)).toBe(verdict(base64urlnopad.decode, input))
      }),
      { numRuns: 3000 },
    )
  })

  it('give bytes that nothing else holds', () => {
    expect(fromBase64('AAAA').buffer.byteLength).toBe(3)
    expect(fromHex('aabb').constructor).toBe(Uint8Array)
  })
})

describe('HMAC and HKDF', () => {
  it('are those of node:crypto, for keys of every length', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, message) => {
        expect(toHex(hmacSha256(key, message))).toBe(createHmac('sha256', key).update(message).digest('hex'))
      }),
    )
  })

  it('expand to what the whole HKDF gives', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 200 }), (ikm, salt, info, length) => {
        const expanded = hkdfExpandSha256(hmacSha256(salt, ikm), info, length)
        expect(toHex(expanded)).toBe(Buffer.from(hkdfSync('sha256', ikm, salt, info, length)).toString('hex'))
      }),
    )
  })

  it('hash parts as their concatenation, short and long', () => {
    const long = new Uint8Array(10_000).fill(7)
    expect(sha256(long.subarray(0, 9_000), long.subarray(9_000))).toEqual(sha256(long))
    expect(sha256(long.subarray(0, 10), long.subarray(10, 30))).toEqual(sha256(long.subarray(0, 30)))
    expect(sha256()).toEqual(sha256(new Uint8Array(0)))
  })
})
