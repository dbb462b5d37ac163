/** @module What passes between the worker and the engine's child process (structured clone over the IPC channel). */

import type { EngineErrorCode } from './errors.ts'
import type { Embedding, EmbeddingInput, EngineEvent, GenerateRequest, ModelInfo, Prompt } from './types.ts'

export type GpuChoice = 'auto' | 'cuda' | 'off'

export interface LoadOptions {
  readonly modelPath: string
  readonly gpu: GpuChoice
  readonly sequences: number
  readonly threads: number
  readonly contextLength: number
  readonly promptStyle: string
  readonly template?: string
  readonly reasoning?: ModelInfo['reasoning']
  /** `naive`: llama.cpp's own batch order, for comparison in the bench. */
  readonly batching: 'sorted' | 'naive'
}

export type WireRequest = Omit<GenerateRequest, 'limit'>

export type ToChild =
  | { readonly type: 'load'; readonly options: LoadOptions }
  | { readonly type: 'generate'; readonly id: number; readonly request: WireRequest }
  /** The answer to a `prompt` event: how many tokens may be generated. */
  | { readonly type: 'go'; readonly id: number; readonly maxTokens: number }
  /** So many more events of this generation have been consumed. */
  | { readonly type: 'ack'; readonly id: number; readonly events: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }

/** What is answered by one value. */
export type Question =
  | { readonly kind: 'stats' }
  | { readonly kind: 'count'; readonly prompt: Prompt }
  | { readonly kind: 'countInput'; readonly input: EmbeddingInput }
  | { readonly kind: 'embed'; readonly input: EmbeddingInput; readonly maxTokens: number }

export interface Answers {
  readonly stats: EngineStats
  readonly count: number
  readonly countInput: number
  readonly embed: Embedding
}

export interface WireError {
  readonly code: EngineErrorCode
  readonly message: string
  readonly promptTokens?: number
  readonly limit?: number
}

export type WireEvent =
  | { readonly id: number; readonly event: EngineEvent }
  | { readonly id: number; readonly error: WireError }

/** Counters since the start, and where each running generation stands. For tests, benches and metrics. */
export interface EngineStats {
  /** How many batches held so many sequences: index = sequences. */
  readonly batches: readonly number[]
  readonly running: readonly { readonly id: number; readonly tokens: number; readonly stalled: boolean }[]
  readonly waiting: number
  readonly cancelled: number
  /** The most tokens that any generation produced after the child had read its cancellation. */
  readonly tokensAfterCancel: number
}

/** What only the loaded model tells. */
export interface ReadyFacts {
  readonly accelerator: string
  /** The model has tokens to fill in a middle. */
  readonly infill: boolean
}

export type FromChild =
  | ({ readonly type: 'ready' } & ReadyFacts)
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'events'; readonly events: readonly WireEvent[] }
  /** The answer to `cancel`: this generation computes no more, or this question will not be answered. */
  | { readonly type: 'cancelled'; readonly id: number }
  | { readonly type: 'answer'; readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly type: 'unanswered'; readonly id: number; readonly error: WireError }

/** A generation pauses when so many of its events are not yet consumed. */
export const windowEvents = 32
