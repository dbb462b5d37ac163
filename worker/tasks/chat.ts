/** @module POST /v1/chat/completions. */

import { createHmac } from 'node:crypto'
import { utf8 } from '../../attest/bytes.ts'
import type { Engine, GenerateRequest } from '../engine/types.ts'
import { type ChatRequest, parseChatRequest } from '../protocol/chat.ts'
import { checkAgreement } from './agreement.ts'
import { toTaskError } from './errors.ts'
import { padEvent } from './padding.ts'
import { type TaskContext, type TaskEvent, type TaskResult, type Usage, usageOf } from './types.ts'
import { refuseUnsupported } from './unsupported.ts'

/** Runs a chat completion; yields OpenAI's documents, the last of a stream without `[DONE]`. */
export async function* chat(
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
): AsyncGenerator<TaskEvent, TaskResult> {
  const request = parseChatRequest(json)
  checkAgreement(request, context)
  refuseUnsupported(request)
  const documents = new ChatDocuments(request, context)
  const { meter } = context
  let finishReason: TaskResult['finishReason'] = 'stop'
  let text = ''
  let prompt = { promptTokens: 0, cachedTokens: 0 }
  try {
    for await (const event of engine.generate(toGenerate(request, context), context.signal)) {
      if (event.type === 'prompt') {
        prompt = { promptTokens: event.promptTokens, cachedTokens: event.cachedTokens }
        if (!request.stream) continue
        Object.assign(meter, prompt)
        yield documents.chunk({ role: 'assistant', content: '', refusal: null })
        continue
      }
      Object.assign(meter, prompt)
      if (event.type === 'text') {
        meter.completionTokens += event.tokens
        text += event.text
        if (request.stream && event.text !== '') yield documents.chunk({ content: event.text })
      } else if (event.type === 'end') {
        meter.completionTokens = event.completionTokens
        finishReason = event.finishReason
      }
    }
  } catch (cause) {
    throw toTaskError(cause, 'messages')
  }
  const usage = usageOf(meter)
  if (!request.stream) {
    yield documents.completion(text, finishReason, usage)
    return { finishReason, usage }
  }
  yield documents.chunk({}, finishReason)
  if (request.includeUsage) yield documents.usage(usage)
  return { finishReason, usage }
}

function toGenerate(request: ChatRequest, context: TaskContext): GenerateRequest {
  const { cachePartition } = request
  return {
    prompt: {
      kind: 'chat',
      messages: request.messages.map(({ role, content }) => ({
        role: role === 'user' || role === 'assistant' ? role : 'system',
        content,
      })),
    },
    maxPromptTokens: context.maxPromptTokens,
    maxTokens: Math.min(request.maxTokens ?? context.maxOutputTokens, context.maxOutputTokens),
    sampling: {
      temperature: request.temperature,
      topP: request.topP,
      presencePenalty: request.presencePenalty,
      frequencyPenalty: request.frequencyPenalty,
      ...(request.seed !== undefined && { seed: request.seed }),
    },
    stop: request.stop,
    limit: context.affordable,
    ...(cachePartition !== undefined &&
      context.cacheKey !== undefined && {
        cacheKey: createHmac('sha256', context.cacheKey).update(cachePartition).digest('hex'),
      }),
  }
}

interface Delta {
  role?: 'assistant'
  content?: string
  refusal?: null
}

/** Writes the documents of one completion; all share id, time and model. */
class ChatDocuments {
  readonly #request: ChatRequest
  readonly #head: { id: string; created: number; model: string; service_tier?: string }

  constructor(request: ChatRequest, { requestId, created, model }: TaskContext) {
    this.#request = request
    this.#head = {
      id: `chatcmpl-${requestId}`,
      created,
      model,
      ...(request.serviceTier && { service_tier: request.serviceTier }),
    }
  }

  chunk(delta: Delta, finishReason: TaskResult['finishReason'] | null = null): TaskEvent {
    return this.#event([{ index: 0, delta, logprobs: null, finish_reason: finishReason }], null)
  }

  usage(usage: Usage): TaskEvent {
    return this.#event([], usage)
  }

  completion(text: string, finishReason: TaskResult['finishReason'], usage: Usage): TaskEvent {
    const message = { role: 'assistant', content: text, refusal: null, annotations: [] }
    const { metadata } = this.#request
    const document = {
      ...this.#head,
      object: 'chat.completion',
      choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
      usage,
      ...(metadata && { metadata }),
    }
    return { type: 'body', bytes: utf8(JSON.stringify(document)) }
  }

  /** `usage` is a member of every chunk iff the client asked for usage; null on all but the last. */
  #event(choices: readonly object[], usage: Usage | null): TaskEvent {
    const { includeUsage, includeObfuscation } = this.#request
    const document = {
      ...this.#head,
      object: 'chat.completion.chunk',
      choices,
      ...(includeUsage && { usage }),
    }
    return { type: 'event', json: includeObfuscation ? padEvent(document) : JSON.stringify(document) }
  }
}
