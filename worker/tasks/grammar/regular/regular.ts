/** Regular expressions as values, and how they become deterministic automata. */

import { type Budget, MAX_STATES, TooComplex } from '../limits.ts'
import type { Automaton, Edge } from './automaton.ts'
import { trim } from './automaton.ts'
import { ANY, type CharSet, codePoint } from './charset.ts'

export type Regular =
  | { readonly kind: 'set'; readonly set: CharSet }
  | { readonly kind: 'sequence'; readonly items: readonly Regular[] }
  | { readonly kind: 'choice'; readonly items: readonly Regular[] }
  | { readonly kind: 'repeat'; readonly item: Regular; readonly min: number; readonly max: number }
  /** `^` and `$`: match at the start and the end of the text, and consume nothing. */
  | { readonly kind: 'start' | 'end' }

export const ANYTHING: Regular = repeated({ kind: 'set', set: ANY }, 0, Number.POSITIVE_INFINITY)

export function set(members: CharSet): Regular {
  return { kind: 'set', set: members }
}

/** Exactly these characters, one after the other. */
export function literal(text: string): Regular {
  return inOrder(...[...text].map((char) => set([[codePoint(char), codePoint(char)]])))
}

export function inOrder(...items: readonly Regular[]): Regular {
  return { kind: 'sequence', items }
}

export function oneOf(...items: readonly Regular[]): Regular {
  return { kind: 'choice', items }
}

export function repeated(item: Regular, min: number, max: number): Regular {
  return { kind: 'repeat', item, min, max }
}

export function maybe(item: Regular): Regular {
  return repeated(item, 0, 1)
}

/** A state of the nondeterministic automaton: at most one edge with characters, and edges without. */
interface State {
  set?: CharSet
  to: number[]
  /** The edges without characters may be taken only here. */
  only?: 'start' | 'end'
}

/**
 * The automaton of all texts that match as a whole.
 * @throws TooComplex when it would have more than MAX_STATES states
 */
export function automaton(regular: Regular, budget: Budget): Automaton {
  const states: State[] = [{ to: [] }]
  const first = build(regular, 0, states, budget)
  return determinise(states, first, budget)
}

/** Adds states for `regular` that go on to `next`. @returns where to begin */
function build(regular: Regular, next: number, states: State[], budget: Budget): number {
  switch (regular.kind) {
    case 'set':
      return add({ set: regular.set, to: [next] }, states, budget)
    case 'start':
    case 'end':
      return add({ to: [next], only: regular.kind }, states, budget)
    case 'sequence':
      return regular.items.reduceRight((after, item) => build(item, after, states, budget), next)
    case 'choice':
      return add({ to: regular.items.map((item) => build(item, next, states, budget)) }, states, budget)
    case 'repeat':
      return buildRepeat(regular, next, states, budget)
  }
}

function buildRepeat(
  { item, min, max }: Regular & { kind: 'repeat' },
  next: number,
  states: State[],
  budget: Budget,
): number {
  let first = next
  if (max === Number.POSITIVE_INFINITY) {
    const loop: State = { to: [next] }
    first = add(loop, states, budget)
    loop.to.push(build(item, first, states, budget))
  } else {
    for (let i = min; i < max; i++) {
      first = add({ to: [next, build(item, first, states, budget)] }, states, budget)
    }
  }
  for (let i = 0; i < min; i++) first = build(item, first, states, budget)
  return first
}

function add(state: State, states: State[], budget: Budget): number {
  budget.spend(10)
  if (states.length > 4 * MAX_STATES) throw new TooComplex('is too long, or repeats too much')
  states.push(state)
  return states.length - 1
}

function determinise(states: readonly State[], first: number, budget: Budget): Automaton {
  const accepts: boolean[] = []
  const edges: Edge[][] = []
  const members: number[][] = []
  const ids = new Map<string, number>()

  function idOf(reached: number[], isStart: boolean): number {
    // The first state stands apart: only there does `^` match.
    const key = `${isStart ? '^' : ''}${reached.join()}`
    const known = ids.get(key)
    if (known !== undefined) return known
    if (members.length >= MAX_STATES) throw new TooComplex(`needs more than ${MAX_STATES} states`)
    ids.set(key, members.length)
    accepts.push(closure(states, reached, isStart, true, budget).includes(0))
    members.push(reached)
    return members.length - 1
  }

  idOf(closure(states, [first], true, false, budget), true)
  for (let state = 0; state < members.length; state++) {
    const moves = (members[state] ?? []).flatMap((member) => {
      const { set: label, to } = states[member] ?? { to: [] }
      return label === undefined ? [] : label.map(([from, last]) => ({ from, last, to: to[0] ?? 0 }))
    })
    edges.push(
      partition(moves, budget).map(({ ranges, to }) => ({
        set: ranges,
        to: idOf(closure(states, to, false, false, budget), false),
      })),
    )
  }
  return trim({ accepts, edges })
}

/** All states that can be reached without a character, sorted. */
function closure(
  states: readonly State[],
  from: readonly number[],
  atStart: boolean,
  atEnd: boolean,
  budget: Budget,
): number[] {
  const reached = new Set(from)
  for (const member of reached) {
    const state = states[member]
    if (state === undefined || state.set !== undefined) continue
    budget.spend(1)
    if ((state.only === 'start' && !atStart) || (state.only === 'end' && !atEnd)) continue
    for (const to of state.to) reached.add(to)
  }
  return [...reached].sort((a, b) => a - b)
}

interface Move {
  readonly from: number
  readonly last: number
  readonly to: number
}

interface Part {
  readonly ranges: [from: number, last: number][]
  readonly to: readonly number[]
}

/** Cuts overlapping ranges at each other's ends, and joins the pieces that lead to the same targets. */
function partition(moves: readonly Move[], budget: Budget): Part[] {
  const starts = moves.toSorted((a, b) => a.from - b.from)
  const cuts = [...new Set(moves.flatMap(({ from, last }) => [from, last + 1]))].sort((a, b) => a - b)
  const parts = new Map<string, Part>()
  let open: Move[] = []
  let next = 0
  for (const [i, from] of cuts.entries()) {
    open = open.filter(({ last }) => last >= from)
    for (let move = starts[next]; move?.from === from; move = starts[++next]) open.push(move)
    budget.spend(open.length + 1)
    if (open.length === 0) continue
    const to = [...new Set(open.map((move) => move.to))].sort((a, b) => a - b)
    const last = (cuts[i + 1] ?? from + 1) - 1
    const key = to.join()
    const part = parts.get(key)
    if (part === undefined) parts.set(key, { ranges: [[from, last]], to })
    else part.ranges.push([from, last])
  }
  return [...parts.values()]
}
