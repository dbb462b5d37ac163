/** Turning bytes and other people's text into something that is safe and pleasant to read in a terminal. */

import { fromBase64, fromHex, fromUtf8, isZero, toHex } from '../bytes.ts'

// Control, format (bidirectional marks, zero-width), lone surrogate and line-breaking characters: each could make a
// terminal show something else than what the evidence says.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/**
 * Text of unknown origin on one line: what could move a cursor, colour a terminal or turn writing around is shown as
 * `\u{…}`, a backslash doubled, and what is longer than `max` characters cut with an ellipsis.
 */
export function printable(text: string, max = 400): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text
  return cut
    .replaceAll('\\', '\\\\')
    .replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}

/** A time in ms as `2026-06-09T00:00:00Z`; what no date can hold is shown as its number. */
export function date(ms: number): string {
  const value = new Date(ms)
  if (Number.isNaN(value.getTime())) return `${ms} ms`
  return value.toISOString().replace('.000Z', 'Z')
}

/** `1 byte`, `2 bytes`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}

/** Hexadecimal, with a word where all bytes are zero. */
export function hexOrZero(bytes: Uint8Array): string {
  return isZero(bytes) ? `all zero (${count(bytes.length, 'byte')})` : toHex(bytes)
}

/** Whether a value that was read is text. */
export function isText(value: unknown): value is string {
  return typeof value === 'string'
}

/** The text that these bytes are in UTF-8, undefined when they are none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes)
  } catch {
    return undefined
  }
}

/** Bytes that are written as hex or base64, with line breaks or without; undefined when the text is neither. */
export function decodeText(text: string): { bytes: Uint8Array; encoding: 'hex' | 'base64' } | undefined {
  const joined = text.replace(/\s+/g, '')
  // A short word is more likely a word.
  if (joined.length < 16) return undefined
  try {
    if (/^(?:[0-9a-fA-F]{2})+$/.test(joined)) return { bytes: fromHex(joined.toLowerCase()), encoding: 'hex' }
    if (/^[A-Za-z0-9+/]+={0,2}$/.test(joined)) return { bytes: fromBase64(joined), encoding: 'base64' }
  } catch {
    return undefined
  }
  return undefined
}
