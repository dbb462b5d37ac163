/** Structured output: what a model may write, as a grammar in llama.cpp's GBNF. */

import { invalidSchema } from './errors.ts'
import { Grammar } from './grammar.ts'
import { anyObject } from './json-text.ts'

export interface SchemaOptions {
  /** OpenAI's `strict: true`: every property required and `additionalProperties: false` throughout, or 400. */
  readonly strict?: boolean
}

/** The grammar of any JSON object. */
export function jsonObjectGbnf(): string {
  const grammar = new Grammar()
  return grammar.write(anyObject(grammar)) ?? ''
}

/**
 * The grammar of one JSON value that a JSON Schema (2020-12) accepts.
 * @param path of the schema in the request, for messages
 * @throws ApiError 400, code `invalid_json_schema`, whose param names the keyword
 */
export function schemaToGbnf(_schema: unknown, path: string, _options: SchemaOptions = {}): string {
  throw invalidSchema(path, 'is not supported yet')
}

/** How a model writes a tool call; the formats of `tasks/tools` have this shape. */
export interface CallFormat {
  readonly open: string
  readonly separator: string
  readonly close: string
  readonly beforeName: string
  readonly beforeArguments: string
  readonly afterArguments: string
}

/** A tool that may be called; `schema` is that of its arguments. */
export interface CallableTool {
  readonly name: string
  readonly schema: unknown
  readonly path: string
  readonly strict?: boolean
}

export interface ToolCallOptions {
  readonly format: CallFormat
  readonly tools: readonly CallableTool[]
  /** Whether several calls may follow each other. */
  readonly parallel: boolean
}

/**
 * The grammar of one or more tool calls in the model's own format, from `format.open` to `format.close`.
 * @throws ApiError as schemaToGbnf does, at the path of the tool
 */
export function toolCallGbnf({ tools }: ToolCallOptions): string {
  throw invalidSchema(tools[0]?.path ?? 'tools', 'is not supported yet')
}
