import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import type { PaymentTerms } from '../../worker/protocol/link.ts'
import type { Prices, Quote } from '../../worker/protocol/quote.ts'
import type { HeldReceipt } from './held.ts'
import type { Flushed, LinkStream } from './stream.ts'

export type { HeldReceipt } from './held.ts'

/** Structured log without content; pino fits. Fields are codes and ids of ours, never bytes of a worker. */
export interface LinkLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** A model that an attested worker serves, from its claims. */
export interface WorkerModel {
  id: string
  sha256: string
  quantization: string
  contextLength: number
  /** BCP 47; absent when the model file does not say. */
  languages?: readonly string[]
}

/** One epoch of a worker, from accepted evidence. */
export interface VerifiedEpoch {
  /** 32 hex digits. */
  id: string
  /** X-Wing public key, 1216 bytes. */
  publicKey: Uint8Array
  /** SHA-256 of the claims, 64 hex digits. */
  claimsDigest: string
  /** Wall time in ms. */
  notBefore: number
  notAfter: number
}

/** What stays the same over all epochs of one boot of a worker. */
export interface WorkerIdentity {
  /** Hex of the signing key: the ledger's name of the worker, and enough to check its receipts later. */
  workerId: string
  /** Ed25519, 32 bytes. */
  signingKey: Uint8Array
  /** 32 hex digits. */
  bootId: string
  tee: string
  models: readonly WorkerModel[]
  /** Where this worker is paid, as its claims say. */
  payoutAddress: string
}

/** What the terms for a worker are made from. */
export interface JoinRequest extends WorkerIdentity {
  /** What the worker asks, by model. */
  prices: readonly { model: string; prices: Prices }[]
  /** Hex of the Ed25519 key with which it would agree to an early close of its channel. */
  payoutKey?: string
}

/** The channel that pays a worker. */
export interface WorkerPayment {
  /** Its id in the ledger. */
  ledgerChannel: string
  /** What the worker is told of it; null pays nothing. */
  terms: PaymentTerms | null
}

/** A voucher as its payee keeps it. */
export interface ShownVoucher {
  /** Nanotons. */
  ceiling: bigint
  /** 64 bytes. */
  signature: Uint8Array
}

/** A quote under its name. */
export interface NamedQuote {
  quote: Quote
  /** Hex. */
  digest: string
}

/** What a welcomed worker is, for lists, metrics and the console. */
export interface WorkerView {
  workerId: string
  bootId: string
  /** Names the connection in logs. */
  session: string
  tee: string
  state: 'recovering' | 'ready' | 'draining'
  models: readonly WorkerModel[]
  quotes: readonly NamedQuote[]
  slots: number
  /** Requests of this gateway that hold a slot. */
  active: number
  /** The worker's own count of waiting requests, from its last heartbeat. */
  queued: number
  /** False while no epoch has more than the margin left. */
  attested: boolean
  claimsDigest: string | undefined
  epochEnds: number | undefined
  joinedAt: number
  /** The ledger's name of the channel that pays it. */
  ledgerChannel: string
}

/** A joined worker as those see it who want its evidence. */
export interface EvidenceSource {
  /** Hex of its attested signing key. */
  readonly workerId: string
  readonly models: readonly WorkerModel[]
  /** The evidence that it was let in by, or its newest epoch; absent when that was too large to be kept. */
  readonly stapled: EvidenceBundle | undefined
  /** Evidence over somebody's nonce (32 bytes), exactly as the worker wrote it. @throws RelayError */
  evidence(nonce: Uint8Array): Promise<EvidenceBundle>
}

/** The ways in which the dispatcher can speak to a joined worker. */
export interface WorkerHandle extends WorkerIdentity {
  readonly session: string
  readonly payment: WorkerPayment
  /** These requests are settled; the worker may forget their receipts. Says nothing when the link is gone. */
  acknowledge(requestIds: readonly string[]): void
  /** Hands over the worker's newest voucher (64-byte signature). */
  voucher(ceiling: bigint, signature: Uint8Array): void
  /** Cuts the link for a breach that was found outside it, and bars the boot for a while. */
  condemn(reason: string): void
}

/** A slot on a worker, with everything that a request needs to be sealed to it. */
export interface Lease {
  readonly worker: WorkerHandle
  readonly model: WorkerModel
  readonly epoch: VerifiedEpoch
  readonly quote: NamedQuote
  /**
   * Opens the stream that uses the slot; once. The worker is granted again what was taken from it once that is flushed.
   * @throws LinkError when the link is gone
   */
  open(flushed?: Flushed): LinkStream
  /** Gives the slot back when no stream was opened; otherwise nothing. */
  release(): void
}

/** `none`: no joined worker has the model (other than excluded ones). `busy`: some have, without a free slot. */
export type PickResult = { kind: 'lease'; lease: Lease } | { kind: 'busy' } | { kind: 'none' }

export interface PickOptions {
  /** Boots that this request has failed on. */
  exclude?: ReadonlySet<string>
  /** The weights that the request is for; any when absent. */
  sha256?: string | undefined
  /** Least context, in tokens: the request's bounds were made for it. */
  contextLength?: number | undefined
  /** Terms that the request cannot take, e.g. a price above its reservation. */
  accepts?: (quote: NamedQuote) => boolean
}

/** What the pool tells its one listener (the dispatcher). */
export interface PoolListener {
  /** A slot may have become free. */
  onCapacity(): void
  /** Receipts that a worker kept; `done` with the last batch of a connection. Resolved before more is read from it. */
  onHeld(worker: WorkerHandle, receipts: readonly HeldReceipt[], done: boolean): Promise<void>
  /** A receipt for a request that the dispatcher has already let go. */
  onLateReceipt(worker: WorkerHandle, receipt: HeldReceipt): void
}

/** Bounds and times of the link; times in milliseconds. */
export interface LinkLimits {
  /** Interval of pings; a side that hears nothing for 2.5 of them drops the link. */
  heartbeatMs: number
  /** From connection to join. */
  joinMs: number
  /** From connection to welcome. */
  handshakeMs: number
  /** Connections that have not joined yet. */
  maxPending: number
  maxWorkers: number
  /** Bytes waiting in a worker's socket before it counts as not reading. */
  maxBufferedBytes: number
  /** Slots that one worker may offer. */
  maxSlots: number
  /** A worker with less than this left of its epoch gets no new work. */
  epochMarginMs: number
  /** Shortest time between two attest-requests of one connection. */
  attestIntervalMs: number
  /** How long a condemned boot is refused. */
  barMs: number
  /** From a stranger's nonce to a worker's evidence over it. */
  relayMs: number
  /** Nonces that may wait for one worker, besides the one that it works on. */
  relayWaiting: number
  /** The largest evidence, as JSON, that is kept of a worker; with `maxWorkers` it bounds the memory for it. */
  maxStapledBytes: number
}

export const DEFAULT_LINK_LIMITS: LinkLimits = {
  heartbeatMs: 15_000,
  joinMs: 10_000,
  handshakeMs: 30_000,
  maxPending: 32,
  maxWorkers: 1024,
  maxBufferedBytes: 8 * 1024 * 1024,
  maxSlots: 256,
  epochMarginMs: 30_000,
  attestIntervalMs: 1_000,
  barMs: 60_000,
  relayMs: 10_000,
  relayWaiting: 8,
  maxStapledBytes: 256 * 1024,
}
