/** How JSON is written in an answer: strings, separators and values of any kind. */

import {
  ambiguousChoice,
  charClass,
  choice,
  EMPTY,
  type Expression,
  NEVER,
  optional,
  repeat,
  sequence,
  text,
} from './expression.ts'
import type { Grammar } from './grammar.ts'
import { MAX_REPETITIONS } from './limits.ts'
import type { Automaton } from './regular/automaton.ts'
import { minimise } from './regular/automaton.ts'
import { ANY, type CharSet, chars, complement, equal, intersect } from './regular/charset.ts'
import { MAX_DIGITS, MAX_PLACES } from './regular/numbers.ts'

const CONTROLS: CharSet = [[0, 0x1f]]
/** Characters that stand for themselves in a JSON string. */
const PLAIN = complement([...CONTROLS, ...chars('"'), ...chars('\\')])
/** Characters with a short escape: the letter after the backslash, and what it stands for. */
const SHORT_ESCAPES = ['""', '\\\\', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'] as const

/**
 * One character of a set, as JSON.stringify writes it: escaped only where it must be. (Other escapes would let a
 * model write half a surrogate pair, or the same key in two ways.)
 */
export function jsonChar(set: CharSet): Expression {
  const alternatives: Expression[] = []
  const plain = intersect(set, PLAIN)
  if (plain.length > 0) alternatives.push(charClass(plain))
  const short = SHORT_ESCAPES.filter((pair) => intersect(set, chars(pair.slice(1))).length > 0)
  if (short.length > 0) {
    alternatives.push(sequence('\\', charClass(chars(...short.map((pair) => pair.slice(0, 1))))))
  }
  for (const high of [0, 1]) {
    const digits = Array.from({ length: 16 }, (_, low) => low).filter((low) => {
      const point = 16 * high + low
      const hasShort = SHORT_ESCAPES.some((pair) => pair.charCodeAt(1) === point)
      return !hasShort && intersect(set, [[point, point]]).length > 0
    })
    if (digits.length > 0) {
      alternatives.push(
        sequence(`\\u00${high}`, charClass(chars(...digits.map((digit) => digit.toString(16))))),
      )
    }
  }
  return alternatives.length === 0 ? NEVER : choice(...alternatives)
}

/** Any character of a string. */
export function anyChar(grammar: Grammar): Expression {
  return grammar.rule('char', 'char', () => jsonChar(ANY))
}

/** One character of a set, as a reference where it may be any. */
export function stringChar(grammar: Grammar): (set: CharSet) => Expression {
  return (set) => (equal(set, ANY) ? anyChar(grammar) : jsonChar(set))
}

/** A string of `min` to `max` characters (code points). */
export function stringOfLength(grammar: Grammar, min: number, max: number): Expression {
  return grammar.rule(`string ${min} ${max}`, 'string', () =>
    sequence('"', times(grammar, 'char', anyChar(grammar), min, max), '"'),
  )
}

/**
 * `item` from `min` to `max` times, also above what llama.cpp can count at once.
 * @param key names the item among the rules
 */
export function times(grammar: Grammar, key: string, item: Expression, min: number, max: number): Expression {
  if (min > MAX_REPETITIONS) {
    const rest = times(grammar, key, item, min - MAX_REPETITIONS, max - MAX_REPETITIONS)
    return sequence(repeat(item, MAX_REPETITIONS, MAX_REPETITIONS), rest)
  }
  if (max <= MAX_REPETITIONS || max === Number.POSITIVE_INFINITY) {
    return max === 0 ? EMPTY : repeat(item, min, max)
  }
  // Two readings, of which the shorter one ends soon: never more than two of them at a time.
  return grammar.rule(`${key}{${min},${max}}`, 'count', () =>
    ambiguousChoice(
      repeat(item, min, MAX_REPETITIONS - 1),
      sequence(
        repeat(item, MAX_REPETITIONS, MAX_REPETITIONS),
        times(grammar, key, item, 0, max - MAX_REPETITIONS),
      ),
    ),
  )
}

/** After a colon or comma: one blank or none, so that a model cannot lose itself in white space. */
export const BLANK = optional(text(' '))
export const COMMA = sequence(',', BLANK)
export const COLON = sequence(':', BLANK)

/** The member `"name": value` of an object. */
export function member(name: string, value: Expression): Expression {
  return sequence(JSON.stringify(name), COLON, value)
}

/** `items`, in brackets or braces and separated by commas, `min` to `max` of them. */
export function list(
  grammar: Grammar,
  key: string,
  [open, close]: readonly [string, string],
  item: Expression,
  min: number,
  max: number,
): Expression {
  if (max === 0) return text(open + close)
  const rest = times(grammar, `,${key}`, sequence(COMMA, item), Math.max(0, min - 1), max - 1)
  const some = sequence(item, rest)
  return sequence(open, min === 0 ? optional(some) : some, close)
}

const INFINITY = Number.POSITIVE_INFINITY

const DIGIT = charClass(chars(['0', '9']))
const POSITIVE = sequence(charClass(chars(['1', '9'])), repeat(DIGIT, 0, MAX_DIGITS - 1))

/** Any whole number of up to 21 digits. */
export function anyInteger(grammar: Grammar): Expression {
  return grammar.rule('integer', 'integer', () => choice(text('0'), sequence(optional(text('-')), POSITIVE)))
}

/** Any number of up to 21 digits before the point, with an exponent that keeps it finite. */
export function anyNumber(grammar: Grammar): Expression {
  return grammar.rule('number', 'number', () => {
    const below280 = choice(
      sequence(charClass(chars('0', ['3', '9'])), optional(DIGIT)),
      sequence('1', repeat(DIGIT, 0, 2)),
      sequence(
        '2',
        optional(choice(sequence(charClass(chars(['0', '7'])), optional(DIGIT)), charClass(chars('8', '9')))),
      ),
    )
    const exponent = choice(sequence('-', repeat(DIGIT, 1, 3)), sequence(optional(text('+')), below280))
    return sequence(
      optional(text('-')),
      choice(text('0'), POSITIVE),
      optional(sequence('.', repeat(DIGIT, 1, MAX_PLACES))),
      optional(sequence(charClass(chars('e', 'E')), exponent)),
    )
  })
}

/** Any JSON value. */
export function anyValue(grammar: Grammar): Expression {
  return grammar.rule('value', 'value', () =>
    choice(
      anyObject(grammar),
      grammar.rule('array', 'array', () =>
        list(grammar, 'value', ['[', ']'], anyValue(grammar), 0, INFINITY),
      ),
      stringOfLength(grammar, 0, INFINITY),
      anyNumber(grammar),
      text('true'),
      text('false'),
      text('null'),
    ),
  )
}

/** Any JSON object. */
export function anyObject(grammar: Grammar): Expression {
  return grammar.rule('object', 'object', () => {
    const any = sequence(stringOfLength(grammar, 0, INFINITY), COLON, anyValue(grammar))
    return list(grammar, 'member', ['{', '}'], any, 0, INFINITY)
  })
}

/**
 * The texts of an automaton as an expression. A state becomes a rule where there is something to choose or where
 * several ways lead; what only goes on is written out.
 */
export function automatonRules(
  grammar: Grammar,
  key: string,
  automaton: Automaton,
  char: (set: CharSet) => Expression,
): Expression {
  const small = minimise(automaton, grammar.budget)
  const entered = new Array<number>(small.accepts.length).fill(0)
  for (const { to } of small.edges.flat()) entered[to] = (entered[to] ?? 0) + 1

  function state(id: number): Expression {
    return grammar.rule(`${key}/${id}`, 's', () => alternatives(id))
  }

  function alternatives(id: number): Expression {
    const ways = (small.edges[id] ?? []).map((edge) => chain(edge.set, edge.to))
    return small.accepts[id] ? choice(...ways, EMPTY) : choice(...ways)
  }

  function chain(set: CharSet, to: number): Expression {
    const items = [char(set)]
    for (let at = to; ; ) {
      const [next, ...others] = small.edges[at] ?? []
      if (next === undefined) return sequence(...items)
      const run = runFrom(small, at)
      if (run !== undefined) {
        return sequence(...items, times(grammar, `${key}/${at}`, char(next.set), 0, run))
      }
      if (others.length > 0 || small.accepts[at] || (entered[at] ?? 0) > 1)
        return sequence(...items, state(at))
      items.push(char(next.set))
      at = next.to
    }
  }

  return (entered[0] ?? 0) > 0 ? state(0) : alternatives(0)
}

/** How many characters of one and the same set may follow, with nothing after them; undefined: it is no such state. */
function runFrom({ accepts, edges }: Automaton, state: number): number | undefined {
  const [first] = edges[state] ?? []
  if (first === undefined) return undefined
  for (let at = state, count = 0; ; count++) {
    const [next, ...others] = edges[at] ?? []
    if (!accepts[at] || others.length > 0) return undefined
    if (next === undefined) return count
    if (!equal(next.set, first.set)) return undefined
    if (next.to === at) return INFINITY
    at = next.to
  }
}
