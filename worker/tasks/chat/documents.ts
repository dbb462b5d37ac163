/** @module OpenAI's documents of a chat completion. */

import type { TokenLogprob } from '../../engine/types.ts'
import type { ChatRequest } from '../../protocol/chat.ts'
import { bodyOf, eventOf } from '../documents.ts'
import { type ContentLogprob, contentLogprob } from '../logprobs.ts'
import type { TaskContext, TaskEvent, Usage } from '../types.ts'
import type { ChoicePart, FinishReason } from './answer.ts'
import type { Call, Choice } from './choice.ts'

interface Delta {
  readonly role?: 'assistant'
  readonly content?: string
  readonly refusal?: null
  readonly reasoning_content?: string
  readonly tool_calls?: readonly object[]
  readonly function_call?: { readonly name?: string; readonly arguments?: string }
}

interface Logprobs {
  readonly content: readonly ContentLogprob[] | null
  readonly refusal: null
}

/** Writes the documents of one completion; all share id, time and model. */
export class ChatDocuments {
  readonly #request: ChatRequest
  readonly #head: { id: string; created: number; model: string; service_tier?: string }
  /** Of each choice, which of its calls are a custom tool's. */
  readonly #custom = new Set<string>()

  constructor(request: ChatRequest, { requestId, created, model }: TaskContext) {
    this.#request = request
    this.#head = {
      id: `chatcmpl-${requestId}`,
      created,
      model,
      ...(request.serviceTier && { service_tier: request.serviceTier }),
    }
  }

  /** The chunk of one part of choice `index`. */
  chunk(index: number, part: ChoicePart): TaskEvent {
    const delta = this.#delta(index, part)
    const finish_reason = part.type === 'end' ? this.#finishReason(part.finishReason) : null
    const logprobs = part.type === 'content' ? this.#logprobs(part.logprobs) : null
    return this.#event([{ index, delta, logprobs, finish_reason }], null)
  }

  usage(usage: Usage): TaskEvent {
    return this.#event([], usage)
  }

  completion(choices: readonly Choice[], usage: Usage): TaskEvent {
    const { metadata } = this.#request
    return bodyOf({
      ...this.#head,
      object: 'chat.completion',
      choices: choices.map((choice, index) => ({
        index,
        message: this.#message(choice),
        logprobs: this.#logprobs(choice.logprobs),
        finish_reason: this.#finishReason(choice.finishReason),
      })),
      usage,
      ...(metadata && { metadata }),
    })
  }

  #message({ content, reasoning, calls }: Choice): object {
    const [call] = calls
    return {
      role: 'assistant',
      content: content === '' && call ? null : content,
      refusal: null,
      annotations: [],
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      ...(call && this.#calls(calls)),
    }
  }

  #calls(calls: readonly Call[]): object {
    const [first] = calls
    if (!this.#request.legacyFunctions) return { tool_calls: calls.map(toolCall) }
    return { function_call: { name: first?.name, arguments: first?.arguments } }
  }

  #delta(choice: number, part: ChoicePart): Delta {
    switch (part.type) {
      case 'start':
        return { role: 'assistant', content: '', refusal: null }
      case 'content':
        return { content: part.text }
      case 'reasoning':
        return { reasoning_content: part.text }
      case 'call': {
        const { index, custom, ...call } = part
        if (custom) this.#custom.add(`${choice} ${index}`)
        if (this.#request.legacyFunctions) return { function_call: { name: call.name, arguments: '' } }
        return { tool_calls: [{ index, ...toolCall({ ...call, custom, arguments: '' }) }] }
      }
      case 'arguments': {
        const { index, text } = part
        if (this.#request.legacyFunctions) return { function_call: { arguments: text } }
        const custom = this.#custom.has(`${choice} ${index}`)
        return {
          tool_calls: [
            { index, ...(custom ? { custom: { input: text } } : { function: { arguments: text } }) },
          ],
        }
      }
      case 'end':
        return {}
    }
  }

  #finishReason(reason: FinishReason): string {
    return reason === 'tool_calls' && this.#request.legacyFunctions ? 'function_call' : reason
  }

  #logprobs(entries: readonly TokenLogprob[] = []): Logprobs | null {
    if (this.#request.logprobs === undefined) return null
    return { content: entries.map(contentLogprob), refusal: null }
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
    return eventOf(document, includeObfuscation)
  }
}

function toolCall({ id, name, custom, arguments: text }: Call): object {
  if (custom) return { id, type: 'custom', custom: { name, input: text } }
  return { id, type: 'function', function: { name, arguments: text } }
}
