/**
 * Reads a JSON object against a declarative table of fields. Each field is either *supported* (parsed) or
 * *default-only* (known to the API, not supported here: null and the listed values, which ask for what happens
 * anyway, pass; anything else is refused by name). A field outside the table is refused by name.
 */

import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { fromUtf8 } from '../../attest/bytes.ts'
import { type ApiError, clip, invalidRequest } from './errors.ts'

/** Reads one value; `path` is its name in error messages, e.g. `messages[0].content`. Throws ApiError. */
export type Parser<T> = (value: unknown, path: string) => T

export interface SupportedField<T, R extends boolean> {
  kind: 'supported'
  required: R
  parse: Parser<T>
}

export interface DefaultOnlyField {
  kind: 'default-only'
  /** Values besides null that pass, because they ask for what this server does anyway. */
  accepts: readonly unknown[]
}

export type FieldTable = Record<string, SupportedField<unknown, boolean> | DefaultOnlyField>

type ParsedFields<T extends FieldTable> = {
  [K in keyof T as T[K] extends SupportedField<unknown, true> ? K : never]: T[K] extends SupportedField<
    infer V,
    true
  >
    ? V
    : never
} & {
  [K in keyof T as T[K] extends SupportedField<unknown, false> ? K : never]?: T[K] extends SupportedField<
    infer V,
    false
  >
    ? V
    : never
}

/** A field that must be there and must not be null. */
export function required<T>(parse: Parser<T> | z.ZodType<T>): SupportedField<T, true> {
  return { kind: 'supported', required: true, parse: asParser(parse) }
}

/** A field that may be absent or null. */
export function optional<T>(parse: Parser<T> | z.ZodType<T>): SupportedField<T, false> {
  return { kind: 'supported', required: false, parse: asParser(parse) }
}

/** A field of the API that this server does not support beyond these values. */
export function defaultOnly(...accepts: readonly unknown[]): DefaultOnlyField {
  return { kind: 'default-only', accepts }
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
  if (!isObject(value)) {
    throw invalidRequest(
      null,
      `The JSON body of your request must be an object, but got ${describe(value)} instead.`,
    )
  }
  return value
}

/**
 * Reads `value` against `table`.
 * @param path name of the object in messages; empty for the request itself
 * @throws ApiError 400 with `param` naming the first field that is wrong
 */
export function parseFields<T extends FieldTable>(table: T, value: unknown, path = ''): ParsedFields<T> {
  if (!isObject(value)) throw invalidType(path, 'an object', value)
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(table, name)) throw unknownParameter(join(path, clip(name)))
  }
  const parsed: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(table)) {
    const input = Object.hasOwn(value, name) ? value[name] : undefined
    const at = join(path, name)
    if (field.kind === 'default-only') {
      checkDefault(field, input, at)
    } else if (input !== undefined && (input !== null || field.required)) {
      parsed[name] = field.parse(input, at)
    } else if (field.required) {
      throw invalidRequest(at, `Missing required parameter: '${at}'.`, 'missing_required_parameter')
    }
  }
  return parsed as ParsedFields<T>
}

/** Reads an array of `min` to `max` items. */
export function arrayOf<T>(item: Parser<T> | z.ZodType<T>, min: number, max: number): Parser<T[]> {
  const parse = asParser(item)
  return (value, path) => {
    if (!Array.isArray(value)) throw invalidType(path, 'an array', value)
    if (value.length < min) {
      throw invalidRequest(
        path,
        `Invalid '${path}': empty array. Expected an array with minimum length ${min}, but got an empty array instead.`,
        'empty_array',
      )
    }
    if (value.length > max) {
      throw invalidRequest(
        path,
        `Invalid '${path}': array too long. Expected an array with maximum length ${max}, but got an array with length ${value.length} instead.`,
        'array_above_max_length',
      )
    }
    return value.map((entry, index) => parse(entry, `${path}[${index}]`))
  }
}

/** Reads a whole number of at least `min`. */
export function integerFrom(min: number): Parser<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      throw invalidType(path, 'an integer', value)
    if (value < min) throw outOfRange(path, 'integer', 'below_min', min, value)
    return value
  }
}

/** 400 with OpenAI's words for a value of the wrong type. */
export function invalidType(path: string, expected: string, value: unknown): ApiError {
  const at = path === '' ? null : path
  const subject = at === null ? 'the request body' : `'${path}'`
  return invalidRequest(
    at,
    `Invalid type for ${subject}: expected ${expected}, but got ${describe(value)} instead.`,
    'invalid_type',
  )
}

/** 400 with OpenAI's words for a value outside a list. The value itself is not repeated. */
export function invalidChoice(path: string, choices: readonly unknown[]): ApiError {
  const list = choices.map((choice) => `'${String(choice)}'`).join(', ')
  return invalidRequest(path, `Invalid value for '${path}'. Supported values are: ${list}.`, 'invalid_value')
}

function unknownParameter(path: string): ApiError {
  return invalidRequest(path, `Unknown parameter: '${path}'.`, 'unknown_parameter')
}

function checkDefault(field: DefaultOnlyField, input: unknown, path: string): void {
  if (input === undefined || input === null) return
  if (field.accepts.some((accepted) => isDeepStrictEqual(accepted, input))) return
  if (field.accepts.length === 0) {
    throw invalidRequest(
      path,
      `Unsupported parameter: '${path}' is not supported with this model. Leave it out.`,
      'unsupported_parameter',
    )
  }
  const values = field.accepts.map((accepted) => JSON.stringify(accepted)).join(' or ')
  throw invalidRequest(
    path,
    `Unsupported value: '${path}' does not support this value with this model. Only the default (${values}) value is supported.`,
    'unsupported_value',
  )
}

function asParser<T>(parse: Parser<T> | z.ZodType<T>): Parser<T> {
  if (typeof parse === 'function') return parse
  return (value, path) => {
    const result = parse.safeParse(value)
    if (result.success) return result.data
    const issue = result.error.issues[0]
    throw issue === undefined ? invalidType(path, 'another value', value) : issueError(issue, value, path)
  }
}

/** Turns zod's first issue into OpenAI's words and codes. */
function issueError(issue: z.core.$ZodIssue, root: unknown, path: string): ApiError {
  const at = issue.path.reduce<string>(
    (name, key) => (typeof key === 'number' ? `${name}[${key}]` : join(name, clip(String(key)))),
    path,
  )
  const value = issue.path.reduce<unknown>(
    (node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key],
    root,
  )
  switch (issue.code) {
    case 'invalid_type':
      return invalidType(at, expectation(issue.expected), value)
    case 'invalid_value':
      return invalidChoice(at, issue.values)
    case 'unrecognized_keys':
      return unknownParameter(join(at, clip(issue.keys[0] ?? '')))
    case 'too_big':
      return outOfRange(at, 'decimal', 'above_max', Number(issue.maximum), value)
    case 'too_small':
      return outOfRange(at, 'decimal', 'below_min', Number(issue.minimum), value)
    default:
      return invalidRequest(at, `Invalid '${at}': ${issue.message}.`, 'invalid_value')
  }
}

function outOfRange(
  path: string,
  kindOfNumber: 'integer' | 'decimal',
  side: 'above_max' | 'below_min',
  limit: number,
  value: unknown,
): ApiError {
  const high = side === 'above_max'
  if (typeof value === 'number') {
    return invalidRequest(
      path,
      `Invalid '${path}': ${kindOfNumber} ${high ? 'above maximum' : 'below minimum'} value. Expected a value ${high ? '<=' : '>='} ${limit}, but got ${value} instead.`,
      `${kindOfNumber}_${side}_value`,
    )
  }
  const length = typeof value === 'string' ? value.length : Object.keys(Object(value)).length
  const kind = typeof value === 'string' ? 'string' : 'object'
  return invalidRequest(
    path,
    `Invalid '${path}': ${kind} too ${high ? 'long' : 'short'}. Expected ${article(kind)} with ${high ? 'maximum' : 'minimum'} length ${limit}, but got ${article(kind)} with length ${length} instead.`,
    `${kind}_${side}_length`,
  )
}

function expectation(expected: string): string {
  if (expected === 'number') return 'a decimal'
  if (expected === 'int') return 'an integer'
  if (expected === 'record') return 'an object'
  return article(expected)
}

function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal'
  return value === undefined ? 'nothing' : article(typeof value)
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
