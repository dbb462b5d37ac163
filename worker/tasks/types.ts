/** @module What a task is to the link: bytes in, OpenAI documents out, tokens counted on the way. */

import type { Engine } from '../engine/types.ts'
import type { TranslationCache } from './translation/cache.ts'

/**
 * Token counts so far; changed before the event that holds the tokens is handed out. A prompt that no event tells of
 * counts once its prefill is done, that is with the first token after it: a whole answer that is cancelled is charged
 * by these counts.
 */
export interface Meter {
  promptTokens: number
  cachedTokens: number
  completionTokens: number
  reasoningTokens: number
}

export interface TaskContext {
  readonly requestId: string
  /** Unix time in seconds, for the documents. */
  readonly created: number
  /** Unix time in milliseconds, at the moment of the call. */
  readonly now: () => number
  /** The model of the sealed context; the body must name the same. */
  readonly model: string
  readonly maxPromptTokens: number
  /** For each choice. */
  readonly maxOutputTokens: number
  /** Choices; the body must ask for as many. */
  readonly n: number
  /** Of the sealed context; the body must say the same. */
  readonly stream: boolean
  /** How many output tokens the request's maximum charge pays for after this prompt. */
  readonly affordable: (promptTokens: number, cachedTokens: number) => number
  /**
   * A secret of this boot and this payer. Requests with the same `prompt_cache_key` and the same secret share
   * prompt prefixes; absent, nothing is ever shared.
   */
  readonly cacheKey?: string
  /** Where finished translations are kept for the same `cacheKey`; absent: nowhere. */
  readonly translationCache?: TranslationCache
  readonly signal: AbortSignal
  readonly meter: Meter
}

export type TaskEvent =
  /** One JSON document: one server-sent event. */
  | { readonly type: 'event'; readonly json: string }
  /** The whole body of an answer that is not streamed. */
  | { readonly type: 'body'; readonly bytes: Uint8Array }

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly completion_tokens_details: {
    readonly reasoning_tokens: number
    /** Only where a prediction was sent; it changes nothing here, so both are 0. */
    readonly accepted_prediction_tokens?: number
    readonly rejected_prediction_tokens?: number
  }
}

export interface TaskResult {
  readonly finishReason: 'stop' | 'length' | 'tool_calls'
  readonly usage: Usage
}

export type Task = (
  json: Record<string, unknown>,
  context: TaskContext,
  engine: Engine,
) => AsyncGenerator<TaskEvent, TaskResult>

/** The counts as OpenAI's usage object. */
export function usageOf(meter: Meter): Usage {
  const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = meter
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  }
}
