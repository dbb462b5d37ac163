/**
 * Readers: each reads one JSON value, or refuses it in OpenAI's words, and tells the JSON Schema of what it takes. The
 * schema that the OpenAPI document shows is therefore the one that validates.
 */

import { clip } from './errors.ts'
import { invalidChoice, invalidForm, invalidType, lengthOutOfRange, numberOutOfRange } from './refusals.ts'

/** A JSON Schema of the dialect 2020-12. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

export interface Reader<T> {
  readonly schema: JsonSchema
  /**
   * @param path the value's name in messages, e.g. `messages[0].content`; empty for the request itself
   * @throws ApiError 400 naming the path
   */
  readonly read: (value: unknown, path: string) => T
}

/** What a reader gives. */
export type Read<R> = R extends Reader<infer T> ? T : never

/** Deeper values of a free form (a JSON Schema, say) are refused: everything after may then recurse safely. */
export const MAX_DEPTH = 64

export interface TextOptions {
  /** Least and most UTF-16 units. */
  readonly min?: number
  readonly max?: number
  readonly pattern?: RegExp
  /** A noun phrase for what the pattern asks, e.g. `a BCP 47 language tag`. */
  readonly expected?: string
}

/** A string. */
export function text({
  min = 0,
  max = Number.POSITIVE_INFINITY,
  pattern,
  expected,
}: TextOptions = {}): Reader<string> {
  return {
    schema: {
      type: 'string',
      ...(min > 0 && { minLength: min }),
      ...(Number.isFinite(max) && { maxLength: max }),
      ...(pattern && { pattern: pattern.source }),
    },
    read(value, path) {
      if (typeof value !== 'string') throw invalidType(path, 'a string', value)
      if (value.length < min) throw lengthOutOfRange(path, 'string', 'below_min', min, value.length)
      if (value.length > max) throw lengthOutOfRange(path, 'string', 'above_max', max, value.length)
      if (pattern && !pattern.test(value)) {
        throw invalidForm(path, expected ?? `a string that matches the pattern '${pattern.source}'`)
      }
      return value
    },
  }
}

/** `true` or `false`. */
export const boolean: Reader<boolean> = {
  schema: { type: 'boolean' },
  read(value, path) {
    if (typeof value !== 'boolean') throw invalidType(path, 'a boolean', value)
    return value
  },
}

/** A finite number within a range, ends included. */
export function number(min: number, max: number): Reader<number> {
  return {
    schema: { type: 'number', minimum: min, maximum: max },
    read(value, path) {
      if (typeof value !== 'number') throw invalidType(path, 'a decimal', value)
      return within(value, path, 'decimal', min, max)
    },
  }
}

/** A whole number within a range, ends included; by default up to what a double holds exactly. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Reader<number> {
  return {
    schema: { type: 'integer', minimum: min, maximum: max },
    read(value, path) {
      if (typeof value !== 'number' || !Number.isInteger(value)) throw invalidType(path, 'an integer', value)
      return within(value, path, 'integer', min, max)
    },
  }
}

function within(value: number, path: string, kind: 'integer' | 'decimal', min: number, max: number): number {
  if (value < min) throw numberOutOfRange(path, kind, 'below_min', min, value)
  if (value > max) throw numberOutOfRange(path, kind, 'above_max', max, value)
  return value
}

/** One of these strings. */
export function choice<const V extends readonly string[]>(...values: V): Reader<V[number]> {
  return {
    schema: { type: 'string', enum: values },
    read(value, path) {
      if (typeof value !== 'string') throw invalidType(path, `one of ${values.join(', ')}`, value)
      if (!values.includes(value)) throw invalidChoice(path, values)
      return value
    },
  }
}

/** An array of `min` to `max` items. */
export function arrayOf<T>(item: Reader<T>, min: number, max: number): Reader<T[]> {
  return {
    schema: { type: 'array', items: item.schema, ...(min > 0 && { minItems: min }), maxItems: max },
    read(value, path) {
      if (!Array.isArray(value)) throw invalidType(path, 'an array', value)
      if (value.length < min) throw lengthOutOfRange(path, 'array', 'below_min', min, value.length)
      if (value.length > max) throw lengthOutOfRange(path, 'array', 'above_max', max, value.length)
      return value.map((entry, index) => readItem(item, entry, path, index))
    },
  }
}

/** An item is named only if it is refused: naming each of a million tokens takes longer than reading them. */
function readItem<T>(item: Reader<T>, entry: unknown, path: string, index: number): T {
  try {
    return item.read(entry, '')
  } catch {
    return item.read(entry, `${path}[${index}]`)
  }
}

/** An object of up to `max` entries that are all alike. */
export function mapOf<T>(key: Reader<string>, value: Reader<T>, max: number): Reader<Record<string, T>> {
  return {
    schema: {
      type: 'object',
      propertyNames: key.schema,
      additionalProperties: value.schema,
      maxProperties: max,
    },
    read(input, path) {
      if (!isObject(input)) throw invalidType(path, 'an object', input)
      const entries = Object.entries(input)
      if (entries.length > max) throw lengthOutOfRange(path, 'object', 'above_max', max, entries.length)
      return Object.fromEntries(
        entries.map(([name, entry]) => {
          const at = join(path, clip(name))
          return [key.read(name, at), value.read(entry, at)]
        }),
      )
    },
  }
}

/** Any JSON object, {@link MAX_DEPTH} levels deep at most: the parameters of a tool, a schema. */
export const anyObject: Reader<Record<string, unknown>> = {
  schema: { type: 'object', additionalProperties: true },
  read(value, path) {
    if (!isObject(value)) throw invalidType(path, 'an object', value)
    checkDepth(value, path, MAX_DEPTH)
    return value
  },
}

function checkDepth(value: unknown, path: string, left: number): void {
  if (typeof value !== 'object' || value === null) return
  if (left === 0) throw invalidForm(path, `at most ${MAX_DEPTH} levels of nesting`)
  for (const entry of Object.values(value)) checkDepth(entry, path, left - 1)
}

/** Any JSON value, {@link MAX_DEPTH} levels deep at most: whoever writes it as JSON again recurses. */
export const anything: Reader<unknown> = {
  schema: {},
  read(value, path) {
    checkDepth(value, path, MAX_DEPTH)
    return value
  },
}

/** The same value, further worked on; `work` may refuse it. */
export function mapped<T, U>(reader: Reader<T>, work: (value: T, path: string) => U): Reader<U> {
  return { schema: reader.schema, read: (value, path) => work(reader.read(value, path), path) }
}

/** The same reader, whose schema has a name: it stands once in the OpenAPI document. */
export function titled<T>(title: string, reader: Reader<T>): Reader<T> {
  return { schema: { title, ...reader.schema }, read: reader.read }
}

/** A string, or something else: the two forms that OpenAI gives many fields. */
export function textOr<T, U>(
  plain: Reader<T>,
  other: Reader<U>,
  expected: string,
  isOther: (value: unknown) => boolean = Array.isArray,
): Reader<T | U> {
  return {
    schema: { anyOf: [plain.schema, other.schema] },
    read(value, path) {
      if (typeof value === 'string') return plain.read(value, path)
      if (isOther(value)) return other.read(value, path)
      throw invalidType(path, expected, value)
    },
  }
}

/**
 * An object whose member `tag` says which of the variants it is.
 * @param untagged the variant of an object without the tag, or with null; absent: the tag is required
 */
export function tagged<const T extends Record<string, Reader<unknown>>>(
  tag: string,
  variants: T,
  untagged?: keyof T & string,
): Reader<Read<T[keyof T]>> {
  return {
    schema: { anyOf: Object.values(variants).map(({ schema }) => schema) },
    read(value, path) {
      if (!isObject(value)) throw invalidType(path, 'an object', value)
      const at = join(path, tag)
      const given = Object.hasOwn(value, tag) ? value[tag] : undefined
      const name = given ?? untagged ?? given
      if (typeof name !== 'string') throw invalidType(at, 'a string', name)
      const variant = Object.hasOwn(variants, name) ? variants[name] : undefined
      if (!variant) throw invalidChoice(at, Object.keys(variants))
      return variant.read(value, path) as Read<T[keyof T]>
    },
  }
}

/** Name of a member in messages. */
export function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
