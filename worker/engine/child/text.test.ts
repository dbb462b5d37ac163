import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StopFilter, TokenDecoder } from './text.ts'

/** Each token is one byte. */
const detokenize = (tokens: readonly number[]) => Buffer.from(tokens).toString('utf8')

function decode(bytes: Iterable<number>): { parts: string[]; end: string } {
  const decoder = new TokenDecoder(detokenize)
  const parts = [...bytes].map((byte) => decoder.push(byte).text)
  return { parts, end: decoder.end().text }
}

function filter(parts: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const stop = new StopFilter(stops)
  let text = ''
  for (const part of parts) {
    const cut = stop.push(part)
    text += cut.text
    if (cut.stopped) return { text, stopped: true }
  }
  return { text: text + stop.end(), stopped: false }
}

describe('TokenDecoder', () => {
  it('joins any text that comes byte by byte, and shows no half character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), (text) => {
        fc.pre(!text.includes('\uFFFD'))
        const { parts, end } = decode(Buffer.from(text))
        expect(parts.join('') + end).toBe(text)
        for (const part of parts) expect(part).not.toContain('\uFFFD')
      }),
    )
  })

  it('drops the beginning of a character at the end', () => {
    expect(decode([0x61, 0xf0, 0x9f])).toEqual({ parts: ['a', '', ''], end: '' })
  })

  it('does not hold back for ever what is not UTF-8', () => {
    const { parts } = decode(new Array(20).fill(0xff))
    expect(parts.join('')).not.toBe('')
  })
})

describe('StopFilter', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', ' '), maxLength: 30 })
  const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', ' '), minLength: 1, maxLength: 4 }), {
    maxLength: 3,
  })

  it('shows what comes before the first stop string, however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 8 }), stops, (parts, wanted) => {
        const whole = parts.join('')
        const { text, stopped } = filter(parts, wanted)
        const found = wanted.some((stop) => whole.includes(stop))
        expect(stopped).toBe(found)
        if (!found) expect(text).toBe(whole)
        else expect(wanted.some((stop) => whole.startsWith(text + stop))).toBe(true)
        for (const stop of wanted) expect(text).not.toContain(stop)
      }),
    )
  })

  it('shows at once what cannot begin a stop string', () => {
    const stop = new StopFilter(['end'])
    expect(stop.push('the ')).toEqual({ text: 'the ', stopped: false })
    expect(stop.push('e')).toEqual({ text: '', stopped: false })
    expect(stop.push('x')).toEqual({ text: 'ex', stopped: false })
  })
})
