/** What the HTTP face asks of the dispatcher, and what the dispatcher asks of the ledger. */

import type { ApiErrorObject } from '../../worker/protocol/errors.ts'

/** The part of an API key that a dispatch needs: its row in the ledger and the channel that it draws on. */
export interface DispatchKey {
  id: string
  channel: string
}

/** One admitted request: authenticated, within its limits, its JSON validated by the face. */
export interface DispatchRequest {
  /** Safe in headers and logs (see `requestIdSchema`); unique for ever on this ledger. */
  requestId: string
  key: DispatchKey
  /** Upper case. */
  method: string
  /** The path as the worker knows it, e.g. `/v1/chat/completions`. */
  path: string
  /** The plaintext. The dispatcher drops its reference once the last seal that may be needed is made. */
  body: Uint8Array
  model: string
  /** The weights that the face showed under this name; workers with others are not asked. Any when absent. */
  sha256?: string
  /** The context for which the bounds below were made, in tokens: workers with less are not asked. */
  contextLength?: number
  stream: boolean
  maxPromptTokens: number
  /** For each choice. */
  maxOutputTokens: number
  /** Choices that are made; 1 when absent. */
  n?: number
  /** Bytes that the answer may have besides the text of its tokens: log probabilities, vectors. */
  extraBytes?: number
  /** Most nanotons that the client lets it cost; its key's limits alone when absent. */
  maxCharge?: bigint
  /** The client went away: stop the worker, charge what was delivered; of a whole answer, what was made. */
  signal: AbortSignal
  /** Resolves when all events that were pulled have left this process; absent where what is pulled is delivered. */
  flushed?: () => Promise<void>
  /** Milliseconds of wall time after which nobody wants the answer. */
  deadline: number
}

/** One opened frame: a JSON document that is the data of one SSE event, or bytes of a JSON body. */
export type DispatchEvent =
  | { readonly type: 'event'; readonly json: Uint8Array }
  | { readonly type: 'body'; readonly bytes: Uint8Array }

/** Which machine answers; all of it is public. For response headers and logs. */
export interface DispatchedTo {
  /** Hex of the worker's attested signing key. */
  workerId: string
  bootId: string
  tee: string
  claimsDigest: string
  model: { id: string; sha256: string }
}

/** How a request ended, after its charge was committed. */
export interface DispatchFinal {
  /** The worker's HTTP status, 200 for success. */
  status: number
  /** OpenAI's `finish_reason`, as signed. */
  finishReason: string
  /** OpenAI's usage object as the worker wrote it; its counts equal those that were charged. */
  usage: Readonly<Record<string, unknown>> | null
  /** Response headers that the worker asked for, from a short list of allowed names. */
  headers: Readonly<Record<string, string>>
  /** Hex; what `GET /v1/receipts/{id}` serves under this request id has this digest. */
  receiptDigest: string
  /** Nanotons that the client's channel was charged. */
  charged: bigint
  /** The token counts that the receipt commits to, and what opens them. */
  counts: { details: Uint8Array; blind: Uint8Array }
}

export interface DispatchResponse {
  readonly requestId: string
  readonly worker: DispatchedTo
  /**
   * Opened frames as the consumer pulls them; nothing is read ahead of it beyond the link's credit window. Ends only
   * after the charge is committed; throws ApiError when the answer cannot be finished (also after the charge by the
   * highest verified partial receipt). Leaving the loop early cancels the worker. To be iterated once.
   */
  readonly events: AsyncIterable<DispatchEvent>
  /** Resolves with the success, rejects with the same ApiError as `events`. Unhandled rejections are harmless. */
  readonly done: Promise<DispatchFinal>
}

/** The dispatcher's public face. */
export interface DispatcherFace {
  /**
   * Runs one request. Resolves when the first frame is there (or the request succeeded without any).
   * @throws ApiError for everything that ends before the first frame: 402, 409, 429, 502, 503, 504 and the worker's
   *   own refusals (400, 404 …) with `param`
   */
  dispatch(request: DispatchRequest): Promise<DispatchResponse>
  /** Counts for `/readyz` and metrics. */
  stats(): DispatchStats
  /** Takes no new requests, waits for the running ones until `deadlineMs` from now, then cancels them. */
  drain(deadlineMs: number): Promise<void>
}

export interface DispatchStats {
  /** Requests waiting for a worker. */
  queued: number
  /** Requests whose worker was chosen and whose charge is not yet committed. */
  active: number
}

/** A final frame's outcome other than success, in OpenAI's words. */
export interface WorkerRefusal {
  status: number
  error: ApiErrorObject
  headers: Readonly<Record<string, string>>
}

/** Bounds and times of the dispatcher; all times in milliseconds. */
export interface DispatchLimits {
  /** Requests that may wait for a worker, over all keys. */
  maxQueued: number
  /** Requests of one API key that may wait. */
  maxQueuedPerKey: number
  /** Longest wait for a worker. */
  queueMs: number
  /** From handing over the request to the first chunk of the response. */
  firstFrameMs: number
  /** Longest silence of a worker in mid-response, while the consumer waits for it. */
  idleMs: number
  /** Longest time that the consumer may leave a frame untaken: a slot is held meanwhile. */
  stallMs: number
  /** Requests of one API key at once, those that wait for a worker included. */
  maxActivePerKey: number
  /** How long a cancelled worker may take to hand in its receipt. */
  cancelMs: number
  /** Seals of one request id, each to another worker. */
  maxAttempts: number
}

export const DEFAULT_DISPATCH_LIMITS: DispatchLimits = {
  maxQueued: 256,
  maxQueuedPerKey: 64,
  queueMs: 30_000,
  firstFrameMs: 120_000,
  idleMs: 60_000,
  stallMs: 60_000,
  maxActivePerKey: 128,
  cancelMs: 5_000,
  maxAttempts: 3,
}
