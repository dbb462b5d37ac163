/** Cuts one member out of a JSON object as text: signatures cover the exact bytes, so nothing may be written anew. */

import { CollateralError } from './errors.ts'
import { signatureHex } from './parts.ts'

/** A signed document as a PCS answers it: `{"<member>": document, "signature": "hex"}`. Throws CollateralError. */
export function cutSigned(text: string, member: string, what: string): { text: string; signature: string } {
  const signature = cutMember(text, 'signature', what).replaceAll('"', '')
  return { text: cutMember(text, member, what), signature: signatureHex(signature, `${what}: signature`) }
}

/**
 * The exact text of the value of the member `name` of the JSON object in `text`, without the white space around it.
 * Throws CollateralError when the text is not a JSON object, or has no or more than one such member.
 *
 * @param what the name of the document, for messages
 */
export function cutMember(text: string, name: string, what: string): string {
  requireObject(text, what)
  let found: string | undefined
  for (const [key, value] of topLevelMembers(text)) {
    if (key !== name) continue
    if (found !== undefined) throw answer(`${what}: the member ${name} stands twice`)
    found = value
  }
  if (found === undefined) throw answer(`${what}: there is no member ${name}`)
  return found
}

/** From here on the text is known to be valid JSON, which is what the scanner below relies on. */
function requireObject(text: string, what: string): void {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw answer(`${what}: not JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw answer(`${what}: not a JSON object`)
}

function* topLevelMembers(text: string): Generator<[key: string, value: string]> {
  let at = afterSpace(text, afterSpace(text, 0) + 1)
  while (text[at] !== '}') {
    const keyEnd = endOfString(text, at)
    const key = JSON.parse(text.slice(at, keyEnd)) as string
    const start = afterSpace(text, afterSpace(text, keyEnd) + 1)
    const end = endOfValue(text, start)
    yield [key, text.slice(start, end)]
    at = afterSpace(text, end)
    if (text[at] === ',') at = afterSpace(text, at + 1)
  }
}

function afterSpace(text: string, at: number): number {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return at
}

/** The index behind the closing quote of the string that starts at `at`. */
function endOfString(text: string, at: number): number {
  let end = at + 1
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1
  return end + 1
}

/** The index behind the value that starts at `at`: brackets are counted, strings are stepped over. */
function endOfValue(text: string, at: number): number {
  let depth = 0
  let end = at
  while (end < text.length) {
    const char = text[end] as string
    if (char === '"') {
      end = endOfString(text, end)
      if (depth === 0) return end
      continue
    }
    if (depth === 0 && end > at && ',}] \n\r\t'.includes(char)) return end
    if (char === '{' || char === '[') depth++
    if (char === '}' || char === ']') depth--
    end++
    if (depth === 0 && (char === '}' || char === ']')) return end
  }
  return end
}

function answer(message: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_ANSWER', message)
}
