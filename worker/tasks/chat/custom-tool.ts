/** @module Custom tools: their input is any text, which the model writes as the one argument of a function. */

import type { ToolDefinition } from '../../engine/types.ts'
import type { ChatTool, CustomTool } from '../../protocol/chat.ts'

/** A tool as the model is told of it. */
export function definitionOf(tool: ChatTool): ToolDefinition {
  const { name, description } = tool
  const parameters = tool.type === 'custom' ? inputSchema(tool) : tool.parameters
  return {
    name,
    ...(description !== undefined && { description }),
    ...(parameters !== undefined && { parameters }),
  }
}

/** JSON Schema of `{"input": text}`. */
export function inputSchema({ format }: CustomTool): Record<string, unknown> {
  const input =
    format.type === 'grammar' ? { type: 'string', pattern: `^(?:${format.definition})$` } : { type: 'string' }
  return { type: 'object', properties: { input }, required: ['input'], additionalProperties: false }
}

/** The input in such an object; what it says so far when it was cut off. */
export function inputOf(json: string): string {
  for (const end of ['', '"}', '}']) {
    try {
      const { input } = JSON.parse(json + end) as { input?: unknown }
      if (typeof input === 'string') return input
    } catch {
      // Cut off at another place.
    }
  }
  return ''
}
