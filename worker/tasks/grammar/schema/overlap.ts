/** Whether two schemas have a value in common, and whether alternatives are told apart by what they begin with. */

import type { Budget } from '../limits.ts'
import { type Automaton, both, isEmpty } from '../regular/automaton.ts'
import { ANY } from '../regular/charset.ts'
import { numberAutomaton } from '../regular/numbers.ts'
import { automaton, oneOf, repeated, set } from '../regular/regular.ts'
import type { SchemaRef } from './document.ts'
import type { ArrayFacts, Facts, NumberFacts, ObjectFacts, StringFacts } from './facts.ts'
import { memberValue } from './members.ts'

/** How deep values are compared: below, two schemas are taken to overlap. */
const MAX_COMPARED = 4

/** The texts of a string, as an automaton. */
export function stringTexts({ min, max, texts }: StringFacts, budget: Budget): Automaton {
  return texts ?? automaton(min > max ? oneOf() : repeated(set(ANY), min, max), budget)
}

export class Overlap {
  readonly #facts: (refs: readonly SchemaRef[]) => Facts[]
  readonly #budget: Budget

  constructor(facts: (refs: readonly SchemaRef[]) => Facts[], budget: Budget) {
    this.#facts = facts
    this.#budget = budget
  }

  /** Whether no value matches one of each. When in doubt: false. */
  areDisjoint(a: readonly Facts[], b: readonly Facts[], depth = 0): boolean {
    return a.every((one) => b.every((other) => this.#disjoint(one, other, depth)))
  }

  /** Whether the first member in which two of these objects differ tells them apart, before anything nests. */
  tellObjects(objects: readonly ObjectFacts[]): boolean {
    return pairs(objects).every(([a, b]) => this.#tellApart(a, b))
  }

  tellArrays(arrays: readonly ArrayFacts[]): boolean {
    return pairs(arrays).every(([a, b]) => {
      const [first, second] = [itemAt(a, 0), itemAt(b, 0)]
      return a.min > 0 && b.min > 0 && this.#disjointRefs(first, second, 0, true)
    })
  }

  #tellApart(a: ObjectFacts, b: ObjectFacts): boolean {
    for (const [index, name] of a.declared.entries()) {
      const other = b.declared[index]
      // Optional members may be left out, so what comes next would decide: too late to be sure.
      if (other === undefined || !a.required.has(name) || !b.required.has(other)) return false
      if (name !== other) return true
      const [one, two] = [memberValue(a, name), memberValue(b, name)]
      if (one === undefined || two === undefined || this.#disjointRefs(one, two, 0, true)) return true
      if (!this.#isFlat(one) || !this.#isFlat(two)) return false
    }
    return false
  }

  /** Whether a value holds no other values, so that following it twice costs little. */
  #isFlat(refs: readonly SchemaRef[]): boolean {
    return (
      refs.length > 0 &&
      this.#facts(refs).every(({ array, object }) => array === undefined && object === undefined)
    )
  }

  /** @param flat both must be told apart without looking into arrays and objects */
  #disjointRefs(a: readonly SchemaRef[], b: readonly SchemaRef[], depth: number, flat = false): boolean {
    if (depth >= MAX_COMPARED) return false
    return this.areDisjoint(this.#facts(a), this.#facts(b), flat ? MAX_COMPARED : depth + 1)
  }

  #disjoint(a: Facts, b: Facts, depth: number): boolean {
    if (a.null && b.null) return false
    if (a.booleans?.some((value) => b.booleans?.includes(value))) return false
    if (a.number !== undefined && b.number !== undefined && !this.#disjointNumbers(a.number, b.number))
      return false
    if (a.string !== undefined && b.string !== undefined && !this.#disjointStrings(a.string, b.string))
      return false
    if (a.array !== undefined && b.array !== undefined && !this.#disjointArrays(a.array, b.array, depth))
      return false
    return (
      a.object === undefined || b.object === undefined || this.#disjointObjects(a.object, b.object, depth)
    )
  }

  #disjointNumbers(a: NumberFacts, b: NumberFacts): boolean {
    if (a.values !== undefined && b.values !== undefined)
      return !a.values.some((value) => b.values?.includes(value))
    return isEmpty(
      both(numberAutomaton(a.limits, this.#budget), numberAutomaton(b.limits, this.#budget), this.#budget),
    )
  }

  #disjointStrings(a: StringFacts, b: StringFacts): boolean {
    return isEmpty(both(stringTexts(a, this.#budget), stringTexts(b, this.#budget), this.#budget))
  }

  #disjointArrays(a: ArrayFacts, b: ArrayFacts, depth: number): boolean {
    if (a.min > b.max || b.min > a.max) return true
    const common = Math.min(a.min, b.min, Math.max(a.prefix.length, b.prefix.length, 1))
    return Array.from({ length: common }).some((_, index) =>
      this.#disjointRefs(itemAt(a, index), itemAt(b, index), depth),
    )
  }

  #disjointObjects(a: ObjectFacts, b: ObjectFacts, depth: number): boolean {
    const needed = new Set([...a.required, ...b.required])
    return [...needed].some((name) => {
      const [one, two] = [memberValue(a, name), memberValue(b, name)]
      if (one === undefined || two === undefined) return true
      return a.required.has(name) && b.required.has(name) && this.#disjointRefs(one, two, depth)
    })
  }
}

function itemAt({ prefix, rest }: ArrayFacts, index: number): readonly SchemaRef[] {
  return prefix[index] ?? rest
}

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((one, index) => items.slice(index + 1).map((other): [T, T] => [one, other]))
}
