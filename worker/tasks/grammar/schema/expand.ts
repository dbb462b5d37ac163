/**
 * Resolves what combines schemas (`$ref`, `allOf`, `anyOf`, `oneOf`, and lists of values) into alternatives: a value
 * is valid when all schemas of one alternative accept it by their own keywords.
 */

import { invalidSchema } from '../errors.ts'
import { type Budget, MAX_ALTERNATIVES, MAX_DEPTH } from '../limits.ts'
import { keywordOf, type SchemaDocument, type SchemaObject, type SchemaRef, schemaList } from './document.ts'
import { checkKeywords, hasOwn } from './keywords.ts'

export type Scalar = null | boolean | number | string

/** A schema of which only its own keywords count; `scalars` are the values that it lists, but for arrays and objects. */
export interface Atom extends SchemaRef {
  readonly scalars?: readonly Scalar[]
}

/** All of these at once. No atoms: anything. */
export type Conjunction = readonly Atom[]

/** Tells atoms apart: a schema with and without the values that it lists are two. */
export function nameOf({ id, scalars }: Atom): string {
  return scalars === undefined ? String(id) : `${id}=`
}

/** Says whether two alternatives have no value in common; asked for `oneOf`. */
export type AreDisjoint = (a: readonly Conjunction[], b: readonly Conjunction[]) => boolean

export interface ExpandOptions {
  readonly document: SchemaDocument
  readonly strict: boolean
  readonly budget: Budget
  readonly areDisjoint: AreDisjoint
}

/** The alternatives of several schemas at once. @throws ApiError */
export function expandAll(refs: readonly SchemaRef[], options: ExpandOptions): Conjunction[] {
  return refs.reduce<Conjunction[]>(
    (found, ref) => cross(found, expand(ref, [], options), ref.path, options.budget),
    [[]],
  )
}

function expand(ref: SchemaRef, within: readonly number[], options: ExpandOptions): Conjunction[] {
  const { schema, path, id } = ref
  if (typeof schema === 'boolean') return schema ? [[]] : []
  if (within.length > MAX_DEPTH) throw invalidSchema(path, `combines schemas more than ${MAX_DEPTH} deep`)
  if (within.includes(id)) throw invalidSchema(path, 'refers to itself without a value between')
  checkKeywords(ref, options.strict)
  const { document, budget } = options
  budget.spend(10)
  const inner = [...within, id]

  let found: Conjunction[] = listed(ref, document) ?? (hasOwn(ref) ? [[ref]] : [[]])
  const also = (other: SchemaRef): void => {
    found = cross(found, expand(other, inner, options), path, budget)
  }
  const reference = keywordOf(ref, '$ref')
  if (reference !== undefined) also(document.resolve(reference, `${path}.$ref`))
  for (const part of schemaList(document, ref, 'allOf')) also(part)
  for (const keyword of ['anyOf', 'oneOf'] as const) {
    const branches = schemaList(document, ref, keyword)
    if (branches.length === 0) continue
    const each = branches.map((branch) => cross(found, expand(branch, inner, options), path, budget))
    if (keyword === 'oneOf') checkDisjoint(each, `${path}.oneOf`, options)
    found = each.flat()
    if (found.length > MAX_ALTERNATIVES) throw tooMany(path)
  }
  return found
}

/** `const` and `enum`: the scalars stay together, each array or object becomes a schema that accepts only it. */
function listed(ref: SchemaRef, document: SchemaDocument): Conjunction[] | undefined {
  const lists: unknown[][] = []
  const constant = keywordOf(ref, 'const')
  if (constant !== undefined) lists.push([constant])
  const values = keywordOf(ref, 'enum')
  if (values !== undefined) {
    if (!Array.isArray(values) || values.length === 0) {
      throw invalidSchema(`${ref.path}.enum`, 'must be a list that is not empty')
    }
    lists.push(values)
  }
  const [first, second] = lists
  if (first === undefined) return undefined
  const other = second === undefined ? undefined : new Set(second.map((value) => JSON.stringify(value)))
  const both = other === undefined ? first : first.filter((value) => other.has(JSON.stringify(value)))

  const scalars = both.filter((value): value is Scalar => typeof value !== 'object' || value === null)
  const composites = both.filter((value): value is object => typeof value === 'object' && value !== null)
  if (composites.length > MAX_ALTERNATIVES) throw tooMany(ref.path)
  return [
    ...(scalars.length > 0 ? [[{ ...ref, scalars }]] : []),
    ...composites.map((value) => [ref, document.ref(exactly(value), `${ref.path}.enum`)]),
  ]
}

const exact = new WeakMap<object, SchemaObject>()

/** A schema that accepts an array or object and no other; the same one each time, as recursion is told by identity. */
function exactly(value: object): SchemaObject {
  const schema = exact.get(value) ?? describe(value)
  exact.set(value, schema)
  return schema
}

function describe(value: object): SchemaObject {
  if (Array.isArray(value)) {
    const items = value.map((each: unknown) => ({ const: each }))
    return {
      type: 'array',
      minItems: items.length,
      maxItems: items.length,
      ...(items.length > 0 && { prefixItems: items }),
    }
  }
  const entries: [string, unknown][] = Object.entries(value)
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, each]) => [name, { const: each }])),
    required: entries.map(([name]) => name),
    additionalProperties: false,
  }
}

function cross(
  left: readonly Conjunction[],
  right: readonly Conjunction[],
  path: string,
  budget: Budget,
): Conjunction[] {
  if (left.length * right.length > MAX_ALTERNATIVES) throw tooMany(path)
  return left.flatMap((one) =>
    right.map((other) => {
      budget.spend(one.length + other.length)
      const known = new Set(one.map(nameOf))
      return [...one, ...other.filter((atom) => !known.has(nameOf(atom)))]
    }),
  )
}

function checkDisjoint(
  branches: readonly (readonly Conjunction[])[],
  path: string,
  { areDisjoint }: ExpandOptions,
): void {
  for (const [i, one] of branches.entries()) {
    for (const other of branches.slice(i + 1)) {
      if (areDisjoint(one, other)) continue
      throw invalidSchema(
        path,
        'has alternatives that one value could match together; use anyOf, or give each a required property with a constant of its own',
      )
    }
  }
}

function tooMany(path: string): Error {
  return invalidSchema(path, `combines alternatives in more than ${MAX_ALTERNATIVES} ways; simplify it`)
}
