/** Deterministic finite automata over code points: combined, compared and reduced. */

import { type Budget, MAX_STATES, TooComplex } from '../limits.ts'
import { type CharSet, complement, intersect, normalise, union } from './charset.ts'

export interface Edge {
  readonly set: CharSet
  readonly to: number
}

/** State 0 is the first. The sets of one state's edges are disjoint; a character on no edge is refused. */
export interface Automaton {
  readonly accepts: readonly boolean[]
  readonly edges: readonly (readonly Edge[])[]
}

/** Whether `text` is accepted. */
export function accepts(automaton: Automaton, text: string): boolean {
  let state = 0
  for (const char of text) {
    const point = char.codePointAt(0) ?? 0
    const edge = automaton.edges[state]?.find((each) => intersect(each.set, [[point, point]]).length > 0)
    if (edge === undefined) return false
    state = edge.to
  }
  return automaton.accepts[state] ?? false
}

/** Whether no text at all is accepted. */
export function isEmpty(automaton: Automaton): boolean {
  return !automaton.accepts.includes(true)
}

/** Texts that both accept. @throws TooComplex */
export function both(a: Automaton, b: Automaton, budget: Budget): Automaton {
  return combine(a, b, (inA, inB) => inA && inB, budget)
}

/** Texts that at least one accepts. @throws TooComplex */
export function either(a: Automaton, b: Automaton, budget: Budget): Automaton {
  return combine(a, b, (inA, inB) => inA || inB, budget)
}

/** Texts that `a` accepts and `b` does not. @throws TooComplex */
export function without(a: Automaton, b: Automaton, budget: Budget): Automaton {
  return combine(a, b, (inA, inB) => inA && !inB, budget)
}

/** The state of an automaton that has refused the text already. */
const DEAD = -1

/** Runs both side by side; `accept` judges a text by whether each accepts it. */
function combine(
  a: Automaton,
  b: Automaton,
  accept: (inA: boolean, inB: boolean) => boolean,
  budget: Budget,
): Automaton {
  // What one alone accepts counts only where `accept` says so: else a dead one ends the walk.
  const needsA = !accept(false, true)
  const needsB = !accept(true, false)
  const pairs: [number, number][] = []
  const ids = new Map<string, number>()
  const edges: Edge[][] = []

  function idOf(inA: number, inB: number): number {
    const key = `${inA},${inB}`
    const known = ids.get(key)
    if (known !== undefined) return known
    if (pairs.length >= 4 * MAX_STATES) throw new TooComplex(`needs more than ${4 * MAX_STATES} states`)
    ids.set(key, pairs.length)
    pairs.push([inA, inB])
    return pairs.length - 1
  }

  idOf(0, 0)
  for (const [inA, inB] of pairs) {
    const fromA = withRest(a.edges[inA] ?? [])
    const fromB = withRest(b.edges[inB] ?? [])
    budget.spend(4 * fromA.length * fromB.length + 20)
    const out: Edge[] = []
    for (const edgeA of fromA) {
      for (const edgeB of fromB) {
        if ((edgeA.to === DEAD && needsA) || (edgeB.to === DEAD && needsB)) continue
        if (edgeA.to === DEAD && edgeB.to === DEAD) continue
        const set = intersect(edgeA.set, edgeB.set)
        if (set.length > 0) out.push({ set, to: idOf(edgeA.to, edgeB.to) })
      }
    }
    edges.push(out)
  }
  const accepted = pairs.map(([inA, inB]) => accept(a.accepts[inA] ?? false, b.accepts[inB] ?? false))
  return trim({ accepts: accepted, edges })
}

function withRest(edges: readonly Edge[]): Edge[] {
  return [...edges, { set: complement(union(...edges.map((edge) => edge.set))), to: DEAD }]
}

/** Without states that cannot be reached or lead nowhere; parallel edges are joined. */
export function trim(automaton: Automaton): Automaton {
  const alive = leadingToAcceptance(automaton)
  const order = new Map<number, number>([[0, 0]])
  const accepted: boolean[] = []
  const edges: Edge[][] = []
  for (const [state] of order) {
    accepted.push(automaton.accepts[state] ?? false)
    const bySet = new Map<number, CharSet[]>()
    for (const { set, to } of automaton.edges[state] ?? []) {
      if (!alive.has(to)) continue
      if (!order.has(to)) order.set(to, order.size)
      const target = order.get(to) ?? 0
      bySet.set(target, [...(bySet.get(target) ?? []), set])
    }
    edges.push([...bySet].map(([to, sets]) => ({ set: normalise(sets.flat()), to })))
  }
  return { accepts: accepted, edges }
}

function leadingToAcceptance(automaton: Automaton): Set<number> {
  const sources = new Map<number, number[]>()
  for (const [from, out] of automaton.edges.entries()) {
    for (const { to } of out) {
      const list = sources.get(to)
      if (list === undefined) sources.set(to, [from])
      else list.push(from)
    }
  }
  const alive = new Set([...automaton.accepts.keys()].filter((state) => automaton.accepts[state]))
  for (const state of alive) for (const source of sources.get(state) ?? []) alive.add(source)
  return alive
}

/** Above so many states in circles (or before them) those stay as they are: comparing them takes the square of it. */
const MAX_COMPARED = 300

/** An automaton for the same texts with no two states that mean the same. @throws TooComplex */
export function minimise(automaton: Automaton, budget: Budget): Automaton {
  const classes = automaton.accepts.map(() => OPEN)
  const ids = new Map<string, number>()
  for (const state of fromTheEnd(automaton)) {
    // All that follows is told apart already, so this state is too.
    budget.spend(STEP)
    const key = describe(automaton, state, classes)
    const id = ids.get(key) ?? ids.size
    ids.set(key, id)
    classes[state] = id
  }
  const rest = [...classes.keys()].filter((state) => classes[state] === OPEN)
  if (rest.length > MAX_COMPARED)
    for (const [index, state] of rest.entries()) classes[state] = ids.size + index
  else divide(automaton, rest, classes, ids.size, budget)
  return merge(automaton, classes)
}

const OPEN = -1
/** What describing a state costs, in the budget's steps. */
const STEP = 20

/** The states from which no circle can be reached, each after all that follow it. */
function fromTheEnd({ edges }: Automaton): number[] {
  const sources = edges.map((): number[] => [])
  for (const [from, out] of edges.entries()) for (const { to } of out) sources[to]?.push(from)
  const pending = edges.map((out) => out.length)
  const order = [...edges.keys()].filter((state) => pending[state] === 0)
  for (const state of order) {
    for (const source of sources[state] ?? []) {
      const left = (pending[source] ?? 0) - 1
      pending[source] = left
      if (left === 0) order.push(source)
    }
  }
  return order
}

/** Moore's algorithm: divides `states` until those of one class go to the same classes. */
function divide(
  automaton: Automaton,
  states: readonly number[],
  classes: number[],
  firstId: number,
  budget: Budget,
): void {
  for (const state of states) classes[state] = firstId
  for (let count = 0; ; ) {
    budget.spend(STEP * states.length)
    const ids = new Map<string, number>()
    const next = states.map((state) => {
      const key = `${classes[state]}|${describe(automaton, state, classes)}`
      const id = ids.get(key) ?? firstId + ids.size
      ids.set(key, id)
      return id
    })
    for (const [index, state] of states.entries()) classes[state] = next[index] ?? firstId
    if (ids.size === count) return
    count = ids.size
  }
}

function merge(automaton: Automaton, classes: readonly number[]): Automaton {
  // The class of the first state comes first.
  const first = classes[0] ?? 0
  const swap = (id: number): number => (id === first ? 0 : id === 0 ? first : id)
  const accepts: boolean[] = []
  const edges: Edge[][] = []
  for (const [state, id] of classes.entries()) {
    accepts[swap(id)] = automaton.accepts[state] ?? false
    edges[swap(id)] = (automaton.edges[state] ?? []).map(({ set, to }) => ({
      set,
      to: swap(classes[to] ?? 0),
    }))
  }
  return trim({ accepts, edges })
}

/** Whether a state accepts, and which class each character leads to. */
function describe(automaton: Automaton, state: number, classes: readonly number[]): string {
  return `${automaton.accepts[state]}|${describeEdges(automaton.edges[state] ?? [], classes)}`
}

function describeEdges(edges: readonly Edge[], classes: readonly number[]): string {
  return edges
    .flatMap(({ set, to }) => set.map(([from, last]) => [from, last, classes[to] ?? 0] as const))
    .sort((x, y) => x[0] - y[0])
    .reduce<[number, number, number][]>((joined, [from, last, to]) => {
      const before = joined.at(-1)
      if (before !== undefined && before[1] + 1 === from && before[2] === to) before[1] = last
      else joined.push([from, last, to])
      return joined
    }, [])
    .join(';')
}
