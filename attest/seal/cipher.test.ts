import fc from 'fast-check'
import nacl from 'tweetnacl'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, utf8 } from '../bytes.ts'
import { secretbox } from './cipher.ts'
import { poly1305 } from './poly1305.ts'

/** Left out of tweetnacl's types. */
const { lowlevel } = nacl as unknown as {
  lowlevel: {
    crypto_onetimeauth(
      tag: Uint8Array,
      at: number,
      text: Uint8Array,
      from: number,
      length: number,
      key: Uint8Array,
    ): void
  }
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const message = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ minLength: 4000, maxLength: 5000 }),
)

function tagOf(keyHex: string, text: Uint8Array): string {
  const key = new Int32Array(fromHex(keyHex).slice().buffer)
  const tag = new Uint8Array(16)
  poly1305(key, text, tag)
  return toHex(tag)
}

describe('secretbox', () => {
  it("is tweetnacl's, byte by byte, and each opens what the other closed", () => {
    fc.assert(
      fc.property(message, bytes(24), bytes(32), (text, nonce, key) => {
        const box = secretbox.box(text, nonce, key)
        expect(toHex(box)).toBe(toHex(nacl.secretbox(text, nonce, key)))
        expect(secretbox.open(box, nonce, key)).toEqual(text)
        expect(nacl.secretbox.open(box, nonce, key)).toEqual(text)
      }),
      { numRuns: 1000 },
    )
  })

  it('is that for every length up to a few blocks', () => {
    const [nonce, key] = [new Uint8Array(24).fill(3), new Uint8Array(32).fill(9)]
    for (let length = 0; length <= 260; length++) {
      const text = Uint8Array.from({ length }, (_, i) => i * 7)
      const box = secretbox.box(text, nonce, key)
      expect(toHex(box)).toBe(toHex(nacl.secretbox(text, nonce, key)))
      expect(secretbox.open(box, nonce, key)).toEqual(text)
    }
  })

  it('opens nothing that was altered, cut or lengthened, and nothing of another key or nonce', () => {
    const [nonce, key] = [new Uint8Array(24).fill(3), new Uint8Array(32).fill(9)]
    const box = secretbox.box(
      utf8('a message of more than one block of the keystream, to be bent in every place'),
      nonce,
      key,
    )
    for (let bit = 0; bit < 8 * box.length; bit++) {
      const bent = box.slice()
      bent[bit >>> 3] = (bent[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
      expect(secretbox.open(bent, nonce, key)).toBeNull()
    }
    for (let length = 0; length < box.length; length++) {
      expect(secretbox.open(box.subarray(0, length), nonce, key)).toBeNull()
    }
    expect(secretbox.open(new Uint8Array([...box, 0]), nonce, key)).toBeNull()
    expect(secretbox.open(box, new Uint8Array(24), key)).toBeNull()
    expect(secretbox.open(box, nonce, new Uint8Array(32))).toBeNull()
    expect(secretbox.open(box, nonce, key)).not.toBeNull()
  })

  it('reads and leaves its inputs wherever they lie', () => {
    const room = new Uint8Array(1000)
    const text = room.subarray(3, 203).fill(5)
    const [nonce, key] = [room.subarray(301, 325).fill(1), room.subarray(401, 433).fill(2)]
    const before = room.slice()
    const box = secretbox.box(text, nonce, key)
    room.set(box, 501)
    expect(secretbox.open(room.subarray(501, 501 + box.length), nonce, key)).toEqual(text)
    expect(room.subarray(0, 501)).toEqual(before.subarray(0, 501))
  })
})

describe('poly1305', () => {
  it('is that of RFC 8439, section 2.5.2', () => {
    const key = '85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b'
    expect(tagOf(key, utf8('Cryptographic Forum Research Group'))).toBe('a8061dc1305136c6c22b8baf0c0127a9')
  })

  it("is tweetnacl's at the edges: blocks and keys of zeros and ones", () => {
    const byte = fc.constantFrom(0, 1, 2, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff)
    const edgy = (length: number) => fc.array(byte, { minLength: length, maxLength: length })
    const text = fc.array(byte, { maxLength: 80 })
    fc.assert(
      fc.property(edgy(32), text, (key, of) => {
        const tag = new Uint8Array(16)
        lowlevel.crypto_onetimeauth(tag, 0, Uint8Array.from(of), 0, of.length, Uint8Array.from(key))
        expect(tagOf(toHex(Uint8Array.from(key)), Uint8Array.from(of))).toBe(toHex(tag))
      }),
      { numRuns: 5000 },
    )
  })

  // RFC 8439, appendix A.3: vectors 7 to 11, whose sums end at the edges of the modulus.
  const edges: readonly [name: string, r: string, s: string, text: string, tag: string][] = [
    ['7: 2^130 - 5 and more', '02', '', 'ff'.repeat(16), '03'],
    ['8: the sum with s passes 2^128', '02', 'ff'.repeat(16), `02${'00'.repeat(15)}`, '03'],
    ['9: a sum of 5', '01', '', `${'ff'.repeat(16)}f0${'ff'.repeat(15)}11${'00'.repeat(15)}`, '05'],
    ['10: a sum of 0', '01', '', `${'ff'.repeat(16)}fb${'fe'.repeat(15)}${'01'.repeat(16)}`, ''],
    ['11: 2^130 - 6', '02', '', `fd${'ff'.repeat(15)}`, `fa${'ff'.repeat(15)}`],
  ]
  it.each(edges)('%s', (_name, r, s, text, tag) => {
    expect(tagOf(r.padEnd(32, '0') + s.padEnd(32, '0'), fromHex(text))).toBe(tag.padEnd(32, '0'))
  })
})
