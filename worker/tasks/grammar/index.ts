/** Structured output: what a model may write, as a grammar in llama.cpp's GBNF. */

import { Grammar } from './grammar.ts'
import { anyObject } from './json-text.ts'
import type { Budget } from './limits.ts'
import { schemaExpression, writeGrammar } from './write.ts'

export { Budget } from './limits.ts'
export { type CallableTool, type CallFormat, type ToolCallOptions, toolCallGbnf } from './tools.ts'

export interface SchemaOptions {
  /** OpenAI's `strict: true`: every property required and `additionalProperties: false` throughout, or 400. */
  readonly strict?: boolean
  /** Shared by all that one request has compiled; absent: one for this schema alone. */
  readonly budget?: Budget
}

/** The grammar of any JSON object. */
export function jsonObjectGbnf(): string {
  const grammar = new Grammar()
  return grammar.write(anyObject(grammar)) ?? ''
}

/**
 * The grammar of one JSON value that a JSON Schema (2020-12) accepts: no more, no less, but that members come in the
 * order of the schema and that text is written as JSON.stringify writes it, with a blank or none after `:` and `,`.
 * @param path of the schema in the request, for messages
 * @throws ApiError 400, code `invalid_json_schema`, whose param names the keyword
 */
export function schemaToGbnf(schema: unknown, path: string, options: SchemaOptions = {}): string {
  const grammar = new Grammar(options.budget)
  const root = schemaExpression(schema, path, {
    grammar,
    strict: options.strict ?? false,
  })
  return writeGrammar(grammar, root, path)
}
