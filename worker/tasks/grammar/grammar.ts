/** A grammar under construction: named rules, pruned, checked and written as llama.cpp's GBNF. */

import type { Expression } from './expression.ts'
import { Budget, MAX_GRAMMAR_LENGTH, MAX_RULES, TooComplex } from './limits.ts'
import { dropUnreachable, prune, withoutAliases } from './prune.ts'
import { checkReadings } from './readings.ts'
import type { CharSet } from './regular/charset.ts'

/** Steps that each character of a rule costs besides: it is pruned, compared and written. */
const STEPS_PER_CHARACTER = 4

export class Grammar {
  /** What may still be spent on it, and on others that share it. */
  readonly budget: Budget
  readonly #rules = new Map<string, Expression>()
  readonly #names = new Map<string, string>()
  #length = 0

  constructor(budget = new Budget()) {
    this.budget = budget
  }

  /**
   * The rule for `key`, made by `build` when it is asked for the first time. `build` may ask for the same key
   * again: that is how a rule refers to itself.
   * @param hint a name that a reader of the grammar understands
   */
  rule(key: string, hint: string, build: () => Expression): Expression {
    const known = this.#names.get(key)
    if (known !== undefined) return { kind: 'rule', name: known }
    const word = /[a-zA-Z][a-zA-Z0-9]{0,11}/.exec(hint)?.[0] ?? 'r'
    const name = `${word}-${this.#names.size}`
    this.#names.set(key, name)
    if (this.#names.size > MAX_RULES) throw new TooComplex(`needs more than ${MAX_RULES} grammar rules`)
    const body = build()
    this.#rules.set(name, body)
    const length = lengthOf(body)
    this.budget.spend(STEPS_PER_CHARACTER * length)
    this.#length += length
    // Some of it may be pruned, but not most of it.
    if (this.#length > 2 * MAX_GRAMMAR_LENGTH) throw tooLong()
    return { kind: 'rule', name }
  }

  /**
   * The text of the grammar.
   * @returns undefined when no text at all matches `root`
   * @throws TooComplex
   */
  write(root: Expression): string | undefined {
    const rules = prune(withoutAliases(new Map([['root', root], ...this.#rules])))
    if (rules === undefined) return undefined
    const kept = dropUnreachable(rules)
    checkReadings(kept)
    let written = ''
    for (const [name, body] of kept) {
      written += `${name} ::= ${writeExpression(body)}\n`
      if (written.length > MAX_GRAMMAR_LENGTH) throw tooLong()
    }
    return written
  }
}

function tooLong(): TooComplex {
  return new TooComplex(
    `needs a grammar of more than ${MAX_GRAMMAR_LENGTH} characters; ask for less at a time`,
  )
}

/** About how many characters an expression will have; not less than half of it, for no more work than a walk. */
function lengthOf(expression: Expression): number {
  switch (expression.kind) {
    case 'text':
      return expression.text.length + 3
    case 'class':
      return 2 + 4 * expression.set.length
    case 'rule':
      return expression.name.length + 1
    case 'repeat':
      return 3 + lengthOf(expression.item)
    default:
      return expression.items.reduce((sum, item) => sum + lengthOf(item) + 1, 0)
  }
}

function writeExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'text':
      return `"${[...expression.text].map(escapeInText).join('')}"`
    case 'class':
      return writeClass(expression.set)
    case 'rule':
      return expression.name
    case 'sequence':
      if (expression.items.length === 0) return '""'
      return joinTexts(expression.items)
        .map((item) => (item.kind === 'choice' ? `(${writeExpression(item)})` : writeExpression(item)))
        .join(' ')
    case 'choice':
      return expression.items.map(writeExpression).join(' | ')
    case 'repeat':
      return `${writeUnit(expression.item)}${writeCount(expression.min, expression.max)}`
  }
}

/** Neighbouring texts become one, also those of sequences in sequences. */
function joinTexts(items: readonly Expression[]): Expression[] {
  const joined: Expression[] = []
  for (const item of items.flatMap((each) => (each.kind === 'sequence' ? joinTexts(each.items) : [each]))) {
    const last = joined.at(-1)
    if (item.kind === 'text' && last?.kind === 'text') {
      joined[joined.length - 1] = { kind: 'text', text: last.text + item.text }
    } else if (item.kind !== 'text' || item.text !== '') {
      joined.push(item)
    }
  }
  return joined.length > 0 ? joined : [{ kind: 'text', text: '' }]
}

/** What a count can stand behind: a text, a character class, a rule, or something in parentheses. */
function writeUnit(item: Expression): string {
  const single = item.kind === 'class' || item.kind === 'rule' || item.kind === 'text'
  return single ? writeExpression(item) : `(${writeExpression(item)})`
}

function writeCount(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) {
    if (min === 0) return '*'
    return min === 1 ? '+' : `{${min},}`
  }
  if (min === 0 && max === 1) return '?'
  return min === max ? `{${min}}` : `{${min},${max}}`
}

function writeClass(set: CharSet): string {
  const ranges = set.map(([from, to]) =>
    from === to ? escapePoint(from) : `${escapePoint(from)}-${escapePoint(to)}`,
  )
  return `[${ranges.join('')}]`
}

/** Letters and digits as they are; everything else in numbers, so that no character has a meaning in a class. */
export function escapePoint(point: number): string {
  const char = String.fromCodePoint(point)
  if (/[a-zA-Z0-9]/.test(char)) return char
  if (point <= 0xff) return `\\x${point.toString(16).padStart(2, '0')}`
  if (point <= 0xffff) return `\\u${point.toString(16).padStart(4, '0')}`
  return `\\U${point.toString(16).padStart(8, '0')}`
}

export function escapeInText(char: string): string {
  if (char === '"' || char === '\\') return `\\${char}`
  return /[\x20-\x7e]/.test(char) ? char : escapePoint(char.codePointAt(0) ?? 0)
}
