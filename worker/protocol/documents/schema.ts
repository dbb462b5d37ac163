/** JSON Schemas of the documents that answers are. A schema with a `title` stands once in the OpenAPI document. */

import type { JsonSchema } from '../readers.ts'

type Members = Readonly<Record<string, JsonSchema>>

/** An object with all of these members, perhaps those of `optional`, and no others. */
export function record(required: Members, optional: Members = {}): JsonSchema {
  return {
    type: 'object',
    properties: { ...required, ...optional },
    required: Object.keys(required),
    additionalProperties: false,
  }
}

/** A schema with a name of its own. */
export function named(title: string, schema: JsonSchema): JsonSchema {
  return { title, ...schema }
}

export function about(schema: JsonSchema, description: string): JsonSchema {
  return 'title' in schema ? { allOf: [schema], description } : { ...schema, description }
}

export function list(items: JsonSchema): JsonSchema {
  return { type: 'array', items }
}

export function nullable(schema: JsonSchema): JsonSchema {
  return typeof schema.type === 'string' && !('title' in schema) && !('enum' in schema)
    ? { ...schema, type: [schema.type, 'null'] }
    : { anyOf: [schema, { type: 'null' }] }
}

export function anyOf(...schemas: readonly JsonSchema[]): JsonSchema {
  return { anyOf: schemas }
}

export function literal(...values: readonly string[]): JsonSchema {
  return values.length === 1 ? { type: 'string', const: values[0] } : { type: 'string', enum: values }
}

export const string: JsonSchema = { type: 'string' }
export const bool: JsonSchema = { type: 'boolean' }
export const nothing: JsonSchema = { type: 'null' }
export const count: JsonSchema = { type: 'integer', minimum: 0 }
export const anyMap: JsonSchema = { type: 'object', additionalProperties: true }

/** Unix time in seconds. */
export const seconds: JsonSchema = { type: 'integer', minimum: 0, description: 'Unix time in seconds.' }

/** A log probability: natural, of the model's own distribution. */
export const logprob: JsonSchema = {
  type: 'number',
  maximum: 0,
  description: 'Natural logarithm; -9999 stands for less.',
}

/** A price or an amount as a decimal string. */
export const amount: JsonSchema = { type: 'string', pattern: '^(0|[1-9][0-9]*)$' }

export const obfuscation: JsonSchema = {
  type: 'string',
  description:
    'Random letters that bring the event to one of few sizes, so that its length does not tell the text.',
}
