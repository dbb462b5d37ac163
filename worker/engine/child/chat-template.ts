/** @module A model's own Jinja template, given conversations that it was not written for. */

import { Template } from '@huggingface/jinja'
import { EngineError } from '../errors.ts'
import type { ChatMessage, ReasoningEffort, ToolCall, ToolDefinition } from '../types.ts'
import { type Manners, probe } from './manners.ts'
import { type Json, Marks } from './marks.ts'
import type { Piece } from './vocabulary.ts'

export interface Conversation {
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly ToolDefinition[]
  readonly effort?: ReasoningEffort
}

export class ChatTemplate {
  readonly #template: Template
  readonly #constants: Readonly<Record<string, unknown>>
  /** What the template can do, and how it wants it. */
  readonly manners: Manners

  /** @throws EngineError `ERR_MODEL_INVALID` when the template does not parse */
  constructor(template: string, beginText: string, endText: string) {
    this.#template = parse(template)
    this.#constants = { bos_token: beginText, eos_token: endText, add_generation_prompt: true }
    this.manners = probe((conversation, manners) => this.#renderAs(conversation, manners) !== undefined)
  }

  /** @returns undefined when the template refuses this conversation, or leaves something of it out. */
  render(conversation: Conversation): Piece[] | undefined {
    return this.#renderAs(conversation, this.manners)
  }

  /** A message of the shape of TranslateGemma's: the languages stand beside the text. */
  renderTranslation(text: string, source: string, target: string): Piece[] | undefined {
    return this.#render((marks) => {
      const languages = { source_lang_code: source, target_lang_code: target }
      return {
        messages: [{ role: 'user', content: [{ type: 'text', text: marks.content(text), ...languages }] }],
      }
    })
  }

  #renderAs(conversation: Conversation, manners: Manners): Piece[] | undefined {
    return this.#render((marks) => toVariables(conversation, manners, marks))
  }

  /** What the template throws, and what a tree too deep to walk throws, is a refusal. */
  #render(variables: (marks: Marks) => Record<string, unknown>): Piece[] | undefined {
    const marks = new Marks()
    try {
      return marks.pieces(this.#template.render({ ...this.#constants, ...variables(marks) }))
    } catch {
      return undefined
    }
  }
}

function parse(template: string): Template {
  try {
    return new Template(template)
  } catch (cause) {
    throw new EngineError('ERR_MODEL_INVALID', "the model's chat template does not parse", { cause })
  }
}

function toVariables(
  { messages, tools, effort }: Conversation,
  manners: Manners,
  marks: Marks,
): Record<string, unknown> {
  const calls = new CallNames(messages)
  return {
    ...reasoningOptions(effort),
    // First, so that their marks are the same however long the conversation: some templates sort by them.
    ...(tools.length > 0
      ? { tools: tools.map((tool) => toTool(tool, manners, marks)) }
      : manners.listsNoTools && { tools: [] }),
    messages: messages.map((message) => toMessage(message, calls, manners, marks)),
  }
}

/** Templates that think ask for one of these, and print an effort as it is; absent: as the template likes. */
function reasoningOptions(effort: ReasoningEffort | undefined): Record<string, unknown> {
  if (effort === undefined) return {}
  const thinks = effort !== 'none'
  return { enable_thinking: thinks, thinking: thinks, reasoning_effort: nearestEffort(effort) }
}

function nearestEffort(effort: ReasoningEffort): 'low' | 'medium' | 'high' {
  if (effort === 'none' || effort === 'minimal') return 'low'
  return effort === 'xhigh' || effort === 'max' ? 'high' : effort
}

function toTool(
  { name, description, parameters }: ToolDefinition,
  { describesAll }: Manners,
  marks: Marks,
): Json {
  const schema = (parameters ?? { type: 'object', properties: {} }) as Json
  return {
    type: 'function',
    function: {
      name: marks.content(name),
      description: marks.word(description ?? ''),
      parameters: marks.schema(describesAll ? described(schema) : schema),
    },
  }
}

/** Some templates trim the description of every parameter, whether it has one or not. */
function described(schema: Json): Json {
  if (!isObject(schema) || !isObject(schema.properties)) return schema
  const properties = Object.entries(schema.properties).map(([name, property]) => [
    name,
    isObject(property) ? { description: '', ...property } : property,
  ])
  return { ...schema, properties: Object.fromEntries(properties) }
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function toMessage(message: ChatMessage, calls: CallNames, manners: Manners, marks: Marks): Json {
  const { role } = message
  if (message.role === 'tool') {
    const name = message.name ?? calls.nameOf(message.toolCallId)
    const content = marks.content(message.content)
    return { role, content, tool_call_id: calls.idOf(message.toolCallId), name: marks.word(name) }
  }
  if (message.role !== 'assistant' || !message.toolCalls?.length)
    return { role, content: marks.content(message.content) }
  return {
    role,
    content: (manners.prelude && marks.content(message.content)) || manners.empty,
    tool_calls: message.toolCalls.map((call) => toCall(call, calls, manners, marks)),
  }
}

function toCall(
  { id, name, arguments: json }: ToolCall,
  calls: CallNames,
  manners: Manners,
  marks: Marks,
): Json {
  const written =
    manners.arguments === 'text'
      ? marks.content(json, { plain: true })
      : marks.value(JSON.parse(json) as Json)
  return { id: calls.idOf(id), type: 'function', function: { name: marks.content(name), arguments: written } }
}

/**
 * Ids of our own in the place of the client's: nine letters and digits, as Mistral's templates demand, the same for the
 * same conversation.
 */
class CallNames {
  readonly #ids = new Map<string, string>()
  readonly #names = new Map<string, string>()

  constructor(messages: readonly ChatMessage[]) {
    for (const message of messages) {
      if (message.role !== 'assistant') continue
      for (const { id, name } of message.toolCalls ?? []) this.#names.set(id, name)
    }
  }

  idOf(id: string): string {
    const own = this.#ids.get(id) ?? `call${String(this.#ids.size).padStart(5, '0')}`
    this.#ids.set(id, own)
    return own
  }

  nameOf(id: string): string {
    return this.#names.get(id) ?? ''
  }
}
