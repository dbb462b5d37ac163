/** A JSON Schema as it was sent: its places, references and keywords, with typed errors for what is wrong. */

import { clip } from '../../../protocol/errors.ts'
import { invalidSchema } from '../errors.ts'
import { MAX_DEPTH } from '../limits.ts'

export type SchemaObject = Readonly<Record<string, unknown>>

/** One schema of the document. Two refs are the same place when their `id` is the same. */
export interface SchemaRef {
  readonly id: number
  readonly schema: SchemaObject | boolean
  /** Where it stands in the request, for messages. */
  readonly path: string
}

export class SchemaDocument {
  readonly #root: unknown
  readonly #path: string
  readonly #ids = new Map<unknown, number>()

  constructor(root: unknown, path: string) {
    this.#root = root
    this.#path = path
  }

  get root(): SchemaRef {
    return this.ref(this.#root, this.#path)
  }

  /** @throws ApiError when `schema` is neither an object nor a boolean */
  ref(schema: unknown, path: string): SchemaRef {
    if (typeof schema !== 'boolean' && !isObject(schema)) {
      throw invalidSchema(path, 'must be an object or a boolean')
    }
    const id = this.#ids.get(schema) ?? this.#ids.size
    this.#ids.set(schema, id)
    return { id, schema, path }
  }

  /** The schema that a `$ref` points to. @throws ApiError when there is none in this document */
  resolve(reference: unknown, path: string): SchemaRef {
    if (typeof reference !== 'string' || (reference !== '#' && !reference.startsWith('#/'))) {
      throw invalidSchema(path, "must point into this schema, e.g. '#/$defs/name'")
    }
    let node: unknown = this.#root
    let at = this.#path
    for (const token of reference.split('/').slice(1)) {
      const key = decodePointer(token)
      if (node === null || typeof node !== 'object' || !Object.hasOwn(node, key)) {
        throw invalidSchema(path, 'points to nothing in this schema')
      }
      node = (node as Record<string, unknown>)[key]
      at = `${at}.${clip(key)}`
    }
    return this.ref(node, at)
  }
}

/** @throws ApiError when the schema nests so deep that walking it could end this process's stack */
export function checkDepth(schema: unknown, path: string): void {
  let level: unknown[] = [schema]
  for (let depth = 0; level.length > 0; depth++) {
    // A property stands two levels below its schema.
    if (depth > 2 * MAX_DEPTH) throw invalidSchema(path, `nests more than ${MAX_DEPTH} deep`)
    level = level.flatMap((node) => (typeof node === 'object' && node !== null ? Object.values(node) : []))
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Entries of a keyword whose value maps names to schemas. */
export function schemaMap(
  document: SchemaDocument,
  from: SchemaRef,
  keyword: string,
): Map<string, SchemaRef> {
  const value = keywordOf(from, keyword)
  const path = `${from.path}.${keyword}`
  if (value === undefined) return new Map()
  if (!isObject(value)) throw invalidSchema(path, 'must be an object')
  return new Map(
    Object.entries(value).map(([name, each]) => [name, document.ref(each, `${path}.${clip(name)}`)]),
  )
}

/** Items of a keyword whose value is a list of schemas. */
export function schemaList(document: SchemaDocument, from: SchemaRef, keyword: string): SchemaRef[] {
  const value = keywordOf(from, keyword)
  const path = `${from.path}.${keyword}`
  if (value === undefined) return []
  if (!Array.isArray(value) || value.length === 0)
    throw invalidSchema(path, 'must be a list that is not empty')
  return value.map((each, index) => document.ref(each, `${path}[${index}]`))
}

/** A keyword whose value is one schema. */
export function oneSchema(document: SchemaDocument, from: SchemaRef, keyword: string): SchemaRef | undefined {
  const value = keywordOf(from, keyword)
  return value === undefined ? undefined : document.ref(value, `${from.path}.${keyword}`)
}

export function keywordOf({ schema }: SchemaRef, keyword: string): unknown {
  return typeof schema === 'object' && Object.hasOwn(schema, keyword) ? schema[keyword] : undefined
}

/** A count: a whole number from 0. */
export function countOf(from: SchemaRef, keyword: string): number | undefined {
  const value = keywordOf(from, keyword)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw invalidSchema(`${from.path}.${keyword}`, 'must be a whole number from 0')
  }
  return value
}

export function numberOf(from: SchemaRef, keyword: string): number | undefined {
  const value = keywordOf(from, keyword)
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw invalidSchema(`${from.path}.${keyword}`, 'must be a number')
  }
  return value
}

export function stringOf(from: SchemaRef, keyword: string): string | undefined {
  const value = keywordOf(from, keyword)
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw invalidSchema(`${from.path}.${keyword}`, 'must be a string')
  return value
}

export function stringList(from: SchemaRef, keyword: string): string[] {
  const value = keywordOf(from, keyword)
  if (value === undefined) return []
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw invalidSchema(`${from.path}.${keyword}`, 'must be a list of strings')
  }
  return value
}

function decodePointer(token: string): string {
  let text = token
  try {
    text = decodeURIComponent(token)
  } catch {
    // A percent sign that escapes nothing is a percent sign.
  }
  return text.replaceAll('~1', '/').replaceAll('~0', '~')
}
