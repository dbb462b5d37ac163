/** @module What passes between the worker and the engine's child process (structured clone over the IPC channel). */

import type { EngineErrorCode } from './errors.ts'
import type { EngineEvent, GenerateRequest } from './types.ts'

export type GpuChoice = 'auto' | 'cuda' | 'off'

export interface LoadOptions {
  readonly modelPath: string
  readonly gpu: GpuChoice
  readonly sequences: number
  readonly threads: number
  readonly contextLength: number
  readonly promptStyle: string
  readonly template?: string
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
  | { readonly type: 'stats'; readonly id: number }

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

export type FromChild =
  | { readonly type: 'ready'; readonly accelerator: string }
  | { readonly type: 'failed'; readonly error: WireError }
  | { readonly type: 'events'; readonly events: readonly WireEvent[] }
  /** The answer to `cancel`: this generation computes no more. */
  | { readonly type: 'cancelled'; readonly id: number }
  | { readonly type: 'stats'; readonly id: number; readonly stats: EngineStats }

/** A generation pauses when so many of its events are not yet consumed. */
export const windowEvents = 32
