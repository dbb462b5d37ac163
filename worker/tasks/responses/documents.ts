/** @module OpenAI's documents of a response. */

import type { ApiError } from '../../protocol/errors.ts'
import type { ResponsesRequest } from '../../protocol/responses.ts'
import { bodyOf, eventOf } from '../documents.ts'
import type { Meter, TaskContext, TaskEvent } from '../types.ts'
import type { ResponseEvent } from './items.ts'
import type { Output } from './output.ts'

/** Writes the documents of one response; the events of a stream are numbered from 0. */
export class ResponseDocuments {
  readonly #request: ResponsesRequest
  readonly #context: TaskContext
  readonly #output: Output
  #sequence = 0

  constructor(request: ResponsesRequest, context: TaskContext, output: Output) {
    this.#request = request
    this.#context = context
    this.#output = output
  }

  event({ type, ...members }: ResponseEvent): TaskEvent {
    const document = { type, sequence_number: this.#sequence++, ...members }
    return eventOf(document, this.#request.chat.includeObfuscation)
  }

  /** The two events before any output. */
  begun(): TaskEvent[] {
    const response = this.#response('in_progress')
    const types = ['response.created', 'response.in_progress']
    return types.map((type) => this.event({ type, response }))
  }

  /** The last event of a response that came to its end. */
  ended(): TaskEvent {
    const status = this.#status
    return this.event({ type: `response.${status}`, response: this.#response(status) })
  }

  failed({ message, apiCode }: ApiError): TaskEvent {
    const code = apiCode === 'rate_limit_exceeded' ? apiCode : 'server_error'
    const response = { ...this.#response('failed'), error: { code, message } }
    return this.event({ type: 'response.failed', response })
  }

  body(): TaskEvent {
    return bodyOf(this.#response(this.#status))
  }

  get #status(): 'completed' | 'incomplete' {
    return this.#output.finishReason === 'length' ? 'incomplete' : 'completed'
  }

  #response(status: 'in_progress' | 'completed' | 'incomplete' | 'failed'): object {
    const { requestId, created, now, model, meter } = this.#context
    const isOver = status !== 'in_progress'
    return {
      id: `resp_${requestId}`,
      object: 'response',
      created_at: created,
      status,
      ...(status === 'completed' && { completed_at: Math.floor(now() / 1000) }),
      error: null,
      incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
      model,
      output: isOver ? this.#output.items : [],
      usage: isOver ? responsesUsage(meter) : null,
      ...this.#request.echo,
    }
  }
}

/** The counts as a response tells them. */
function responsesUsage(meter: Meter): object {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = meter
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens, cache_write_tokens: 0 },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: reasoningTokens },
    total_tokens: promptTokens + completionTokens,
  }
}
