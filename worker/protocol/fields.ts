/**
 * Objects as tables of fields. A line says how a field is read, what we do with it and why; the parser, the JSON
 * Schema of the OpenAPI document and the table in `gateway/README.md` all come from it. A field outside the table is
 * refused by name.
 */

import { isDeepStrictEqual } from 'node:util'
import { fromUtf8 } from '../../attest/bytes.ts'
import { clip, invalidRequest } from './errors.ts'
import { isObject, type JsonSchema, join, type Reader } from './readers.ts'
import {
  describe,
  invalidType,
  missingParameter,
  unknownParameter,
  unsupportedParameter,
  unsupportedValue,
} from './refusals.ts'

/**
 * `honoured`: does what the API says. `accepted`: read and checked, but it changes nothing, and `about` says why.
 * `default-only`: the values that ask for what happens anyway pass. `refused`: null passes, anything else is 400.
 */
export type Handling = 'honoured' | 'accepted' | 'default-only' | 'refused'

/** Of a field in what was read; `unread` ones are checked only. */
type Presence = 'required' | 'optional' | 'defaulted' | 'unread'

export interface Field<T = unknown, P extends Presence = Presence> {
  readonly handling: Handling
  readonly presence: P
  readonly reader: Reader<T>
  /** What it does here, or why it does nothing; one line of Markdown. */
  readonly about: string
  /** The value of a `defaulted` field that is absent or null. */
  readonly fallback?: T
}

export type FieldTable = Readonly<Record<string, Field>>

/** What {@link parseFields} gives for a table. */
export type Fields<T extends FieldTable> = {
  [K in keyof T as T[K] extends Field<unknown, 'required' | 'defaulted'> ? K : never]: Value<T[K]>
} & {
  [K in keyof T as T[K] extends Field<unknown, 'optional'> ? K : never]?: Value<T[K]>
}

type Value<F> = F extends Field<infer V> ? V : never

/** A field that must be there and must not be null. */
export function required<T>(reader: Reader<T>, about: string): Field<T, 'required'> {
  return { handling: 'honoured', presence: 'required', reader, about }
}

/** A field that may be absent or null. */
export function optional<T>(reader: Reader<T>, about: string): Field<T, 'optional'> {
  return { handling: 'honoured', presence: 'optional', reader, about }
}

/** A field that is `fallback` when it is absent or null. */
export function defaulted<T>(reader: Reader<T>, fallback: T, about: string): Field<T, 'defaulted'> {
  return { handling: 'honoured', presence: 'defaulted', reader, fallback, about }
}

/** A field that is read and checked but changes nothing; `about` says why it need not. */
export function accepted<T>(reader: Reader<T>, about: string): Field<T, 'optional'> {
  return { handling: 'accepted', presence: 'optional', reader, about }
}

/** A field of which only null and these values pass, since they ask for what happens anyway. */
export function defaultOnly(values: readonly unknown[], about: string): Field<undefined, 'unread'> {
  const reader: Reader<undefined> = {
    schema: { enum: values },
    read(value, path) {
      if (values.some((each) => isDeepStrictEqual(each, value))) return undefined
      throw unsupportedValue(path, values.map((each) => JSON.stringify(each)).join(' or '), about)
    },
  }
  return { handling: 'default-only', presence: 'unread', reader, about }
}

/** A field of the API that is not served: only null passes. */
export function refused(about: string): Field<undefined, 'unread'> {
  const reader: Reader<undefined> = {
    schema: { type: 'null' },
    read(_value, path) {
      throw unsupportedParameter(path, about)
    },
  }
  return { handling: 'refused', presence: 'unread', reader, about }
}

/** An object of the table's fields and no others. */
export function object<T extends FieldTable>(table: T): Reader<Fields<T>> {
  return { schema: objectSchema(table), read: (value, path) => parseFields(table, value, path) }
}

/**
 * Reads `value` against `table`.
 * @param path name of the object in messages; empty for the request itself
 * @throws ApiError 400 with `param` naming the first field that is wrong
 */
export function parseFields<T extends FieldTable>(table: T, value: unknown, path = ''): Fields<T> {
  if (!isObject(value)) throw invalidType(path, 'an object', value)
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(table, name)) throw unknownParameter(join(path, clip(name)))
  }
  const parsed: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(table)) {
    const input = Object.hasOwn(value, name) ? value[name] : undefined
    const read = readField(field, input, join(path, name))
    if (read !== undefined && field.presence !== 'unread') parsed[name] = read
  }
  return parsed as Fields<T>
}

function readField(field: Field, input: unknown, path: string): unknown {
  if (field.presence === 'required') {
    if (input === undefined) throw missingParameter(path)
    return field.reader.read(input, path)
  }
  return input === undefined || input === null ? field.fallback : field.reader.read(input, path)
}

/** The JSON Schema of an object of these fields. */
export function objectSchema(table: FieldTable): JsonSchema {
  const names = Object.entries(table)
  const must = names.filter(([, { presence }]) => presence === 'required').map(([name]) => name)
  return {
    type: 'object',
    properties: Object.fromEntries(names.map(([name, field]) => [name, fieldSchema(field)])),
    ...(must.length > 0 && { required: must }),
    additionalProperties: false,
  }
}

function fieldSchema({ presence, handling, reader, about, fallback }: Field): JsonSchema {
  const needsValue = presence === 'required' || handling === 'refused'
  return {
    ...(needsValue ? unnamed(reader.schema) : orNull(reader.schema)),
    description: about,
    // What was read of a composed value is not how it is written.
    ...(['string', 'number', 'boolean'].includes(typeof fallback) && { default: fallback }),
    'x-handling': handling,
  }
}

/** A schema with a name stays one object, so that it can stand once. */
function unnamed(schema: JsonSchema): JsonSchema {
  return 'title' in schema ? { allOf: [schema] } : schema
}

function orNull(schema: JsonSchema): JsonSchema {
  if ('title' in schema) return { anyOf: [schema, { type: 'null' }] }
  if (Array.isArray(schema.enum)) {
    const { type, ...rest } = schema
    return { ...rest, ...(type !== undefined && { type: [type, 'null'] }), enum: [...schema.enum, null] }
  }
  return typeof schema.type === 'string'
    ? { ...schema, type: [schema.type, 'null'] }
    : { anyOf: [schema, { type: 'null' }] }
}

/** Parses a request body: UTF-8 JSON whose root is an object. @throws ApiError 400 */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(bytes))
  } catch {
    // The engine's message quotes the text, which may be a prompt: it is not passed on.
    throw invalidRequest(
      null,
      'We could not parse the JSON body of your request. Send one JSON object in UTF-8.',
    )
  }
  if (isObject(value)) return value
  throw invalidRequest(
    null,
    `The JSON body of your request must be an object, but got ${describe(value)} instead.`,
  )
}
