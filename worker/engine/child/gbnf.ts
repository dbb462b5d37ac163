/**
 * @module Reads GBNF the way llama.cpp does, to know what a grammar would cost before llama.cpp sees it: its own
 * parser takes `{5,2}` for eighteen quintillion repetitions, and recurses without a bound.
 */

/** Code points from, to; in order, apart. */
export type Ranges = readonly (readonly [number, number])[]
export type Element = { readonly chars: Ranges } | { readonly rule: number }
type Sequence = readonly Element[]
export type Rule = readonly Sequence[]

export interface Gbnf {
  readonly rules: readonly Rule[]
  readonly root: number
}

/** Elements of all rules together, repetitions written out. */
export const maxGrammarElements = 400_000
/** llama.cpp reads a larger bound as none. */
export const maxRepetitions = 2000
/** Groups within groups: llama.cpp recurses into each. */
export const maxGrammarDepth = 256

const lastCodePoint = 0x10ffff
const anyLetter: Ranges = [[0, lastCodePoint]]
const escapes: Readonly<Record<string, string>> = {
  t: '\t',
  r: '\r',
  n: '\n',
  '\\': '\\',
  '"': '"',
  '[': '[',
  ']': ']',
  '-': '-',
}
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/** @throws {SyntaxError} that says what is wrong and where, without quoting */
export function parseGbnf(source: string): Gbnf {
  return new Parser(source).parse()
}

class Parser {
  readonly #source: string
  readonly #rules: (Rule | undefined)[] = []
  readonly #names = new Map<string, number>()
  readonly #letters = new Map<number, Element>()
  #at = 0
  #elements = 0

  constructor(source: string) {
    this.#source = source
  }

  parse(): Gbnf {
    this.#space(true)
    while (this.#at < this.#source.length) this.#rule()
    for (const [name, id] of this.#names) {
      if (this.#rules[id] === undefined) throw new SyntaxError(`the rule ${name.slice(0, 64)} is not defined`)
    }
    const root = this.#names.get('root')
    if (root === undefined) throw new SyntaxError('it has no rule root')
    return { rules: this.#rules as readonly Rule[], root } // each was just seen to be there
  }

  #rule(): void {
    const id = this.#named(this.#match(/[A-Za-z0-9-]+/y) ?? this.#fail('the name of a rule'))
    this.#space(false)
    this.#expect('::=')
    this.#space(true)
    this.#rules[id] = this.#alternatives(0)
    if (this.#at < this.#source.length && this.#match(/\r\n|\r|\n/y) === undefined)
      this.#fail('the end of the line')
    this.#space(true)
  }

  #alternatives(depth: number): Rule {
    if (depth > maxGrammarDepth) throw new SyntaxError(`groups are nested more than ${maxGrammarDepth} deep`)
    const alternatives = [this.#sequence(depth)]
    while (this.#skip('|')) {
      this.#space(true)
      alternatives.push(this.#sequence(depth))
    }
    return alternatives
  }

  #sequence(depth: number): Sequence {
    const sequence: Element[] = []
    for (;;) {
      const item = this.#item(depth)
      if (!item) return sequence
      this.#space(depth > 0)
      let repeated: Sequence = item
      for (let bounds = this.#bounds(depth); bounds; bounds = this.#bounds(depth))
        repeated = this.#repeat(repeated, bounds)
      for (const element of repeated) sequence.push(element)
      this.#count(repeated.length)
    }
  }

  /** What a repetition behind it would repeat; undefined at the end of the sequence. */
  #item(depth: number): Sequence | undefined {
    if (this.#skip('"')) return this.#literal()
    if (this.#skip('[')) return [{ chars: this.#set() }]
    if (this.#skip('.')) return [{ chars: anyLetter }]
    if (this.#skip('(')) return [this.#group(depth + 1)]
    const name = this.#match(/[A-Za-z0-9-]+/y)
    return name === undefined ? undefined : [{ rule: this.#named(name) }]
  }

  #literal(): Sequence {
    const chars: Element[] = []
    while (!this.#skip('"')) {
      chars.push(this.#letter(this.#char()))
    }
    return chars
  }

  /** One object for each letter: literals are most of what grammars are made of. */
  #letter(code: number): Element {
    const known = this.#letters.get(code)
    if (known) return known
    const letter = { chars: [[code, code]] } as const
    this.#letters.set(code, letter)
    return letter
  }

  #set(): Ranges {
    const negated = this.#skip('^')
    const ranges: [number, number][] = []
    while (!this.#skip(']')) {
      const from = this.#char()
      const isRange = this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']'
      if (isRange) this.#at++
      ranges.push([from, isRange ? this.#char() : from])
    }
    const merged = merge(ranges)
    return negated ? complement(merged) : merged
  }

  #group(depth: number): Element {
    this.#space(true)
    const alternatives = this.#alternatives(depth)
    this.#expect(')')
    return { rule: this.#add(alternatives) }
  }

  #bounds(depth: number): readonly [number, number] | undefined {
    const text = this.#match(/[*+?]|\{\s*\d{1,9}\s*(?:,\s*(?:\d{1,9}\s*)?)?\}/y)
    if (text === undefined) {
      if (this.#source[this.#at] === '{') this.#fail('a repetition such as {2,5}')
      return undefined
    }
    this.#space(depth > 0)
    if (text === '*') return [0, Infinity]
    if (text === '+') return [1, Infinity]
    if (text === '?') return [0, 1]
    const [least = 0, most] = Array.from(text.matchAll(/\d+/g), ([digits]) => Number(digits))
    const bound = most ?? (text.includes(',') ? Infinity : least)
    if (least > bound) throw new SyntaxError('a repetition has a maximum below its minimum')
    if (Math.max(least, bound === Infinity ? 0 : bound) > maxRepetitions)
      throw new SyntaxError(`a repetition has a bound above ${maxRepetitions}`)
    return [least, bound]
  }

  /** `x{2,4}` is `x x (x (x)?)?`, and `x*` a rule `more ::= x more | `. */
  #repeat(item: Sequence, [least, most]: readonly [number, number]): Sequence {
    this.#count(item.length * (least + (most === Infinity ? 1 : most - least)))
    const sequence = Array.from({ length: least }, () => item).flat()
    if (most === Infinity) {
      const rule = this.#rules.length
      this.#add([[...item, { rule }], []])
      return [...sequence, { rule }]
    }
    let optional: Element | undefined
    for (let i = least; i < most; i++)
      optional = { rule: this.#add([optional ? [...item, optional] : item, []]) }
    return optional ? [...sequence, optional] : sequence
  }

  #char(): number {
    const code = this.#source.codePointAt(this.#at)
    if (code === undefined) return this.#fail('the end of a literal or a set')
    this.#at += code > 0xffff ? 2 : 1
    if (code !== 0x5c) return code
    const letter = this.#source[this.#at++] ?? ''
    const plain = escapes[letter]?.codePointAt(0)
    if (plain !== undefined) return plain
    const digits = this.#source.slice(this.#at, this.#at + (hexDigits[letter] ?? 0))
    if (!/^[0-9a-fA-F]+$/.test(digits) || digits.length !== hexDigits[letter])
      return this.#fail('a known escape')
    this.#at += digits.length
    return Number.parseInt(digits, 16)
  }

  #named(name: string): number {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const id = this.#rules.push(undefined) - 1
    this.#names.set(name, id)
    return id
  }

  #add(rule: Rule): number {
    return this.#rules.push(rule) - 1
  }

  #count(elements: number): void {
    this.#elements += elements
    if (this.#elements > maxGrammarElements)
      throw new SyntaxError(`it has more than ${maxGrammarElements} elements`)
  }

  #space(newlines: boolean): void {
    this.#match(newlines ? /(?:[ \t\r\n]|#[^\r\n]*)+/y : /(?:[ \t]|#[^\r\n]*)+/y)
  }

  #skip(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  #expect(text: string): void {
    if (!this.#skip(text)) this.#fail(text)
  }

  #match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at
    const text = sticky.exec(this.#source)?.[0]
    this.#at += text?.length ?? 0
    return text
  }

  #fail(wanted: string): never {
    const line = this.#source.slice(0, this.#at).split('\n').length
    throw new SyntaxError(`${wanted} is expected in line ${line}, at character ${this.#at}`)
  }
}

function merge(ranges: readonly (readonly [number, number])[]): Ranges {
  const merged: [number, number][] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}

function complement(ranges: Ranges): Ranges {
  const gaps: [number, number][] = []
  let from = 0
  for (const [start, end] of ranges) {
    if (start > from) gaps.push([from, start - 1])
    from = end + 1
  }
  if (from <= lastCodePoint) gaps.push([from, lastCodePoint])
  return gaps
}
