/** @module POST /v1/responses and /v1/responses/input_tokens. */

import type { Engine } from '../../engine/types.ts'
import type { ChatTool } from '../../protocol/chat.ts'
import { ApiError } from '../../protocol/errors.ts'
import { parseInputTokensRequest } from '../../protocol/input-tokens.ts'
import { parseResponsesRequest } from '../../protocol/responses.ts'
import { checkAgreement } from '../agreement.ts'
import { Answer } from '../chat/answer.ts'
import { type ChatPaths, planChat, promptOf } from '../chat/plan.ts'
import { bodyOf } from '../documents.ts'
import { toTaskError } from '../errors.ts'
import { generateAll } from '../generation.ts'
import { type TaskContext, type TaskEvent, type TaskResult, usageOf } from '../types.ts'
import { ResponseDocuments } from './documents.ts'
import { Output } from './output.ts'

const paths: ChatPaths = {
  prompt: 'input',
  schema: 'text.format.schema',
  tool: ({ type }: ChatTool, index) => `tools[${index}].${type === 'function' ? 'parameters' : 'format'}`,
}

/** Makes a response: a chat completion of one choice, told in items. Its stream ends without `[DONE]`. */
export async function* responses(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseResponsesRequest(json)
  checkAgreement(request.chat, context)
  const { job, answer } = planChat(request.chat, context, engine, paths)
  const output = new Output(context.requestId)
  const documents = new ResponseDocuments(request, context, output)
  const { stream } = context
  let begun = false
  try {
    for await (const { part } of generateAll(
      { ...job, retold: true },
      context,
      engine,
      () => new Answer(answer),
    )) {
      if (stream && part.type === 'start') {
        begun = true
        yield* documents.begun()
      }
      for (const event of output.add(part)) if (stream) yield documents.event(event)
    }
  } catch (error) {
    // What was begun is ended in the stream's own words; the refusal itself follows under the seal.
    if (begun && error instanceof ApiError) yield documents.failed(error)
    throw error
  }
  yield stream ? documents.ended() : documents.body()
  return { finishReason: output.finishReason, usage: usageOf(context.meter) }
}

/** Counts the tokens that a response would read. Nothing is evaluated, and nothing is charged. */
export async function* inputTokens(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const { chat } = parseInputTokensRequest(json)
  checkAgreement(chat, context)
  let input_tokens: number
  try {
    input_tokens = await engine.count(promptOf(chat), context.signal)
  } catch (cause) {
    throw toTaskError(cause, paths.prompt)
  }
  yield bodyOf({ object: 'response.input_tokens', input_tokens })
  return { finishReason: 'stop', usage: usageOf(context.meter) }
}
