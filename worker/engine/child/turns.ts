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

/**
 * Tools, calls and results in words, for models whose template has no place for them: the tools in a system
 * message of their own, calls as the model is asked to write them, results as the user's next message.
 */
export function toolsInWords(
  messages: readonly ChatMessage[],
  tools: readonly ToolDefinition[],
  format: ToolFormat,
): ChatMessage[] {
  const turns = messages.map((message): ChatMessage => {
    if (message.role === 'tool')
      return { role: 'user', content: `<tool_response>\n${message.content}\n</tool_response>` }
    if (message.role !== 'assistant' || !message.toolCalls?.length) return message
    const calls = message.toolCalls.map((call) => callInWords(call.name, call.arguments, format))
    const written = format.open + calls.join(format.separator) + format.close
    return { role: 'assistant', content: message.content === '' ? written : `${message.content}\n${written}` }
  })
  return tools.length === 0 ? turns : [{ role: 'system', content: instruction(tools, format) }, ...turns]
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
