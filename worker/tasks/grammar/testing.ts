/**
 * @module For tests: reads GBNF as llama.cpp does, independently of the code that writes it; says whether a text
 * matches, and makes texts that do.
 */

import { ApiError } from '../../protocol/errors.ts'
import { type SchemaOptions, schemaToGbnf } from './index.ts'

type Node =
  | { readonly kind: 'char'; readonly ranges: readonly (readonly [number, number])[] }
  | { readonly kind: 'rule'; readonly name: string }
  | { readonly kind: 'choice'; readonly alternatives: readonly (readonly Node[])[] }
  | { readonly kind: 'repeat'; readonly item: readonly Node[]; readonly min: number; readonly max: number }

/** What is still to be matched: a list that shares its tail. */
interface Stack {
  readonly node: Node
  readonly rest: Stack | null
}

export class GbnfMatcher {
  readonly #rules: Map<string, Node>

  constructor(gbnf: string) {
    this.#rules = readGbnf(gbnf)
  }

  /** Whether the whole text matches. */
  matches(text: string): boolean {
    return this.#follow(text).accepts
  }

  /** The most readings of the text that were open at one time. */
  readings(text: string): number {
    return this.#follow(text).most
  }

  #follow(text: string): { accepts: boolean; most: number } {
    let open = this.#expand([push(this.#rule('root'), null)])
    let most = 0
    for (const char of text) {
      most = Math.max(most, open.size)
      const point = char.codePointAt(0) ?? 0
      const next: (Stack | null)[] = []
      for (const stack of open.values()) {
        if (stack?.node.kind !== 'char') continue
        if (stack.node.ranges.some(([from, to]) => from <= point && point <= to)) next.push(stack.rest)
      }
      open = this.#expand(next)
    }
    return { accepts: open.has(''), most }
  }

  /** The stacks that begin with a character, or are empty, by a text that identifies them. */
  #expand(stacks: readonly (Stack | null)[]): Map<string, Stack | null> {
    const found = new Map<string, Stack | null>()
    const seen = new Set<string>()
    const open = [...stacks]
    for (let stack = open.pop(); stack !== undefined; stack = open.pop()) {
      const id = identify(stack)
      if (seen.has(id)) continue
      seen.add(id)
      if (stack === null || stack.node.kind === 'char') {
        found.set(id, stack)
        continue
      }
      const { node, rest } = stack
      if (node.kind === 'rule') open.push(push(this.#rule(node.name), rest))
      else if (node.kind === 'choice') for (const items of node.alternatives) open.push(pushAll(items, rest))
      else {
        const { item, min, max } = node
        if (min === 0) open.push(rest)
        const less = { kind: 'repeat', item, min: Math.max(0, min - 1), max: max - 1 } as const
        if (max > 0) open.push(pushAll(item, max > 1 ? push(less, rest) : rest))
      }
    }
    return found
  }

  /** A text that matches; `pick(n)` chooses one of n. Ends soon after `length` choices, where the grammar lets it. */
  sample(pick: (count: number) => number, length = 60): string {
    const heights = this.#heights()
    let text = ''
    let choices = 0
    const open: Node[] = [this.#rule('root')]
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      const isLate = ++choices > length
      if (node.kind === 'char') text += sampleChar(node.ranges, pick)
      else if (node.kind === 'rule') open.push(this.#rule(node.name))
      else if (node.kind === 'choice') {
        const height = (items: readonly Node[]): number =>
          Math.max(0, ...items.map((each) => heightOf(each, heights)))
        const lowest = node.alternatives.toSorted((a, b) => height(a) - height(b))
        open.push(...(lowest[isLate ? 0 : pick(lowest.length)] ?? []).toReversed())
      } else {
        const { item, min, max } = node
        const more = isLate ? 0 : pick(Math.min(max - min, 3) + 1)
        for (let i = 0; i < min + more; i++) open.push(...item.toReversed())
      }
    }
    return text
  }

  /** How deep the shallowest derivation of each rule is. */
  #heights(): Map<string, number> {
    const heights = new Map<string, number>()
    for (let changed = true; changed; ) {
      changed = false
      for (const [name, body] of this.#rules) {
        const height = 1 + heightOf(body, heights)
        if (height >= (heights.get(name) ?? Number.POSITIVE_INFINITY)) continue
        heights.set(name, height)
        changed = true
      }
    }
    return heights
  }

  #rule(name: string): Node {
    const body = this.#rules.get(name)
    if (body === undefined) throw new Error(`no rule ${name}`)
    return body
  }
}

function heightOf(node: Node, heights: ReadonlyMap<string, number>): number {
  if (node.kind === 'char') return 0
  if (node.kind === 'rule') return heights.get(node.name) ?? Number.POSITIVE_INFINITY
  if (node.kind === 'repeat')
    return node.min === 0 ? 0 : Math.max(0, ...node.item.map((each) => heightOf(each, heights)))
  return Math.min(
    ...node.alternatives.map((items) => Math.max(0, ...items.map((each) => heightOf(each, heights)))),
  )
}

/** The code points in none of the ranges. */
function others(ranges: readonly (readonly [number, number])[]): [number, number][] {
  const found: [number, number][] = []
  let from = 0
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    if (first > from) found.push([from, first - 1])
    from = Math.max(from, last + 1)
  }
  return [...found, [from, 0x10ffff]]
}

function sampleChar(ranges: readonly (readonly [number, number])[], pick: (count: number) => number): string {
  const [from, to] = ranges[pick(ranges.length)] ?? [0x20, 0x20]
  return String.fromCodePoint(from + pick(to - from + 1))
}

function push(node: Node, rest: Stack | null): Stack {
  return { node, rest }
}

function pushAll(items: readonly Node[], rest: Stack | null): Stack | null {
  return items.reduceRight<Stack | null>((stack, node) => push(node, stack), rest)
}

const ids = new WeakMap<object, number>()
let nextId = 0

function identify(stack: Stack | null): string {
  let text = ''
  for (let at = stack; at !== null; at = at.rest) {
    const key = at.node.kind === 'repeat' ? at.node.item : at.node
    const id = ids.get(key) ?? nextId++
    ids.set(key, id)
    text += at.node.kind === 'repeat' ? `${id}{${at.node.min},${at.node.max}} ` : `${id} `
  }
  return text
}

/** The parser: GBNF as llama.cpp's README describes it. */
function readGbnf(gbnf: string): Map<string, Node> {
  const rules = new Map<string, Node>()
  for (const line of gbnf.split('\n')) {
    if (line === '') continue
    const [, name = '', body = ''] = /^([a-zA-Z0-9-]+) ::= (.*)$/.exec(line) ?? []
    if (name === '') throw new Error(`not a rule: ${line}`)
    const reader = new Reader(body)
    rules.set(name, reader.choice())
    if (!reader.isDone) throw new Error(`not a rule to its end: ${line}`)
  }
  return rules
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  get isDone(): boolean {
    return this.#at === this.#text.length
  }

  choice(): Node {
    const alternatives = [this.#sequence()]
    while (this.#take('|')) alternatives.push(this.#sequence())
    return { kind: 'choice', alternatives }
  }

  #sequence(): Node[] {
    const items: Node[] = []
    for (;;) {
      const unit = this.#unit()
      if (unit === undefined) return items
      const count = this.#match(/(?:[*+?]|\{(\d+)(,(\d*))?\})/y)
      if (count === undefined) items.push(...unit)
      else items.push({ kind: 'repeat', item: unit, ...readCount(count) })
    }
  }

  #unit(): Node[] | undefined {
    this.#match(/ +/y)
    if (this.#take('(')) {
      const group = this.choice()
      if (!this.#take(')')) throw new Error(`no ) in ${this.#text}`)
      return [group]
    }
    const name = this.#match(/[a-zA-Z0-9-]+/y)
    if (name !== undefined) return [{ kind: 'rule', name: name[0] }]
    if (this.#take('"')) return this.#chars('"').map(([from]) => ({ kind: 'char', ranges: [[from, from]] }))
    if (!this.#take('[')) return undefined
    const isNegated = this.#takeExactly('^')
    const ranges = this.#chars(']')
    return [{ kind: 'char', ranges: isNegated ? others(ranges) : ranges }]
  }

  /** Characters up to `end`, as ranges. */
  #chars(end: string): [number, number][] {
    const ranges: [number, number][] = []
    while (!this.#takeExactly(end)) {
      const from = this.#char()
      const isRange = end === ']' && this.#takeExactly('-')
      ranges.push([from, isRange ? this.#char() : from])
    }
    return ranges
  }

  #char(): number {
    const escaped = this.#match(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(["\\]))/y)
    if (escaped !== undefined) {
      const hex = escaped[1] ?? escaped[2] ?? escaped[3]
      return hex === undefined ? (escaped[4]?.charCodeAt(0) ?? 0) : Number.parseInt(hex, 16)
    }
    const char = this.#match(/[^\\]/uy)
    if (char === undefined) throw new Error(`bad character in ${this.#text}`)
    return char[0].codePointAt(0) ?? 0
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return undefined
    this.#at += found[0].length
    return found
  }

  #take(char: string): boolean {
    this.#match(/ +/y)
    return this.#takeExactly(char)
  }

  #takeExactly(char: string): boolean {
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }
}

function readCount([sign, min, comma, max]: RegExpExecArray): { min: number; max: number } {
  if (sign === '*') return { min: 0, max: Number.POSITIVE_INFINITY }
  if (sign === '+') return { min: 1, max: Number.POSITIVE_INFINITY }
  if (sign === '?') return { min: 0, max: 1 }
  const least = Number(min)
  // llama.cpp takes a count above 2000 for "any number", without a word.
  if (least >= 2000 || Number(max) >= 2000) throw new Error(`a count that llama.cpp does not keep: ${sign}`)
  if (comma === undefined) return { min: least, max: least }
  return { min: least, max: max === '' ? Number.POSITIVE_INFINITY : Number(max) }
}

/** The matcher of a schema's grammar. */
export function matcher(schema: unknown): GbnfMatcher {
  return new GbnfMatcher(schemaToGbnf(schema, 'schema'))
}

/** The error with which a schema is refused. */
export function refusal(schema: unknown, options?: SchemaOptions): ApiError {
  try {
    schemaToGbnf(schema, 'schema', options)
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error(`not refused: ${JSON.stringify(schema)}`)
}

/** Pseudo-random choices that a seed repeats. */
export function picker(seed: number): (count: number) => number {
  let state = seed >>> 0
  return (count) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
}
