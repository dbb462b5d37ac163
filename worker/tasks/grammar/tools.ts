/** Tool calls in a model's own format, as a grammar. */

import { choice, EMPTY, type Expression, repeat, sequence } from './expression.ts'
import { Grammar } from './grammar.ts'
import type { Budget } from './limits.ts'
import { schemaExpression, writeGrammar } from './write.ts'

/** How a model writes a tool call; the formats of `tasks/tools` have this shape. */
export interface CallFormat {
  /** What begins the calls. */
  readonly open: string
  /** Between two calls. */
  readonly separator: string
  /** What ends the calls. */
  readonly close: string
  readonly beforeName: string
  readonly beforeArguments: string
  readonly afterArguments: string
  /** One call at most, whatever is asked. */
  readonly single?: boolean
}

/** A tool that may be called. */
export interface CallableTool {
  readonly name: string
  /** JSON Schema of its arguments, which are one JSON object. */
  readonly schema: unknown
  /** Of the schema in the request, for messages. */
  readonly path: string
  /** OpenAI's `strict: true`. */
  readonly strict?: boolean
}

export interface ToolCallOptions {
  readonly format: CallFormat
  readonly tools: readonly CallableTool[]
  /** Whether several calls may follow each other. */
  readonly parallel: boolean
  /** Shared by all that one request has compiled; absent: one for these calls alone. */
  readonly budget?: Budget
}

/** Calls that may follow each other in one answer, so that a small model comes to an end. */
const MAX_CALLS = 32

/**
 * The grammar of one or more tool calls in the model's own format, from `format.open` to `format.close`.
 * @throws ApiError as schemaToGbnf does, at the path of the tool
 */
export function toolCallGbnf({ format, tools, parallel, budget }: ToolCallOptions): string {
  const grammar = new Grammar(budget)
  const call = grammar.rule('call', 'call', () =>
    choice(...tools.map((tool, index) => callOf(tool, `tool${index}:`, format, grammar))),
  )
  const more: Expression =
    parallel && !format.single ? repeat(sequence(format.separator, call), 0, MAX_CALLS - 1) : EMPTY
  return writeGrammar(grammar, sequence(format.open, call, more, format.close), tools[0]?.path ?? 'tools')
}

function callOf(
  { name, schema, path, strict = false }: CallableTool,
  prefix: string,
  format: CallFormat,
  grammar: Grammar,
): Expression {
  const value = schemaExpression(schema, path, { grammar, strict, prefix, also: { type: 'object' } })
  return sequence(format.beforeName, name, format.beforeArguments, value, format.afterArguments)
}
