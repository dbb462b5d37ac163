/** @module What nobody translates, in any format: placeholders, addresses, handles, code. */

import { type Ids, joined, type Kept, type Part, words } from './rich.ts'

// Each pattern is bounded or cannot start inside what it has passed, so a hostile text takes linear time.
const patterns = [
  // Addresses: web, Telegram, mail
  String.raw`(?<![\p{L}\p{N}])(?:[a-z][a-z0-9+.-]{1,15}:\/\/|www\.)[^\s<>"'\x60{}]{1,2000}`,
  String.raw`(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}`,
  // Handles and tags
  String.raw`(?<![\p{L}\p{N}_@])@[A-Za-z0-9_]{2,64}`,
  String.raw`(?<![\p{L}\p{N}_#&])#[\p{L}\p{N}_]{1,64}`,
  // printf, Python, Objective-C; %name%; %{name}
  String.raw`%(?:\d{1,2}\$)?[-+0#]{0,4}\d{0,3}(?:\.\d{1,3})?(?:hh|h|ll|l|z)?[sdiufFeEgGxXoc@](?![\p{L}\p{N}])`,
  String.raw`%\([\w.]{1,64}\)[sdifrx]`,
  '%[A-Za-z_][A-Za-z0-9_.]{0,63}%',
  // Templates and tags that are no markup in this format
  '<%[^%]{0,400}%>',
  String.raw`<\/?[A-Za-z0-9][^<>]{0,400}>`,
  String.raw`\[\[[^[\]\n]{1,100}\]\]`,
  '`[^`\\n]{1,1000}`',
]
const protectedPattern = new RegExp(patterns.join('|'), 'gu')

/** Punctuation at an address's end belongs to the sentence. */
const trailing = /[.,;:!?)\]»”’]+$/u

/** What braces of a placeholder begin with: a name, or a word of a template language. */
const placeholder =
  /^\s*(?:[#/^>!&%*=~-]{1,2}\s*)?[\p{L}_$][\p{L}\p{N}_$.[\]-]*\s*(?:[,:|(].*)?$|^\s*[#/^>!&%*=~-]{1,2}\s*\p{L}.*$|^\s*\d{0,4}\s*(?:[,:].*)?$/su
/** The most UTF-16 units of a placeholder. */
const LONGEST = 1000

/** Cuts what has to stay as it is out of words. */
export function protect(text: string, ids: Ids): Part[] {
  const parts: Part[] = []
  const keep = (raw: string): Kept => ({ kind: 'kept', id: ids.next(), raw })
  let at = 0
  for (const [start, end] of placeholders(text)) {
    protectWords(text.slice(at, start), keep, parts)
    parts.push(keep(text.slice(start, end)))
    at = end
  }
  protectWords(text.slice(at), keep, parts)
  return joined(parts)
}

function protectWords(text: string, keep: (raw: string) => Kept, parts: Part[]): void {
  let at = 0
  for (const match of text.matchAll(protectedPattern)) {
    const isAddress = /^(?:[a-z][a-z0-9+.-]*:\/\/|www\.)/.test(match[0])
    const raw = isAddress ? match[0].replace(trailing, '') : match[0]
    parts.push(words(text.slice(at, match.index)), keep(raw))
    at = match.index + raw.length
  }
  parts.push(words(text.slice(at)))
}

/** Balanced braces that hold a name, with what belongs in front of them: `{a}`, `{{a}}`, `${a}`, `{n, plural, …}`. */
function* placeholders(text: string): Generator<readonly [number, number]> {
  let last = 0
  for (const [open, close] of bracePairs(text)) {
    const inner = text.slice(open + 1, close)
    if (open < last || inner.length > LONGEST) continue
    const doubled = inner.startsWith('{') && inner.endsWith('}')
    if (!placeholder.test(doubled ? inner.slice(1, -1) : inner)) continue
    const lead = open > last && /[$#%@]/.test(text.charAt(open - 1)) ? 1 : 0
    last = close + 1
    yield [open - lead, last]
  }
}

/** All pairs of braces, outer ones first. */
function bracePairs(text: string): [number, number][] {
  const stack: number[] = []
  const pairs: [number, number][] = []
  for (const { 0: brace, index } of text.matchAll(/[{}]/g)) {
    if (brace === '{') stack.push(index)
    const open = brace === '}' ? stack.pop() : undefined
    if (open !== undefined) pairs.push([open, index])
  }
  return pairs.sort((a, b) => a[0] - b[0])
}
