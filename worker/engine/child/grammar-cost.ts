/**
 * @module llama.cpp follows every way in which a text may be read, each as a stack of its own. A grammar of two
 * lines can double them with each letter, and one draw then takes longer than anyone waits, for all generations. So
 * the ways are followed here first, within bounds, along the texts that have the most of them.
 */

import type { Element, Gbnf, Ranges, Rule } from './gbnf.ts'

/** Ways to read one text, at the least; a grammar of many elements may have as many. */
const maxWays = 1024
/** Letters that are looked ahead, from the root and from each rule that comes back to itself. */
const lookAhead = 16
/** Texts that are followed side by side. */
const beam = 4
/** Rules to begin from, besides the root. */
const maxStarts = 16
/** Steps in all, some tens of milliseconds; a grammar that needs more is taken as it is. */
const maxSteps = 150_000

/** What is still to be read: the rest of a sequence, then what is below. Equal stacks are one object. */
interface Stack {
  readonly id: number
  readonly sequence: readonly Element[]
  readonly index: number
  readonly below: Stack | undefined
  readonly next: Map<readonly Element[], (Stack | undefined)[]>
}

type Ways = ReadonlySet<Stack>

class TooCostly extends Error {}
class Spent extends Error {}

/** Whether texts of this grammar have so many readings that llama.cpp could not follow. Left recursion counts. */
export function isTooCostly(grammar: Gbnf): boolean {
  try {
    const walk = new Walk(grammar)
    walk.from(grammar.root)
    for (const rule of recursive(grammar.rules).slice(0, maxStarts)) walk.from(rule)
    return false
  } catch (cause) {
    if (cause instanceof TooCostly) return true
    if (cause instanceof Spent) return false
    throw cause
  }
}

class Walk {
  readonly #rules: readonly Rule[]
  readonly #maxWays: number
  readonly #bottom = new Map<readonly Element[], (Stack | undefined)[]>()
  #steps = 0
  #ids = 0

  constructor({ rules }: Gbnf) {
    this.#rules = rules
    const alternatives = rules.reduce((sum, rule) => sum + rule.length, 0)
    this.#maxWays = Math.max(maxWays, 2 * alternatives)
  }

  from(rule: number): void {
    let texts: Ways[] = [
      this.#expand((this.#rules[rule] ?? []).map((sequence) => this.#push(sequence, 0, undefined))),
    ]
    for (let letter = 0; letter < lookAhead && texts.length > 0; letter++) {
      const seen = new Map<string, Ways>()
      for (const ways of texts) {
        for (const code of letters(ways)) {
          const next = this.#read(ways, code)
          if (next.size > 0) seen.set([...next].map(({ id }) => id).join(), next)
        }
      }
      texts = [...seen.values()].toSorted((a, b) => b.size - a.size).slice(0, beam)
    }
  }

  #read(ways: Ways, code: number): Ways {
    const after: (Stack | undefined)[] = []
    for (const { sequence, index, below } of ways) {
      this.#step()
      const element = sequence[index]
      if (!element || !('chars' in element)) continue
      if (!includes(element.chars, code)) continue
      after.push(this.#push(sequence, index + 1, below))
    }
    return this.#expand(after)
  }

  /** Each way up to its next letter. */
  #expand(stacks: readonly (Stack | undefined)[]): Ways {
    const ways = new Set<Stack>()
    const seen = new Set<Stack>()
    const todo = [...stacks]
    while (todo.length > 0) {
      const stack = todo.pop()
      if (!stack || seen.has(stack)) continue
      this.#step()
      seen.add(stack)
      const element = stack.sequence[stack.index]
      if (element && 'rule' in element) {
        const below = this.#push(stack.sequence, stack.index + 1, stack.below)
        for (const sequence of this.#rules[element.rule] ?? []) todo.push(this.#push(sequence, 0, below))
      } else {
        ways.add(stack)
      }
      if (seen.size > 4 * this.#maxWays || ways.size > this.#maxWays) throw new TooCostly()
    }
    return ways
  }

  /** The rest of a sequence on top of a stack; nothing is left on it that is already read. */
  #push(sequence: readonly Element[], index: number, below: Stack | undefined): Stack | undefined {
    if (index >= sequence.length) return below
    const known = below?.next ?? this.#bottom
    const stacks = known.get(sequence) ?? []
    known.set(sequence, stacks)
    stacks[index] ??= { id: this.#ids++, sequence, index, below, next: new Map() }
    return stacks[index]
  }

  #step(): void {
    if (++this.#steps > maxSteps) throw new Spent()
  }
}

/** Sets may have tens of thousands of ranges, and each is asked for each of its letters: they are halved, not walked. */
function includes(ranges: Ranges, code: number): boolean {
  let from = 0
  let to = ranges.length
  while (from < to) {
    const middle = (from + to) >> 1
    const [first, last] = ranges[middle] ?? [0, -1]
    if (code < first) to = middle
    else if (code > last) from = middle + 1
    else return true
  }
  return false
}

/** Letters that stand for all: every overlap of sets contains the first letter of one of them. */
function letters(ways: Ways): Set<number> {
  const codes = new Set<number>()
  for (const { sequence, index } of ways) {
    const element = sequence[index]
    if (!element || !('chars' in element)) continue
    for (const [from] of element.chars) codes.add(from)
  }
  return codes
}

/**
 * Rules from which a way leads back to themselves: those of strongly connected components (Tarjan 1972) that hold a
 * cycle. Time grows with the calls, and nothing recurses: a repetition may be a chain of a hundred thousand rules.
 */
export function recursive(rules: readonly Rule[]): number[] {
  const calls = rules.map((rule) =>
    rule.flat().flatMap((element) => ('rule' in element ? [element.rule] : [])),
  )
  const order = new Int32Array(rules.length).fill(-1)
  const lowest = new Int32Array(rules.length)
  const taken = new Int32Array(rules.length)
  const open: number[] = []
  const isOpen = new Uint8Array(rules.length)
  const found: number[] = []
  let visited = 0

  const enter = (rule: number, path: number[]) => {
    order[rule] = visited
    lowest[rule] = visited++
    open.push(rule)
    isOpen[rule] = 1
    path.push(rule)
  }
  const lower = (rule: number, to: number) => {
    lowest[rule] = Math.min(lowest[rule] ?? 0, to)
  }
  const close = (rule: number) => {
    if (lowest[rule] !== order[rule]) return
    const component = open.splice(open.lastIndexOf(rule))
    for (const member of component) isOpen[member] = 0
    if (component.length > 1 || calls[rule]?.includes(rule)) found.push(...component)
  }

  for (let start = 0; start < rules.length; start++) {
    if (order[start] !== -1) continue
    const path: number[] = []
    enter(start, path)
    while (path.length > 0) {
      const rule = path.at(-1) ?? start
      const next = taken[rule] ?? 0
      taken[rule] = next + 1
      const callee = calls[rule]?.[next]
      if (callee === undefined) {
        path.pop()
        close(rule)
        const caller = path.at(-1)
        if (caller !== undefined) lower(caller, lowest[rule] ?? 0)
      } else if (order[callee] === -1) enter(callee, path)
      else if (isOpen[callee]) lower(rule, order[callee] ?? 0)
    }
  }
  return found.sort((a, b) => a - b)
}
