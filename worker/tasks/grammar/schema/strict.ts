/** OpenAI's rules for `strict: true`, beyond what a grammar needs: they make each answer complete and closed. */

import { clip } from '../../../protocol/errors.ts'
import { invalidSchema } from '../errors.ts'
import { isObject } from './document.ts'

/**
 * The root must be an object; every object must list all its properties as required and forbid others.
 * @throws ApiError naming the first place that does not
 */
export function checkStrict(root: unknown, path: string): void {
  if (!isObject(root) || root.type !== 'object') {
    throw invalidSchema(path, "must have the type 'object' in strict mode")
  }
  for (const keyword of ['anyOf', 'oneOf', 'enum', 'not']) {
    if (Object.hasOwn(root, keyword))
      throw invalidSchema(`${path}.${keyword}`, 'is not allowed at the root in strict mode')
  }
  const open: { schema: unknown; path: string }[] = [{ schema: root, path }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (!isObject(next.schema)) continue
    checkObject(next.schema, next.path)
    open.push(...subschemas(next.schema, next.path))
  }
}

function checkObject(schema: Record<string, unknown>, path: string): void {
  const types: unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type]
  if (!types.includes('object') && !Object.hasOwn(schema, 'properties')) return
  if (schema.additionalProperties !== false) {
    throw invalidSchema(`${path}.additionalProperties`, 'must be there and false in strict mode')
  }
  const names = isObject(schema.properties) ? Object.keys(schema.properties) : []
  const required = new Set<unknown>(Array.isArray(schema.required) ? schema.required : [])
  const missing = names.find((name) => !required.has(name))
  if (missing !== undefined) {
    throw invalidSchema(
      `${path}.required`,
      `must list every property in strict mode, and '${clip(missing)}' is missing; let optional ones be null: {"type": ["string", "null"]}`,
    )
  }
}

const ONE = ['items', 'additionalProperties', 'propertyNames']
const LISTS = ['anyOf', 'oneOf', 'allOf', 'prefixItems']
const MAPS = ['properties', 'patternProperties', '$defs', 'definitions']

function subschemas(schema: Record<string, unknown>, path: string): { schema: unknown; path: string }[] {
  const one = ONE.map((keyword) => ({ schema: schema[keyword], path: `${path}.${keyword}` }))
  const lists = LISTS.flatMap((keyword) => {
    const value: unknown = schema[keyword]
    if (!Array.isArray(value)) return []
    return value.map((each: unknown, index) => ({ schema: each, path: `${path}.${keyword}[${index}]` }))
  })
  const maps = MAPS.flatMap((keyword) => {
    const value = schema[keyword]
    if (!isObject(value)) return []
    return Object.entries(value).map(([name, each]) => ({
      schema: each,
      path: `${path}.${keyword}.${clip(name)}`,
    }))
  })
  return [...one, ...lists, ...maps]
}
