/** Which keywords are known, and what is said about those that a grammar cannot enforce. */

import { clip } from '../../../protocol/errors.ts'
import { invalidSchema } from '../errors.ts'
import type { SchemaRef } from './document.ts'

/** They only lead to other schemas. */
const COMBINATORS = new Set(['$ref', 'allOf', 'anyOf', 'oneOf'])

/** Enforced, see the other files of this folder. */
const ENFORCED = new Set([
  'additionalProperties',
  'const',
  'enum',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'format',
  'items',
  'maxItems',
  'maxLength',
  'maxProperties',
  'maximum',
  'minItems',
  'minLength',
  'minProperties',
  'minimum',
  'multipleOf',
  'nullable',
  'pattern',
  'patternProperties',
  'prefixItems',
  'properties',
  'propertyNames',
  'required',
  'type',
])

/** They describe a value and forbid none. */
const ANNOTATIONS = new Set([
  '$anchor',
  '$comment',
  '$defs',
  '$id',
  '$schema',
  '$vocabulary',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
  'default',
  'definitions',
  'deprecated',
  'description',
  'example',
  'examples',
  'readOnly',
  'title',
  'writeOnly',
])

/** They forbid values, and no grammar of ours can: why, or what to write instead. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
  ['$dynamicRef', 'use $ref'],
  ['$recursiveRef', 'use $ref'],
  ['additionalItems', 'use prefixItems and items'],
  ['contains', 'describe every item with items'],
  ['dependencies', 'use anyOf over whole objects'],
  ['dependentRequired', 'use anyOf over whole objects'],
  ['dependentSchemas', 'use anyOf over whole objects'],
  ['else', 'use anyOf'],
  ['if', 'use anyOf'],
  ['maxContains', 'describe every item with items'],
  ['minContains', 'describe every item with items'],
  ['not', 'describe what is wanted instead'],
  ['then', 'use anyOf'],
  ['unevaluatedItems', 'use items'],
  ['unevaluatedProperties', 'use additionalProperties'],
  ['uniqueItems', 'leave it out and check the answer'],
])

/** Values of refused keywords that forbid nothing. */
const HARMLESS: Readonly<Record<string, unknown>> = {
  uniqueItems: false,
  unevaluatedItems: true,
  unevaluatedProperties: true,
  not: false,
}

/**
 * Refuses what cannot be enforced. An unknown keyword forbids nothing, as JSON Schema says, except in strict mode,
 * where it may be a slip of the pen.
 * @throws ApiError
 */
export function checkKeywords({ schema, path }: SchemaRef, strict: boolean): void {
  if (typeof schema === 'boolean') return
  for (const [keyword, value] of Object.entries(schema)) {
    if (ENFORCED.has(keyword) || COMBINATORS.has(keyword) || ANNOTATIONS.has(keyword)) continue
    const cure = REFUSED.get(keyword)
    if (cure !== undefined && !(Object.hasOwn(HARMLESS, keyword) && HARMLESS[keyword] === value)) {
      throw invalidSchema(`${path}.${keyword}`, `is not supported; ${cure}`)
    }
    if (cure === undefined && strict) {
      throw invalidSchema(`${path}.${clip(keyword)}`, 'is not a keyword of JSON Schema; leave it out')
    }
  }
}

/** Whether a schema says anything of a value by itself. */
export function hasOwn({ schema }: SchemaRef): boolean {
  return typeof schema === 'object' && Object.keys(schema).some((keyword) => ENFORCED.has(keyword))
}
