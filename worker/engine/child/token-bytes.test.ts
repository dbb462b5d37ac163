import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeChances, divide, ShownChances } from './shown.ts'
import { byteOfName, bytesOfLetters } from './token-bytes.ts'

describe('the bytes of a token', () => {
  it('of byte-level BPE are its letters’', () => {
    expect(bytesOfLetters('Hello')?.toString()).toBe('Hello')
    expect(bytesOfLetters('ĠworldĊ')?.toString()).toBe(' world\n')
    expect(bytesOfLetters('Ã©')?.toString()).toBe('é')
    expect(bytesOfLetters('ðŁĺ')).toEqual(Buffer.from([0xf0, 0x9f, 0x98]))
    expect(bytesOfLetters('Ń')).toEqual(Buffer.from([0xad]))
    expect(bytesOfLetters('日')).toBeUndefined()
  })

  it('of a byte token are the one that it names', () => {
    expect(byteOfName('<0x0A>')).toBe(10)
    expect(byteOfName('<0xff>')).toBe(255)
    expect(byteOfName('<0x0A> ')).toBeUndefined()
  })
})

describe('a text and its tokens', () => {
  /** Tokens are bytes of a text, cut anywhere. */
  const cutText = fc
    .tuple(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.array(fc.nat(3), { maxLength: 30 }))
    .map(([text, lengths]) => {
      const bytes = Buffer.from(text)
      const parts: Buffer[] = []
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = (lengths[i % Math.max(1, lengths.length)] ?? 0) + 1
        parts.push(bytes.subarray(at, at + length))
        at += length
      }
      return { text, parts }
    })

  it('are divided byte for byte, or all goes to the last', () => {
    const bytesOf = (token: number) => Buffer.from([[0x20], [0xe2, 0x82], [0xac]][token] ?? [])
    expect(divide({ text: '€', tokens: [1, 2] }, bytesOf)).toEqual([
      Buffer.from([0xe2, 0x82]),
      Buffer.from([0xac]),
    ])
    expect(divide({ text: '€', tokens: [0, 1, 2] }, bytesOf).map(String)).toEqual(['', '', '€'])
    expect(divide({ text: '', tokens: [0] }, bytesOf).map(String)).toEqual([''])
  })

  it('are told so that the bytes told are never more than those shown, and all in the end', () => {
    fc.assert(
      fc.property(cutText, fc.nat(20), ({ text, parts }, held) => {
        const shown = new ShownChances((token) => parts[token] ?? Buffer.alloc(0))
        parts.forEach((_, id) => {
          shown.drawn({ id, logprob: -id, top: [] })
        })
        shown.decoded({ text, tokens: parts.map((_, id) => id) })
        const at = Math.min(held, text.length)
        // A stop string cuts between characters.
        fc.pre(text.slice(0, at).isWellFormed())
        const first = shown.show(text.slice(0, at))
        const told = (entries: typeof first) => Buffer.from(entries.flatMap(({ bytes }) => [...bytes]))
        expect(Buffer.from(text.slice(0, at)).subarray(0, told(first).length)).toEqual(told(first))
        expect(told([...first, ...shown.end()]).toString()).toBe(text.slice(0, at))
        const rest = shown.show(text.slice(at))
        expect(told([...first, ...rest]).toString()).toBe(text)
        expect([...first, ...rest].map(({ logprob }) => -logprob)).toEqual(parts.map((_, id) => id))
      }),
    )
  })

  it('have U+FFFD for what is a part of a character', () => {
    const half = Buffer.from([0xe2, 0x82])
    expect(describeChances({ id: 1, logprob: -1, top: [] }, half, () => half)).toEqual({
      token: '\uFFFD',
      bytes: [0xe2, 0x82],
      logprob: -1,
      top: [],
    })
  })
})
