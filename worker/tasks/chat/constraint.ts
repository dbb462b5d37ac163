/** @module What an answer's text is held to: calls that are forced or allowed, a JSON document, a client's grammar. */

import type { Grammar, ModelInfo } from '../../engine/types.ts'
import type { ChatRequest, ChatTool } from '../../protocol/chat.ts'
import { ApiError } from '../../protocol/errors.ts'
import { Budget, type CallableTool, jsonObjectGbnf, schemaToGbnf, toolCallGbnf } from '../grammar/index.ts'
import { callMark, type ToolFormat } from '../tools/index.ts'
import { inputSchema } from './custom-tool.ts'
import { afterMark, afterMarks, afterReasoning, either, notBeginning } from './gbnf.ts'
import type { ChatPaths } from './plan.ts'

/** A tool that the model may call in this answer. */
export interface OfferedTool {
  readonly tool: ChatTool
  /** Its place among the request's tools. */
  readonly index: number
}

export interface ConstraintInput {
  readonly request: ChatRequest
  readonly tools: readonly OfferedTool[]
  readonly format: ToolFormat | undefined
  /** The model's marks; absent when it does not think in this answer. */
  readonly reasoning: ModelInfo['reasoning']
  readonly paths: ChatPaths
}

/** With what compiling may cost, of all grammars of the request together: this is before anything is charged. */
interface Compiling extends ConstraintInput {
  readonly budget: Budget
  /** For finding out which tools' schemas can be held at all; less, so that holding them then has enough. */
  readonly trial: Budget
}

const TRIAL_STEPS = 2_000_000
/** Steps for compiling all tools as they are: enough for a hundred ordinary ones. */
const FIRST_STEPS = 1_000_000

/**
 * The grammar of an answer; undefined where any text will do. Reasoning is never held to it.
 * @throws ApiError 400 naming the field whose schema or grammar cannot be held
 */
export function constraintOf(asked: ConstraintInput): Grammar | undefined {
  const input: Compiling = { ...asked, budget: new Budget(), trial: new Budget(TRIAL_STEPS) }
  const { request, reasoning, format } = input
  const held = wholeAnswer(input)
  if (held === undefined) return lazyCalls(input)
  // A client's own grammar is taken at its word.
  const gbnf = request.grammar === undefined ? afterMarks(format?.silent ?? [], held) : held
  if (!reasoning) return { gbnf }
  const inside = { gbnf: afterMark(reasoning.close, gbnf), triggers: [reasoning.close] }
  return { gbnf: afterReasoning(reasoning, gbnf), insideReasoning: inside }
}

/** What holds from the answer's first character on. */
function wholeAnswer(input: Compiling): string | undefined {
  const { request, tools } = input
  const document = documentGbnf(input)
  // The protocol takes a grammar of the client's only where nothing else is to be held.
  if (request.grammar !== undefined) return request.grammar
  if (request.toolChoice.mode === 'required') return callsGbnf(input)
  if (tools.length === 0) return document
  if (document !== undefined) return either(callsGbnf(input), document)
  return hasUnmarkedForm(input) ? either(callsGbnf(input), notBeginning(callBegin(input))) : undefined
}

/** A form that has to be held, of calls without a mark: they are told from text by how the answer begins. */
function hasUnmarkedForm({ tools, format }: ConstraintInput): boolean {
  return (format && callMark(format)) === undefined && tools.some(({ tool }) => hasForm(tool))
}

function hasForm(tool: ChatTool): boolean {
  return tool.type === 'function' ? tool.strict : tool.format.type === 'grammar'
}

function callBegin({ format }: ConstraintInput): string {
  return `${format?.open}${format?.beforeName}`.charAt(0)
}

function documentGbnf({ request: { responseFormat }, paths, budget }: Compiling): string | undefined {
  if (responseFormat.type === 'text') return undefined
  if (responseFormat.type === 'json_object') return jsonObjectGbnf()
  const { schema, strict } = responseFormat
  return schemaToGbnf(schema, paths.schema, { strict, budget })
}

/**
 * Free text until the model begins a call by itself; calls without a mark of their own stay free. A model that writes
 * arguments in a way of its own is left that way, unless a tool has a form: then it is held to the JSON.
 */
function lazyCalls(input: Compiling): Grammar | undefined {
  const { tools, format } = input
  if (tools.length === 0 || format === undefined) return undefined
  const trigger = tools.some(({ tool }) => hasForm(tool)) ? callMark(format) : format.trigger
  return trigger === undefined ? undefined : { gbnf: callsGbnf(input), triggers: [trigger] }
}

function callsGbnf({ request, tools, format, paths, budget, trial }: Compiling): string {
  if (!format) throw new TypeError('tools without a format')
  const callables = tools.map(({ tool, index }) => callable(tool, paths.tool(tool, index)))
  const compile = (tools: readonly CallableTool[], budget: Budget) =>
    toolCallGbnf({ format, tools, parallel: request.parallelToolCalls, budget })
  if (!tools.some(({ tool }) => isLoose(tool))) return compile(callables, budget)
  try {
    return compile(callables, new Budget(FIRST_STEPS))
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    // Each tool takes milliseconds to compile, so which of them it was is asked only now.
    const held = callables.map((each, at) => (isLoose(tools[at]?.tool) ? loosened(each, trial) : each))
    return compile(held, budget)
  }
}

function callable(tool: ChatTool, path: string): CallableTool {
  const { name } = tool
  if (tool.type === 'custom') return { name, schema: inputSchema(tool), path }
  return { name, schema: tool.parameters ?? EMPTY, path, strict: tool.strict }
}

function isLoose(tool: ChatTool | undefined): boolean {
  return tool?.type === 'function' && !tool.strict
}

/** Arguments that nobody asked to be strict are held to their schema where that can be done. */
function loosened(tool: CallableTool, trial: Budget): CallableTool {
  return isWritable(tool.schema, tool.path, trial) ? tool : { ...tool, schema: ANY_OBJECT }
}

function isWritable(schema: unknown, path: string, budget: Budget): boolean {
  try {
    schemaToGbnf(schema, path, { budget })
    return true
  } catch (error) {
    if (error instanceof ApiError) return false
    throw error
  }
}

/** What a function without parameters takes. */
const EMPTY = { type: 'object', properties: {}, additionalProperties: false }
const ANY_OBJECT = { type: 'object' }
