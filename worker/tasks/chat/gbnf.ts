/** @module Grammars put together from whole grammars (GBNF texts with a rule `root` each). */

import { escapeInText, escapePoint } from '../grammar/grammar.ts'

/**
 * What may stand between rule names: literals, character classes, token references, repetitions, comments. One without
 * its end is no grammar; it reaches to the end of the text here, so that nothing is read twice.
 */
const OPAQUE = /"(?:\\.|[^"\\])*"?|\[(?:\\.|[^\]\\])*\]?|!?<[^>\s]*>?|\{[^}]*\}?|#[^\n]*/
const NAME = /[A-Za-z0-9-]+/
const LEXEMES = new RegExp(`${OPAQUE.source}|${NAME.source}`, 'g')

/** The same grammar with `prefix` in front of each rule's name. */
export function renamed(gbnf: string, prefix: string): string {
  return gbnf.replaceAll(LEXEMES, (lexeme) => (/^[A-Za-z0-9-]/.test(lexeme) ? `${prefix}${lexeme}` : lexeme))
}

/** A text of one of these grammars. */
export function either(first: string, second: string): string {
  return `root ::= a-root | b-root\n${renamed(first, 'a-')}\n${renamed(second, 'b-')}`
}

/** Any text whose first character that is no blank is another one than this. */
export function notBeginning(char: string): string {
  const first = escapePoint(char.codePointAt(0) ?? 0)
  return `root ::= [ \\x09\\x0a]* ([^ \\x09\\x0a${first}] [\\x01-\\U0010ffff]*)?`
}

/** The text `mark`, blanks, then a text of the grammar. */
export function afterMark(mark: string, gbnf: string): string {
  return `root ::= ${literal(mark)} blanks x-root\n${BLANKS}\n${renamed(gbnf, 'x-')}`
}

/** A text of the grammar, before it any of these marks, which frame turns and are part of no answer. */
export function afterMarks(marks: readonly string[], gbnf: string): string {
  if (marks.length === 0) return gbnf
  return `root ::= frame{0,4} m-root\nframe ::= ${marks.map(literal).join(' | ')}\n${renamed(gbnf, 'm-')}`
}

/** A text of the grammar, before it, if the model wants, its reasoning between marks. */
export function afterReasoning(
  marks: { readonly open: string; readonly close: string },
  gbnf: string,
): string {
  return [
    `root ::= (${literal(marks.open)} until-0 blanks)? x-root`,
    BLANKS,
    ...upTo(marks.close, 'until'),
    renamed(gbnf, 'x-'),
  ].join('\n')
}

const BLANKS = 'blanks ::= [ \\x09\\x0a]{0,8}'

/**
 * Rules for any text that ends with the first `mark` in it: rule `name-i` stands where the last i characters are the
 * mark's first i (Knuth, Morris, Pratt).
 */
function upTo(mark: string, name: string): string[] {
  const chars = [...mark]
  const distinct = [...new Set(chars)]
  const after = (state: number, char: string): number => {
    const seen = [...chars.slice(0, state), char]
    for (let length = Math.min(seen.length, chars.length); length > 0; length--) {
      if (seen.slice(-length).every((each, at) => each === chars[at])) return length
    }
    return 0
  }
  return chars.map((_, state) => {
    const steps = distinct.map((char) => {
      const next = after(state, char)
      return next === chars.length ? literal(char) : `${literal(char)} ${name}-${next}`
    })
    return `${name}-${state} ::= ${[...steps, `[^${distinct.map((char) => escapePoint(char.codePointAt(0) ?? 0)).join('')}] ${name}-0`].join(' | ')}`
  })
}

function literal(text: string): string {
  return `"${[...text].map(escapeInText).join('')}"`
}
