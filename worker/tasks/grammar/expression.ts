/** Grammar expressions: what GBNF can say, as values. Rules refer to each other by name, so they may be recursive. */

import type { CharSet } from './regular/charset.ts'

export type Expression =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'class'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }
  | {
      readonly kind: 'choice'
      readonly items: readonly Expression[]
      /** The alternatives cannot be told apart by their first characters: the engine follows several at a time. */
      readonly ambiguous?: boolean
    }
  | {
      readonly kind: 'repeat'
      readonly item: Expression
      readonly min: number
      /** At most MAX_REPETITIONS, or Infinity. */
      readonly max: number
    }
  | { readonly kind: 'rule'; readonly name: string }

/** Matches the empty text. */
export const EMPTY: Expression = { kind: 'text', text: '' }
/** Matches nothing at all. */
export const NEVER: Expression = { kind: 'choice', items: [] }

export function text(value: string): Expression {
  return { kind: 'text', text: value }
}

/** One character of a set. */
export function charClass(set: CharSet): Expression {
  const [range, ...others] = set
  const isOne = range !== undefined && others.length === 0 && range[0] === range[1]
  return isOne ? text(String.fromCodePoint(range[0])) : { kind: 'class', set }
}

export function sequence(...items: readonly (Expression | string)[]): Expression {
  const parts = items.map((item) => (typeof item === 'string' ? text(item) : item))
  const only = parts[0]
  return parts.length === 1 && only !== undefined ? only : { kind: 'sequence', items: parts }
}

/** One of the alternatives; the caller knows that their first characters, or their first few, tell them apart. */
export function choice(...items: readonly Expression[]): Expression {
  const only = items[0]
  return items.length === 1 && only !== undefined ? only : { kind: 'choice', items }
}

/** One of several alternatives that may begin alike. */
export function ambiguousChoice(...items: readonly Expression[]): Expression {
  const only = items[0]
  return items.length === 1 && only !== undefined ? only : { kind: 'choice', items, ambiguous: true }
}

export function optional(item: Expression): Expression {
  return { kind: 'repeat', item, min: 0, max: 1 }
}

/** `min` to `max` times (inclusive); `max` may be Infinity. */
export function repeat(item: Expression, min: number, max: number): Expression {
  return { kind: 'repeat', item, min, max }
}
