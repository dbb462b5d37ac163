/** @module Arguments that a model writes between tags, one after the other, as the JSON object that clients expect. */

import type { ArgumentTags } from '../../engine/dialect/formats.ts'
import type { Input } from './input.ts'

/**
 * Yields pieces of the object's JSON text, one for each argument, and undefined where more text is needed. What ends
 * early ends here too: an object without its brace is what a client sees of a call that was cut off.
 * @param schema of the tool's parameters; tells texts from other values
 */
export function* readTaggedArguments(
  input: Input,
  { beforeKey, afterKey, afterValue, end }: ArgumentTags,
  schema: Record<string, unknown> | undefined,
): Generator<string | undefined, void, undefined> {
  yield '{'
  for (let separator = ''; ; separator = ', ') {
    yield* input.blanks()
    if (!(yield* input.accept(beforeKey))) break
    const key = yield* input.key()
    for (const mark of afterKey) {
      yield* input.accept(mark)
      if (mark !== afterKey.at(-1)) yield* input.blanks()
    }
    const { text, found } = yield* input.before(afterValue)
    const value = jsonOf(text.replace(/^\n/, '').replace(/\n$/, ''), propertyOf(schema, key))
    yield `${separator}${JSON.stringify(key)}: ${found ? value : value.replace(/"$/, '')}`
    if (!found) return
  }
  if ((yield* input.accept(end)) || !(yield* input.atEnd())) yield '}'
}

function propertyOf(schema: Record<string, unknown> | undefined, key: string): unknown {
  const properties = schema?.properties
  return isRecord(properties) && Object.hasOwn(properties, key) ? properties[key] : undefined
}

/** A text stands as it is between its tags; everything else is JSON, or Python's idea of it. */
function jsonOf(written: string, schema: unknown): string {
  const types = typesOf(schema)
  if (types?.every((type) => type === 'string')) return JSON.stringify(written)
  const json = python.get(written.trim()) ?? written.trim()
  if (json === 'null' || !types?.every((type) => type === 'string' || type === 'null')) {
    if (isJson(json)) return json
  }
  return JSON.stringify(written)
}

const python = new Map([
  ['True', 'true'],
  ['False', 'false'],
  ['None', 'null'],
])

/** Undefined when the schema does not say. */
function typesOf(schema: unknown): readonly unknown[] | undefined {
  if (!isRecord(schema)) return undefined
  if (schema.type !== undefined) return Array.isArray(schema.type) ? schema.type : [schema.type]
  if ('const' in schema) return [typeof schema.const]
  return Array.isArray(schema.enum) ? schema.enum.map((choice) => typeof choice) : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
