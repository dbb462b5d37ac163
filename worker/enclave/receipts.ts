import { type KeyObject, randomBytes } from 'node:crypto'
import { toHex } from '../../attest/bytes.ts'
import {
  BLIND_BYTES,
  type ReceiptDetails,
  type ReceiptStatement,
  type SignedReceipt,
  signReceipt,
} from '../../attest/receipt/index.ts'
import type { OpenedRequest } from '../../attest/seal/index.ts'
import type { Clock } from '../clock.ts'
import { charge, type Quote, type TokenCounts } from '../protocol/index.ts'

/** Completion tokens after which a partial receipt is due. */
export const RECEIPT_TOKENS = 64
/** Milliseconds after which a partial receipt is due for what was delivered since the last one. */
export const RECEIPT_MS = 1_000

export interface ReceiptChainOptions {
  opened: Pick<OpenedRequest, 'ctx' | 'h' | 'authHash'>
  quote: Quote
  signingKey: KeyObject
  clock: Clock
}

/** A receipt with what only the payer learns of it. */
export interface IssuedReceipt {
  signed: SignedReceipt
  details: ReceiptDetails
  blind: Uint8Array
  /** Nanotons. */
  workerCharge: bigint
}

const NOTHING: TokenCounts = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }

/**
 * The receipts of one request: cumulative, none above the maximum charge, at most one final. It counts what was
 * delivered, which is what is charged for when a response does not end well; of a whole answer that its client
 * cancelled, all that was made counts as delivered.
 */
export class ReceiptChain {
  readonly #options: ReceiptChainOptions
  readonly #maxCharge: bigint
  readonly #startedAt: number
  #firstTokenAt: number | null = null
  #delivered: TokenCounts = NOTHING
  #signedTokens = 0
  #signedAt: number
  #unsigned = false
  #closed = false

  constructor(options: ReceiptChainOptions) {
    this.#options = options
    this.#maxCharge = BigInt(options.opened.ctx.maxCharge)
    this.#startedAt = options.clock.now()
    this.#signedAt = options.clock.monotonic()
  }

  /**
   * Counts what the response now holds.
   * @returns false, with nothing counted, when that would cost more than the request may
   */
  deliver(counts: TokenCounts): boolean {
    if (this.#clientCharge(counts) > this.#maxCharge) return false
    if (this.#firstTokenAt === null && counts.completionTokens > 0)
      this.#firstTokenAt = this.#options.clock.now()
    this.#delivered = { ...counts }
    this.#unsigned = true
    return true
  }

  /** Milliseconds until a partial receipt is due: 0 now, undefined when nothing is unsigned. */
  get dueIn(): number | undefined {
    if (!this.#unsigned || this.#closed) return undefined
    if (this.#delivered.completionTokens - this.#signedTokens >= RECEIPT_TOKENS) return 0
    return Math.max(0, this.#signedAt + RECEIPT_MS - this.#options.clock.monotonic())
  }

  /** Signs for what was delivered, over `transcript` (32 bytes). */
  partial(transcript: Uint8Array): IssuedReceipt {
    return this.#issue('partial', 'in_progress', transcript)
  }

  /** Signs the last receipt of a response that ended well. */
  complete(finishReason: string, transcript: Uint8Array): IssuedReceipt {
    this.#closed = true
    return this.#issue('complete', finishReason, transcript)
  }

  /** Signs the last receipt of one that did not: for what was delivered, or a refusal when that costs nothing. */
  fail(finishReason: string, transcript: Uint8Array): IssuedReceipt {
    this.#closed = true
    const free = this.#clientCharge(this.#delivered) === 0n && this.#workerCharge(this.#delivered) === 0n
    return this.#issue(free ? 'refused' : 'partial', finishReason, transcript)
  }

  #issue(status: ReceiptStatement['status'], finishReason: string, transcript: Uint8Array): IssuedReceipt {
    const { opened, quote, signingKey, clock } = this.#options
    const { ctx, h, authHash } = opened
    const now = clock.now()
    const details: ReceiptDetails = {
      ...this.#delivered,
      finishReason,
      startedAt: this.#startedAt,
      firstTokenAt: this.#firstTokenAt,
      endedAt: now,
    }
    const workerCharge = this.#workerCharge(this.#delivered)
    const statement: ReceiptStatement = {
      requestId: ctx.requestId,
      h: toHex(h),
      authHash: toHex(authHash),
      claimsDigest: ctx.claimsDigest,
      transcript: toHex(transcript),
      model: quote.model,
      quoteDigest: ctx.quoteDigest,
      clientCharge: String(this.#clientCharge(this.#delivered)),
      workerCharge: String(workerCharge),
      status,
      tee: ctx.tee,
      payerKind: ctx.payer.kind,
      issuedAt: now,
    }
    const blind = new Uint8Array(randomBytes(BLIND_BYTES))
    const signed = signReceipt(statement, details, blind, signingKey)
    this.#signedTokens = this.#delivered.completionTokens
    this.#signedAt = clock.monotonic()
    this.#unsigned = false
    return { signed, details, blind, workerCharge }
  }

  #clientCharge(counts: TokenCounts): bigint {
    return charge(this.#options.quote.client, counts, this.#options.quote.step)
  }

  #workerCharge(counts: TokenCounts): bigint {
    return charge(this.#options.quote.worker, counts, this.#options.quote.step)
  }
}
