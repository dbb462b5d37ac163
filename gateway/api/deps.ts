import type { Logger } from 'pino'
import type { ApiError, AttestationAnswer, AttestationQuery, Prices } from '../../worker/protocol/index.ts'
import type { DispatcherFace } from '../dispatch/index.ts'
import type { ApiKeys, StoredReceipt } from '../ledger/index.ts'
import type { PaymentDesk } from '../pay/index.ts'
import type { ChargeProofs } from '../proofs.ts'
import type { TrustedProxies } from './caller.ts'
import type { IdempotencyStore } from './idempotency/index.ts'
import type { RateLimiter } from './limits.ts'
import type { ModelNames } from './names.ts'

/** A model that at least one verified worker serves. */
export interface CatalogModel {
  id: string
  sha256: string
  /** Tokens of prompt and answer together. */
  contextLength: number
  /** Unix seconds since which this gateway knows the model. */
  created: number
  quantization: string
  /** BCP 47 languages that the model translates between; absent when it does not say. */
  languages?: readonly string[]
  /** What a client pays, nanotons per million tokens. */
  price: Prices
  /** Verified workers that serve it now. */
  workers: number
  /** The weakest kind of TEE among them, e.g. `simulated-tdx`. */
  tee: string
}

/** What the HTTP face stands on. Everything behind it is reached through this. */
export interface ApiDeps {
  dispatcher: Pick<DispatcherFace, 'dispatch'>
  keys: Pick<ApiKeys, 'find'>
  /** Payments that clients sign themselves; absent: API keys only. */
  payments?: PaymentDesk | undefined
  receipts: { receipt(requestId: string): Promise<StoredReceipt | undefined> }
  /** Quotes and token counts, shown with receipts; absent: receipts alone. */
  proofs?: ChargeProofs | undefined
  /** Evidence for a caller at this address; throws ApiError. */
  attestation: { answer(query: AttestationQuery, address: string): Promise<AttestationAnswer> }
  catalog: () => readonly CatalogModel[]
  /** Aliases and the default model. */
  names: ModelNames
  limiter: RateLimiter
  /** Executions by Idempotency-Key. */
  idempotency: IdempotencyStore
  /** Whether a model that is not in the catalog now may come back: then it is 503, not 404. */
  mayReturn: (model: string) => boolean
  /** Names what is missing before requests can be served; empty when ready. */
  missing: () => readonly string[]
  /** Why nobody can be trusted with a request now: a 503; undefined while somebody can. */
  distrust?: () => ApiError | undefined
  /** Reverse proxies that say whom they were called by; absent: none. */
  proxies?: TrustedProxies | undefined
  /** This gateway is about to stop: what runs is finished, nothing new is begun. */
  draining: () => boolean
  /** The weakest kind of TEE behind this gateway; said in every answer. */
  tee: 'simulated' | 'tdx'
  /** The listener is bound to this machine only, so requests have to name it. */
  loopback: boolean
  /** Origins of web pages that may call; `*` for all of them. */
  corsOrigins: readonly string[]
  limits: {
    /** bytes of a request body */
    bodyBytes: number
    /** milliseconds from admission to the last byte */
    deadlineMs: number
    /** milliseconds of silence within a stream after which a comment goes out */
    keepAliveMs: number
  }
  /** wall milliseconds */
  now: () => number
  /** monotonic milliseconds */
  monotonic: () => number
  /** Calls `fn` once after `ms` milliseconds; the returned function takes that back. */
  after: (ms: number, fn: () => void) => () => void
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}
