/** What the schemas of one alternative say together, by type of value. */

import { invalidSchema } from '../errors.ts'
import { type Budget, TooComplex } from '../limits.ts'
import { type Automaton, both } from '../regular/automaton.ts'
import { ANY } from '../regular/charset.ts'
import { FORMATS } from '../regular/formats.ts'
import { asFraction, type Bound, isWithin, MAX_MULTIPLE, type NumberLimits } from '../regular/numbers.ts'
import { PatternError, searchPattern, wholePattern } from '../regular/pattern.ts'
import { automaton, literal, oneOf, type Regular, repeated, set } from '../regular/regular.ts'
import {
  countOf,
  keywordOf,
  numberOf,
  oneSchema,
  type SchemaDocument,
  type SchemaRef,
  schemaList,
  schemaMap,
  stringList,
  stringOf,
} from './document.ts'
import type { Conjunction, Scalar } from './expand.ts'

const TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object'] as const
export type JsonType = (typeof TYPES)[number]

export interface StringFacts {
  readonly min: number
  /** Infinity: no limit. */
  readonly max: number
  /** Patterns, formats and lists of values, as one; undefined: any text of that length. */
  readonly texts?: Automaton
}

export interface NumberFacts {
  readonly limits: NumberLimits
  /** The only numbers allowed, where they are listed. */
  readonly values?: readonly number[]
}

export interface ArrayFacts {
  readonly min: number
  readonly max: number
  /** What the item at an index must satisfy, for the first few; then `rest`. */
  readonly prefix: readonly (readonly SchemaRef[])[]
  readonly rest: readonly SchemaRef[]
}

export interface ObjectFacts {
  readonly path: string
  readonly min: number
  readonly max: number
  /** The names that are told, in the order of the schema. */
  readonly declared: readonly string[]
  readonly required: ReadonlySet<string>
  readonly parts: readonly ObjectPart[]
  /** What each name must satisfy. */
  readonly names: readonly SchemaRef[]
}

/** What one schema says of members: by name, by pattern, or by neither. */
export interface ObjectPart {
  readonly properties: ReadonlyMap<string, SchemaRef>
  readonly patterns: readonly NamePattern[]
  readonly additional: SchemaRef | undefined
}

/** An entry of `patternProperties`. */
export interface NamePattern {
  readonly names: Automaton
  readonly value: SchemaRef
}

/** A type that is absent is forbidden. */
export interface Facts {
  readonly null?: true
  readonly booleans?: readonly boolean[]
  readonly number?: NumberFacts
  readonly string?: StringFacts
  readonly array?: ArrayFacts
  readonly object?: ObjectFacts
}

export interface FactsContext {
  readonly document: SchemaDocument
  readonly strict: boolean
  readonly budget: Budget
}

/** Reads the keywords of all schemas of one alternative. @throws ApiError */
export function factsOf(atoms: Conjunction, context: FactsContext): Facts {
  const types = atoms.map((atom) => typesOf(atom))
  const scalars = listedIn(atoms)
  const has = (type: JsonType): boolean => types.every((each) => each.has(type))
  const some = (type: string): boolean =>
    scalars === undefined || scalars.some((value) => typeof value === type)
  const composite = scalars === undefined
  const booleans = [true, false].filter((value) => scalars?.includes(value) ?? true)
  const number = has('number') && some('number') ? numberFacts(atoms, types, scalars) : undefined
  return {
    ...(has('null') && (scalars?.includes(null) ?? true) && { null: true }),
    ...(has('boolean') && booleans.length > 0 && { booleans }),
    ...(number !== undefined && { number }),
    ...(has('string') && some('string') && { string: stringFacts(atoms, scalars, context) }),
    ...(has('array') && composite && { array: arrayFacts(atoms, context) }),
    ...(has('object') && composite && { object: objectFacts(atoms, context) }),
  }
}

/** The types that a schema allows, with `integer` beside `number` when only whole numbers are. */
function typesOf(atom: SchemaRef): Set<string> {
  const value = keywordOf(atom, 'type')
  if (value === undefined) return new Set(TYPES)
  const names: unknown[] = Array.isArray(value) ? value : [value]
  const allowed = new Set<string>()
  for (const name of names) {
    if (name === 'integer') {
      if (!names.includes('number')) allowed.add('integer')
      allowed.add('number')
    } else if (typeof name === 'string' && TYPES.some((type) => type === name)) {
      allowed.add(name)
    } else {
      throw invalidSchema(
        `${atom.path}.type`,
        `must be one of ${TYPES.join(', ')}, integer, or a list of them`,
      )
    }
  }
  // OpenAPI 3.0's way to say it, which many generators still write.
  if (keywordOf(atom, 'nullable') === true) allowed.add('null')
  return allowed
}

/** The scalars that every list holds; undefined where there is no list. */
function listedIn(atoms: Conjunction): Scalar[] | undefined {
  const lists = atoms.flatMap(({ scalars }) => (scalars === undefined ? [] : [scalars]))
  const [first, ...others] = lists
  return first === undefined
    ? undefined
    : first.filter((value) => others.every((list) => list.includes(value)))
}

function numberFacts(
  atoms: Conjunction,
  types: readonly ReadonlySet<string>[],
  scalars: readonly Scalar[] | undefined,
): NumberFacts | undefined {
  const min = tightest(
    atoms.flatMap((atom) => boundsOf(atom, 'minimum', 'exclusiveMinimum')),
    (a, b) => a > b,
  )
  const max = tightest(
    atoms.flatMap((atom) => boundsOf(atom, 'maximum', 'exclusiveMaximum')),
    (a, b) => a < b,
  )
  const limits: NumberLimits = {
    integer: types.some((each) => each.has('integer')),
    multiples: atoms.flatMap(multipleOf),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
  }
  if (scalars === undefined) return { limits }
  const values = scalars.filter(
    (value): value is number => typeof value === 'number' && isWithin(value, limits),
  )
  return values.length > 0 ? { limits, values } : undefined
}

/** Beyond this a bound is out of reach of the numbers that a grammar writes. */
const FAR = 1e15

function boundsOf(atom: SchemaRef, inclusive: string, exclusive: string): Bound[] {
  return [inclusive, exclusive].flatMap((keyword) => {
    const value = numberOf(atom, keyword)
    if (value === undefined) return []
    if (Math.abs(value) >= FAR)
      throw invalidSchema(`${atom.path}.${keyword}`, 'must be below 1e15 to be enforced')
    if (asFraction(value).decimals > 20)
      throw invalidSchema(`${atom.path}.${keyword}`, 'has too many decimals')
    return [{ value, exclusive: keyword === exclusive }]
  })
}

/** The bound that leaves less; of two equal ones that which excludes its value. */
function tightest(bounds: readonly Bound[], isTighter: (a: number, b: number) => boolean): Bound | undefined {
  return bounds.reduce<Bound | undefined>((best, bound) => {
    if (best === undefined || isTighter(bound.value, best.value)) return bound
    return bound.value === best.value && bound.exclusive ? bound : best
  }, undefined)
}

function multipleOf(atom: SchemaRef): number[] {
  const value = numberOf(atom, 'multipleOf')
  if (value === undefined) return []
  const path = `${atom.path}.multipleOf`
  if (value <= 0) throw invalidSchema(path, 'must be above 0')
  const { numerator, decimals } = asFraction(value)
  if (numerator > MAX_MULTIPLE || decimals > 12) {
    throw invalidSchema(
      path,
      `can be enforced up to ${MAX_MULTIPLE} and with few decimals only; leave it out and check the answer`,
    )
  }
  return [value]
}

function stringFacts(
  atoms: Conjunction,
  scalars: readonly Scalar[] | undefined,
  { strict, budget }: FactsContext,
): StringFacts {
  const min = Math.max(0, ...atoms.map((atom) => countOf(atom, 'minLength') ?? 0))
  const max = Math.min(...atoms.map((atom) => countOf(atom, 'maxLength') ?? Number.POSITIVE_INFINITY))
  let texts: Automaton | undefined
  const narrow = (language: Regular, path: string): void => {
    texts = attempt(path, () => {
      const found = automaton(language, budget)
      return texts === undefined ? found : both(texts, found, budget)
    })
  }
  for (const atom of atoms) {
    const pattern = stringOf(atom, 'pattern')
    if (pattern !== undefined) {
      const path = `${atom.path}.pattern`
      narrow(
        attempt(path, () => searchPattern(pattern, budget)),
        path,
      )
    }
    const format = formatOf(atom, strict)
    if (format !== undefined) narrow(wholePattern(format, budget), `${atom.path}.format`)
  }
  const path = atoms[0]?.path ?? ''
  if (scalars !== undefined) {
    const values = scalars.filter((value): value is string => typeof value === 'string')
    // Half a surrogate pair cannot be written in UTF-8.
    narrow(oneOf(...values.filter((value) => value.isWellFormed()).map(literal)), path)
  }
  // Lengths and a pattern together; a length alone is counted by the grammar itself.
  const isBounded = min > 0 || max < Number.POSITIVE_INFINITY
  if (texts === undefined || !isBounded) return { min, max, ...(texts !== undefined && { texts }) }
  narrow(min > max ? oneOf() : repeated(set(ANY), min, max), path)
  return { min: 0, max: Number.POSITIVE_INFINITY, ...(texts !== undefined && { texts }) }
}

/** In strict mode an unknown format is refused, as at OpenAI; else it is a remark, as JSON Schema says. */
function formatOf(atom: SchemaRef, strict: boolean): string | undefined {
  const name = stringOf(atom, 'format')
  if (name === undefined) return undefined
  if (Object.hasOwn(FORMATS, name)) return FORMATS[name]
  if (!strict) return undefined
  throw invalidSchema(`${atom.path}.format`, `can be enforced for ${Object.keys(FORMATS).join(', ')} only`)
}

function arrayFacts(atoms: Conjunction, { document }: FactsContext): ArrayFacts {
  const parts = atoms.map((atom) => {
    if (Array.isArray(keywordOf(atom, 'items'))) {
      throw invalidSchema(`${atom.path}.items`, 'must be one schema; a list of schemas is called prefixItems')
    }
    return { prefix: schemaList(document, atom, 'prefixItems'), items: oneSchema(document, atom, 'items') }
  })
  const length = Math.max(0, ...parts.map(({ prefix }) => prefix.length))
  const at = (index: number): SchemaRef[] =>
    parts.flatMap(({ prefix, items }) => prefix[index] ?? items ?? [])
  return {
    min: Math.max(0, ...atoms.map((atom) => countOf(atom, 'minItems') ?? 0)),
    max: Math.min(...atoms.map((atom) => countOf(atom, 'maxItems') ?? Number.POSITIVE_INFINITY)),
    prefix: Array.from({ length }, (_, index) => at(index)),
    rest: parts.flatMap(({ items }) => items ?? []),
  }
}

function objectFacts(atoms: Conjunction, { document, budget }: FactsContext): ObjectFacts {
  const parts = atoms.map((atom) => ({
    properties: schemaMap(document, atom, 'properties'),
    patterns: [...schemaMap(document, atom, 'patternProperties')].map(([pattern, value]) => ({
      names: attempt(value.path, () => automaton(searchPattern(pattern, budget), budget)),
      value,
    })),
    additional: oneSchema(document, atom, 'additionalProperties'),
  }))
  const required = new Set(atoms.flatMap((atom) => stringList(atom, 'required')))
  return {
    path: atoms[0]?.path ?? '',
    min: Math.max(0, ...atoms.map((atom) => countOf(atom, 'minProperties') ?? 0)),
    max: Math.min(...atoms.map((atom) => countOf(atom, 'maxProperties') ?? Number.POSITIVE_INFINITY)),
    declared: [...new Set([...parts.flatMap(({ properties }) => [...properties.keys()]), ...required])],
    required,
    parts,
    names: atoms.flatMap((atom) => oneSchema(document, atom, 'propertyNames') ?? []),
  }
}

/** Runs a compilation; what it cannot do is told to the client with the place. */
export function attempt<T>(path: string, compile: () => T): T {
  try {
    return compile()
  } catch (error) {
    if (error instanceof PatternError || error instanceof TooComplex) throw invalidSchema(path, error.message)
    // The call stack: values in values, each among many members.
    if (error instanceof RangeError) throw invalidSchema(path, 'nests too deep')
    throw error
  }
}
