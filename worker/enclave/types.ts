import type { SignedReceipt } from '../../attest/receipt/index.ts'
import type { Engine } from '../engine/index.ts'
import type { Prices, Quote, StreamHint, TokenCounts } from '../protocol/index.ts'
import type { TaskContext, TaskEvent, TaskResult } from '../tasks/index.ts'

/** Why a request is stopped before its end. */
export type StopReason = 'cancelled' | 'link_lost' | 'deadline' | 'overrun' | 'internal'

/** How one response leaves the worker; the link gives one for each stream. */
export interface ResponseSink {
  /** Fires with a StopReason as its reason, `cancelled` or `link_lost`. */
  readonly signal: AbortSignal
  /** Chunks that may be sent now; 0 also while the socket is full. */
  readonly room: number
  /** True once nothing that is sent arrives any more. */
  readonly lost: boolean
  /** The highest partial receipt whose chunks the gateway has all passed on: what it owes whatever happens to it. */
  readonly proven: SignedReceipt | undefined
  /** Resolves true when there is room, false as soon as the signal fires without any. */
  ready(): Promise<boolean>
  /** Sends one wire unit; only with room. */
  chunk(unit: Uint8Array): void
  receipt(requestId: string, receipt: SignedReceipt, final: boolean): void
  /** The last message of the stream. */
  end(hint?: StreamHint): void
}

/** A receipt that the worker keeps until its charge is acknowledged. */
export interface KeptReceipt {
  requestId: string
  /** What a gateway that lost its memory is asked to pay by: `ResponseSink.proven`, not always the newest. */
  receipt: SignedReceipt | undefined
  final: boolean
  /** Nanotons, by the newest. */
  workerCharge: bigint
  /** Id of the model. */
  model: string
  /** What the newest charges for. */
  tokens: TokenCounts
}

/** What a request on one joined link stands on. */
export interface ServeTerms {
  /** The gateway's name: contexts must hold it. */
  gatewayId: string
  /** The gateway's attested Ed25519 key, 32 bytes. */
  gatewayKey: Uint8Array
  /** The quotes that this gateway may name, by digest (hex). */
  quotes: ReadonlyMap<string, Quote>
  /** Whether the gateway is within its credit. */
  creditworthy(): boolean
  /** Called with each receipt that is worth keeping, before it is sent. */
  keep(receipt: KeptReceipt): void
}

/** Runs one opened request; `runTask` of worker/tasks. */
export type TaskRunner = (request: {
  path: string
  body: Uint8Array
  context: TaskContext
  engine: Engine
}) => AsyncGenerator<TaskEvent, TaskResult>

/** What the worker asks for its model. */
export interface Offer {
  model: string
  prices: Prices
}
