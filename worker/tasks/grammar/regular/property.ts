/** The characters of a Unicode property, asked of the JavaScript engine: it knows the tables already. */

import type { Budget } from '../limits.ts'
import { ANY, type CharRange, type CharSet, normalise } from './charset.ts'

const known = new Map<string, CharSet>()
/** There are a few hundred properties; a client cannot fill more than this by asking for all of them. */
const MAX_KNOWN = 64

/** What asking for every character costs, in the budget's steps. */
const COST = 400_000

/** @returns undefined for a property that does not exist @throws TooComplex */
export function propertySet(name: string, budget: Budget): CharSet | undefined {
  const before = known.get(name)
  if (before !== undefined) return before
  let one: RegExp
  try {
    one = new RegExp(`^\\p{${name}}$`, 'u')
  } catch {
    return undefined
  }
  budget.spend(COST)
  const ranges: CharRange[] = []
  for (const [from, to] of ANY) {
    let start: number | undefined
    for (let point = from; point <= to + 1; point++) {
      const inside = point <= to && one.test(String.fromCodePoint(point))
      if (inside) start ??= point
      else if (start !== undefined) {
        ranges.push([start, point - 1])
        start = undefined
      }
    }
  }
  const members = normalise(ranges)
  if (known.size < MAX_KNOWN) known.set(name, members)
  return members
}
