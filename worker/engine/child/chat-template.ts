/** @module A model's own Jinja template, given conversations that it was not written for. */

import { Template } from '@huggingface/jinja'
import { EngineError } from '../errors.ts'
import type { ChatMessage, ReasoningEffort, ToolCall, ToolDefinition } from '../types.ts'
import { type Json, Marks } from './marks.ts'
import type { Piece } from './vocabulary.ts'

export interface Conversation {
  readonly messages: readonly ChatMessage[]
  readonly tools: readonly ToolDefinition[]
  readonly effort?: ReasoningEffort
}

/** What templates differ in: how they want the arguments of a call, and the content of a message that only calls. */
interface Wants {
  readonly arguments: 'object' | 'text'
  readonly empty: '' | null
}

const wants: readonly Wants[] = [
  { arguments: 'object', empty: '' },
  { arguments: 'object', empty: null },
  { arguments: 'text', empty: '' },
  { arguments: 'text', empty: null },
]

export class ChatTemplate {
  readonly #template: Template
  readonly #constants: Readonly<Record<string, unknown>>

  /** @throws EngineError `ERR_MODEL_INVALID` when the template does not parse */
  constructor(template: string, beginText: string, endText: string) {
    this.#template = parse(template)
    this.#constants = { bos_token: beginText, eos_token: endText, add_generation_prompt: true }
  }

  /** @returns undefined when the template refuses this conversation, or leaves something of it out. */
  render(conversation: Conversation): Piece[] | undefined {
    const calls = conversation.messages.some((message) => message.role === 'assistant' && message.toolCalls)
    for (const wanted of calls ? wants : wants.slice(0, 1)) {
      const marks = new Marks()
      const rendered = this.#render(() => ({
        ...reasoningOptions(conversation.effort),
        ...toTemplate(conversation, wanted, marks),
      }))
      const pieces = rendered === undefined ? undefined : marks.pieces(rendered)
      if (pieces) return pieces
    }
    return undefined
  }

  /** A message of the shape of TranslateGemma's: the languages stand beside the text. */
  renderTranslation(text: string, source: string, target: string): Piece[] | undefined {
    const marks = new Marks()
    const part = {
      type: 'text',
      text: marks.content(text),
      source_lang_code: source,
      target_lang_code: target,
    }
    const rendered = this.#render(() => ({ messages: [{ role: 'user', content: [part] }] }))
    return rendered === undefined ? undefined : marks.pieces(rendered)
  }

  /** What the template throws, and what a tree too deep to walk throws, is a refusal. */
  #render(variables: () => Record<string, unknown>): string | undefined {
    try {
      return this.#template.render({ ...this.#constants, ...variables() })
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

function toTemplate({ messages, tools }: Conversation, wanted: Wants, marks: Marks): Record<string, unknown> {
  const calls = new CallNames(messages)
  return {
    messages: messages.map((message) => toMessage(message, calls, wanted, marks)),
    // Left out when there are none: templates ask whether it is defined.
    ...(tools.length > 0 && { tools: tools.map((tool) => toTool(tool, marks)) }),
  }
}

function toTool({ name, description, parameters }: ToolDefinition, marks: Marks): Json {
  return {
    type: 'function',
    function: {
      name: marks.content(name),
      description: marks.word(description ?? ''),
      parameters: marks.schema((parameters ?? { type: 'object', properties: {} }) as Json),
    },
  }
}

function toMessage(message: ChatMessage, calls: CallNames, wanted: Wants, marks: Marks): Json {
  const { role } = message
  const content = marks.content(message.content)
  if (message.role === 'tool') {
    const name = message.name ?? calls.nameOf(message.toolCallId)
    return { role, content, tool_call_id: calls.idOf(message.toolCallId), name: marks.word(name) }
  }
  if (message.role !== 'assistant' || !message.toolCalls?.length) return { role, content }
  return {
    role,
    content: content === '' ? wanted.empty : content,
    tool_calls: message.toolCalls.map((call) => toCall(call, calls, wanted, marks)),
  }
}

function toCall(call: ToolCall, calls: CallNames, wanted: Wants, marks: Marks): Json {
  const { name, arguments: json } = call
  const written =
    wanted.arguments === 'text' ? marks.content(json, { plain: true }) : marks.value(JSON.parse(json) as Json)
  return {
    id: calls.idOf(call.id),
    type: 'function',
    function: { name: marks.content(name), arguments: written },
  }
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
