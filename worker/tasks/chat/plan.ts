/** @module What a chat request asks of this engine's model: prompt, sampling, grammar, and how to read the answer. */

import type { ChatMessage, Engine, Prompt, ToolDefinition } from '../../engine/types.ts'
import type { ChatRequest, ChatTool, ChatMessage as SentMessage } from '../../protocol/chat.ts'
import { cacheKeyOf, type Job } from '../generation.ts'
import { checkTokens, samplingOf } from '../sampling.ts'
import { TOOL_FORMATS, type ToolFormat } from '../tools/index.ts'
import type { TaskContext } from '../types.ts'
import type { AnswerOptions } from './answer.ts'
import { constraintOf, type OfferedTool } from './constraint.ts'
import { definitionOf } from './custom-tool.ts'

export interface ChatPlan {
  readonly job: Job
  readonly answer: AnswerOptions
}

/** What the fields of a request are called in errors. */
export interface ChatPaths {
  /** The conversation. */
  readonly prompt: string
  /** The schema of the answer. */
  readonly schema: string
  /** Where a tool says what its arguments are. */
  readonly tool: (tool: ChatTool, index: number) => string
}

/** @throws ApiError 400 for what this model cannot be held to */
export function planChat(
  request: ChatRequest,
  context: TaskContext,
  { info }: Engine,
  paths: ChatPaths,
): ChatPlan {
  checkTokens(request, info)
  const tools = offeredTools(request)
  const format = formatOf(info.toolFormat, tools)
  const reasoning = request.reasoningEffort === 'none' ? undefined : info.reasoning
  const grammar = constraintOf({ request, tools, format, reasoning, paths })
  const cacheKey = cacheKeyOf(context, request.cachePartition)
  const definitions = new Map(tools.map(({ tool }) => [tool.name, definitionOf(tool)]))
  return {
    job: {
      prompts: [promptOf(request, tools)],
      choices: request.n,
      param: paths.prompt,
      maxTokens: request.maxTokens ?? context.maxOutputTokens,
      sampling: samplingOf(request),
      stop: request.stop,
      ...(grammar && { grammar, grammarParam: grammarParamOf(request, paths) }),
      ...(request.logprobs !== undefined && { logprobs: request.logprobs }),
      // Marks of calls and of reasoning are control tokens in some models.
      ...((info.reasoning || format?.special) && { specialText: true }),
      ...(cacheKey !== undefined && { cacheKey }),
    },
    answer: {
      ...(info.reasoning && { reasoning: info.reasoning }),
      ...(format && { toolFormat: format }),
      tools: new Set(definitions.keys()),
      parameters: (name) => definitions.get(name)?.parameters,
      customTools: new Set(tools.filter(({ tool }) => tool.type === 'custom').map(({ tool }) => tool.name)),
      mostCalls: request.parallelToolCalls ? Number.POSITIVE_INFINITY : 1,
    },
  }
}

function grammarParamOf({ grammar, responseFormat, legacyFunctions }: ChatRequest, paths: ChatPaths): string {
  if (grammar !== undefined) return 'grammar'
  if (responseFormat.type !== 'text') return paths.schema
  return legacyFunctions ? 'functions' : 'tools'
}

/** The prompt of a chat as the engine takes it. */
export function promptOf(
  request: ChatRequest,
  tools: readonly OfferedTool[] = offeredTools(request),
): Prompt {
  return {
    kind: 'chat',
    messages: request.messages.map(toMessage),
    ...(tools.length > 0 && { tools: tools.map(({ tool }): ToolDefinition => definitionOf(tool)) }),
    ...(request.reasoningEffort !== undefined && { reasoningEffort: request.reasoningEffort }),
  }
}

/** The model is shown what it may call: nothing when it may not, and only those that are allowed. */
function offeredTools({ tools, toolChoice }: ChatRequest): OfferedTool[] {
  if (toolChoice.mode === 'none') return []
  const offered = tools.map((tool, index) => ({ tool, index }))
  return offered.filter(({ tool }) => toolChoice.names?.includes(tool.name) ?? true)
}

/** A model that was taught no way of its own is shown ours, where there is anything to call. */
function formatOf(
  own: keyof typeof TOOL_FORMATS | undefined,
  tools: readonly OfferedTool[],
): ToolFormat | undefined {
  if (own !== undefined) return TOOL_FORMATS[own]
  return tools.length > 0 ? TOOL_FORMATS.generic : undefined
}

function toMessage(message: SentMessage): ChatMessage {
  const { role, content, toolCalls, toolCallId } = message
  if (role === 'tool') return { role, content, toolCallId: toolCallId ?? '' }
  if (role !== 'assistant') return { role: role === 'developer' ? 'system' : role, content }
  if (!toolCalls?.length) return { role, content }
  const calls = toolCalls.map(({ id, name, arguments: text, custom }) => ({
    id,
    name,
    arguments: custom ? JSON.stringify({ input: text }) : text,
  }))
  return { role, content, toolCalls: calls }
}
