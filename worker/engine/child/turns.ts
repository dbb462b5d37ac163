/** @module Conversations rewritten for models and templates that know fewer roles. */

import type { ToolFormat } from '../dialect/formats.ts'
import type { ChatMessage, ToolDefinition } from '../types.ts'

/** System messages go in front of the first user message. */
export function foldSystem(messages: readonly ChatMessage[]): ChatMessage[] {
  const system = messages.filter(({ role }) => role === 'system').map(({ content }) => content)
  const turns = messages.filter(({ role }) => role !== 'system')
  if (system.length === 0) return turns
  const first = turns.findIndex(({ role }) => role === 'user')
  if (first < 0) return [{ role: 'user', content: system.join('\n\n') }, ...turns]
  return turns.map((turn, index) =>
    index === first ? { role: 'user', content: [...system, turn.content].join('\n\n') } : turn,
  )
}

/** Neighbours of one role become one message. */
export function mergeTurns(messages: readonly ChatMessage[]): ChatMessage[] {
  const merged: ChatMessage[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    const joins =
      last?.role === message.role && last.role !== 'tool' && !isCalling(last) && !isCalling(message)
    if (joins) merged[merged.length - 1] = { ...last, content: `${last.content}\n\n${message.content}` }
    else merged.push(message)
  }
  return merged
}

function isCalling(message: ChatMessage): boolean {
  return message.role === 'assistant' && (message.toolCalls?.length ?? 0) > 0
}

/** What stood before the end of the model's reasoning in earlier answers is left out, as templates do it. */
export function withoutReasoning(messages: readonly ChatMessage[], close: string): ChatMessage[] {
  return messages.map((message) => {
    const end = message.role === 'assistant' ? message.content.lastIndexOf(close) : -1
    return end < 0 ? message : { ...message, content: message.content.slice(end + close.length).trimStart() }
  })
}

/** One call a message, each with its result behind it, for templates that show no more. */
export function oneByOne(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = []
  const moved = new Set<ChatMessage>()
  for (const [index, message] of messages.entries()) {
    if (moved.has(message)) continue
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : []
    if (calls.length < 2) {
      turns.push(message)
      continue
    }
    for (const [position, call] of calls.entries()) {
      turns.push({ role: 'assistant', content: position === 0 ? message.content : '', toolCalls: [call] })
      const result = messages
        .slice(index)
        .find((other) => other.role === 'tool' && other.toolCallId === call.id)
      if (!result) continue
      moved.add(result)
      turns.push(result)
    }
  }
  return turns
}

/** What a template has no place for. */
export interface InWords {
  readonly tools: boolean
  readonly calls: boolean
  readonly results: boolean
}

/**
 * Tools, calls and results in words: the tools in a system message of their own, calls as the model is asked to
 * write them, results as the user's next message.
 */
export function toolsInWords(
  messages: readonly ChatMessage[],
  tools: readonly ToolDefinition[],
  format: ToolFormat,
  inWords: InWords,
): ChatMessage[] {
  const turns = messages.map((message): ChatMessage => {
    if (message.role === 'tool' && inWords.results)
      return { role: 'user', content: `<tool_response>\n${message.content}\n</tool_response>` }
    if (message.role !== 'assistant' || !message.toolCalls?.length || !inWords.calls) return message
    const calls = message.toolCalls.map((call) => callInWords(call.name, call.arguments, format))
    const written = format.open + calls.join(format.separator) + format.close
    return { role: 'assistant', content: message.content === '' ? written : `${message.content}\n${written}` }
  })
  const explains = tools.length > 0 && inWords.tools
  return explains ? [{ role: 'system', content: instruction(tools, format) }, ...turns] : turns
}

function callInWords(name: string, json: string, format: ToolFormat): string {
  return format.beforeName + name + format.beforeArguments + json + format.afterArguments
}

function instruction(tools: readonly ToolDefinition[], format: ToolFormat): string {
  const example = format.open + callInWords('NAME', '{"PARAMETER": "VALUE"}', format) + format.close
  return [
    'You can call tools. These are the tools, one JSON object a line, with the JSON Schema of their parameters:',
    '<tools>',
    ...tools.map((tool) => JSON.stringify(tool)),
    '</tools>',
    'When a tool helps to answer, write a call in exactly this form, and nothing after it:',
    example,
    'What the tool returns comes in the next message, between <tool_response> and </tool_response>. When no tool is ' +
      'needed, answer as usual.',
  ].join('\n')
}
