/** @module POST /v1/chat/completions. */

import type { Engine } from '../../engine/types.ts'
import { type ChatRequest, type ChatTool, parseChatRequest } from '../../protocol/chat.ts'
import { checkAgreement } from '../agreement.ts'
import { generateAll } from '../generation.ts'
import { type TaskContext, type TaskEvent, type TaskResult, type Usage, usageOf } from '../types.ts'
import { Answer, type ChoicePart } from './answer.ts'
import { Choice, overallReason } from './choice.ts'
import { ChatDocuments } from './documents.ts'
import { type ChatPaths, planChat } from './plan.ts'

/** Runs a chat completion; yields OpenAI's documents, the last of a stream without `[DONE]`. */
export async function* chat(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseChatRequest(json)
  checkAgreement(request, context)
  const { job, answer } = planChat(request, context, engine, pathsOf(request))
  const documents = new ChatDocuments(request, context)
  const choices = Array.from({ length: request.n }, () => new Choice())
  for await (const { index, part } of generateAll(job, context, engine, () => new Answer(answer))) {
    choices[index]?.add(part)
    if (request.stream && isShown(part)) yield documents.chunk(index, part)
  }
  const usage = chatUsage(request, context)
  if (!request.stream) yield documents.completion(choices, usage)
  else if (request.includeUsage) yield documents.usage(usage)
  return { finishReason: overallReason(choices), usage }
}

/** A part of a character is no text yet. */
function isShown(part: ChoicePart): boolean {
  return !('text' in part) || part.text !== ''
}

/** A prediction is taken and changes nothing: nothing of it is accepted, and nothing of it is charged. */
function chatUsage({ prediction }: ChatRequest, { meter }: TaskContext): Usage {
  const usage = usageOf(meter)
  if (prediction === undefined) return usage
  const details = { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 }
  return { ...usage, completion_tokens_details: { ...usage.completion_tokens_details, ...details } }
}

function pathsOf({ legacyFunctions }: ChatRequest): ChatPaths {
  return {
    prompt: 'messages',
    schema: 'response_format.json_schema.schema',
    tool: ({ type }: ChatTool, index) => {
      if (legacyFunctions) return `functions[${index}].parameters`
      return type === 'function' ? `tools[${index}].function.parameters` : `tools[${index}].custom.format`
    },
  }
}
