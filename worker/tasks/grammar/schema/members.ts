/** The members of an object: what each named one must satisfy, and the kinds of those that are not named. */

import { invalidSchema } from '../errors.ts'
import type { Budget } from '../limits.ts'
import { type Automaton, accepts, both, isEmpty, without } from '../regular/automaton.ts'
import { ANYTHING, automaton, literal, oneOf } from '../regular/regular.ts'
import type { SchemaRef } from './document.ts'
import type { NamePattern, ObjectFacts, ObjectPart } from './facts.ts'

/** Patterns of names that may overlap in one object: with each more the kinds of names double. */
const MAX_PATTERNS = 4

/** Members whose names are not told. */
export interface OtherMembers {
  /** Their names; undefined: any text. */
  readonly names: Automaton | undefined
  readonly value: readonly SchemaRef[]
}

/** What the member `name` must satisfy; undefined when there must be none. */
export function memberValue(facts: ObjectFacts, name: string): SchemaRef[] | undefined {
  const matching = (pattern: NamePattern): boolean => accepts(pattern.names, name)
  return possible(facts.parts.flatMap((part) => valueIn(part, part.properties.get(name), matching)))
}

/** The kinds of members beside the declared ones; no name is of two kinds. @param allowed names; undefined: all */
export function otherMembers(
  facts: ObjectFacts,
  allowed: Automaton | undefined,
  budget: Budget,
): OtherMembers[] {
  const { path, declared, parts } = facts
  const isForbidden = parts.some((part) => part.additional?.schema === false && part.patterns.length === 0)
  if (isForbidden || isClosed(facts)) return []
  const patterns = parts.flatMap((part) => part.patterns)
  if (patterns.length > MAX_PATTERNS) {
    throw invalidSchema(`${path}.patternProperties`, `may hold at most ${MAX_PATTERNS} patterns`)
  }
  const isFree = allowed === undefined && declared.length === 0 && patterns.length === 0
  if (isFree)
    return [{ names: undefined, value: parts.flatMap((part) => valueIn(part, undefined, () => false)) }]
  const all = allowed ?? automaton(ANYTHING, budget)
  const rest = without(all, automaton(oneOf(...declared.map(literal)), budget), budget)
  return kindsOf(rest, patterns, budget).flatMap(({ names, matching }) => {
    const value = possible(parts.flatMap((part) => valueIn(part, undefined, (each) => matching.has(each))))
    return value === undefined ? [] : [{ names, value }]
  })
}

/**
 * An object that lists its members and says nothing of others gets no others. (JSON Schema would allow any; what a
 * model is asked for is what is listed.)
 */
function isClosed({ declared, names, parts, min }: ObjectFacts): boolean {
  const speaksOfOthers = parts.some((part) => part.additional !== undefined || part.patterns.length > 0)
  return declared.length > 0 && !speaksOfOthers && names.length === 0 && min <= declared.length
}

interface Kind {
  readonly names: Automaton
  readonly matching: ReadonlySet<NamePattern>
}

/** Divides names by which of the patterns they match. */
function kindsOf(names: Automaton, patterns: readonly NamePattern[], budget: Budget): Kind[] {
  let kinds: Kind[] = [{ names, matching: new Set() }]
  for (const pattern of patterns) {
    kinds = kinds.flatMap((kind) => [
      { names: both(kind.names, pattern.names, budget), matching: new Set([...kind.matching, pattern]) },
      { names: without(kind.names, pattern.names, budget), matching: kind.matching },
    ])
  }
  return kinds.filter((kind) => !isEmpty(kind.names))
}

/** What one schema says of a member: by its name, by the patterns that its name matches, or else as additional. */
function valueIn(
  part: ObjectPart,
  own: SchemaRef | undefined,
  matches: (pattern: NamePattern) => boolean,
): SchemaRef[] {
  const found = part.patterns.filter(matches).map(({ value }) => value)
  if (own !== undefined) found.unshift(own)
  if (found.length > 0) return found
  return part.additional === undefined ? [] : [part.additional]
}

function possible(value: SchemaRef[]): SchemaRef[] | undefined {
  return value.some(({ schema }) => schema === false) ? undefined : value
}
