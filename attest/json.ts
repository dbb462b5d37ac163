/** JSON that is signed or hashed as bytes: one reading only, whoever parses it. */

import canonicalize from 'canonicalize'
import { fromUtf8, utf8 } from './bytes.ts'

/** RFC 8785 bytes of a JSON value. Throws a TypeError when the value has no JSON form. */
export function canonicalBytes(value: unknown): Uint8Array<ArrayBuffer> {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('the value has no JSON form')
  return utf8(text)
}

/**
 * Parses UTF-8 JSON and refuses what two parsers could read differently: malformed UTF-8, a byte order mark and
 * repeated member names. Throws SyntaxError or TypeError.
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = fromUtf8(bytes)
  const value: unknown = JSON.parse(text)
  if (countKeys(value) !== countNamesInText(text)) throw new SyntaxError('a member name is repeated')
  return value
}

// In valid JSON a string token followed by a colon is a member name, and quotes occur nowhere else.
function countNamesInText(text: string): number {
  let count = 0
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"([ \t\r\n]*:)?/g)) {
    if (match[1] !== undefined) count++
  }
  return count
}

function countKeys(value: unknown): number {
  let count = 0
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const item = pending.pop()
    if (typeof item !== 'object' || item === null) continue
    const children: unknown[] = Array.isArray(item) ? item : Object.values(item)
    if (!Array.isArray(item)) count += children.length
    for (const child of children) pending.push(child)
  }
  return count
}
