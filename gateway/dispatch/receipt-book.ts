import { equalBytes, fromHex, toHex } from '../../attest/bytes.ts'
import {
  checkDetails,
  type ReceiptBody,
  type ReceiptDetails,
  receiptDigest,
  type SignedReceipt,
  verifyReceipt,
} from '../../attest/receipt/index.ts'
import type { SealedRequest } from '../../attest/seal/index.ts'
import { charge } from '../../worker/protocol/quote.ts'
import type { NamedQuote } from '../link/index.ts'
import { IntegrityError } from './errors.ts'
import type { FinalFrame } from './final.ts'

/** A receipt that stood every check. */
export interface VerifiedReceipt {
  readonly signed: SignedReceipt
  /** Hex. */
  readonly digest: string
  readonly status: ReceiptBody['status']
  /** Nanotons. */
  readonly clientCharge: bigint
  readonly workerCharge: bigint
}

/** What a receipt for one sealed request has to say. */
export interface ReceiptTerms {
  /** The attested key of the worker, 32 bytes. */
  signingKey: Uint8Array
  sealed: Pick<SealedRequest, 'ctx' | 'h' | 'authHash'>
  quote: NamedQuote
  /** Nanotons. */
  maxCharge: bigint
  maxWorkerCharge: bigint
}

/** The receipts of one sealed request: each is checked against what was agreed, the highest is kept. */
export class ReceiptBook {
  readonly #terms: ReceiptTerms
  #best: VerifiedReceipt | undefined

  constructor(terms: ReceiptTerms) {
    this.#terms = terms
  }

  /** The highest receipt so far that stood every check. */
  get best(): VerifiedReceipt | undefined {
    return this.#best
  }

  /**
   * Takes a receipt that came beside the frames.
   * @param final whether the worker says that it is its last
   * @param transcript of the frames that were opened so far, 32 bytes
   * @throws IntegrityError, ReceiptError
   */
  add(signed: SignedReceipt, final: boolean, transcript: Uint8Array): void {
    const body = this.#check(signed, transcript)
    if (!final && body.status !== 'partial')
      throw fault('ERR_RECEIPT_STATUS', 'a receipt in mid-stream is not partial')
    this.#keep(signed, body)
  }

  /**
   * Takes the receipt of the final frame, whose details are known, so that its charge can be recomputed.
   * @throws IntegrityError, ReceiptError, QuoteError
   */
  close(final: FinalFrame, transcript: Uint8Array): VerifiedReceipt {
    const body = this.#check(final.receipt, transcript)
    if (final.transcript !== toHex(transcript))
      throw fault('ERR_RECEIPT_TRANSCRIPT', 'the final transcript differs')
    const succeeded = final.error === undefined
    if (succeeded !== (body.status === 'complete')) {
      throw fault('ERR_RECEIPT_STATUS', 'the status of the receipt contradicts the answer')
    }
    this.#checkCharge(body, checkDetails(body, final.details, final.blind), final)
    return this.#keep(final.receipt, body)
  }

  #check(signed: SignedReceipt, transcript: Uint8Array): ReceiptBody {
    const { signingKey, sealed, quote, maxCharge, maxWorkerCharge } = this.#terms
    const body = verifyReceipt(signed, signingKey)
    const { ctx } = sealed
    const agreed =
      body.requestId === ctx.requestId &&
      body.h === toHex(sealed.h) &&
      body.authHash === toHex(sealed.authHash) &&
      body.claimsDigest === ctx.claimsDigest &&
      body.model.id === ctx.model.id &&
      body.model.sha256 === ctx.model.sha256 &&
      body.quoteDigest === quote.digest &&
      body.tee === ctx.tee &&
      body.payerKind === ctx.payer.kind
    if (!agreed)
      throw fault('ERR_RECEIPT_TERMS', 'the receipt is for another request, model, quote or enclave')
    if (!equalBytes(fromHex(body.transcript), transcript)) {
      throw fault('ERR_RECEIPT_TRANSCRIPT', 'the receipt covers other frames than those that came')
    }
    const clientCharge = BigInt(body.clientCharge)
    const workerCharge = BigInt(body.workerCharge)
    if (clientCharge > maxCharge || workerCharge > maxWorkerCharge) {
      throw fault('ERR_RECEIPT_CHARGE', 'the receipt charges more than was reserved')
    }
    if (body.status === 'refused' && (clientCharge !== 0n || workerCharge !== 0n)) {
      throw fault('ERR_RECEIPT_CHARGE', 'a refused request was charged')
    }
    const best = this.#best
    if (best && (clientCharge < best.clientCharge || workerCharge < best.workerCharge)) {
      throw fault('ERR_RECEIPT_CHARGE', 'the receipt charges less than the one before it')
    }
    return body
  }

  #checkCharge(body: ReceiptBody, details: ReceiptDetails, { usage, finishReason }: FinalFrame): void {
    if (body.status === 'refused') return
    const { quote } = this.#terms.quote
    const { maxPromptTokens, maxOutputTokens, n } = this.#terms.sealed.ctx
    if (details.promptTokens > maxPromptTokens || details.completionTokens > maxOutputTokens * n) {
      throw fault('ERR_RECEIPT_COUNTS', 'more tokens than the request allows')
    }
    const right =
      charge(quote.client, details, quote.step) === BigInt(body.clientCharge) &&
      charge(quote.worker, details, quote.step) === BigInt(body.workerCharge)
    if (!right) throw fault('ERR_RECEIPT_CHARGE', 'the charge is not that of the counts under the quote')
    const shown =
      usage === null ||
      (usage.prompt_tokens === details.promptTokens && usage.completion_tokens === details.completionTokens)
    if (!shown || (finishReason !== null && finishReason !== details.finishReason)) {
      throw fault('ERR_RECEIPT_COUNTS', 'the usage shown is not the usage signed')
    }
  }

  #keep(signed: SignedReceipt, body: ReceiptBody): VerifiedReceipt {
    this.#best = {
      signed,
      digest: receiptDigest(signed),
      status: body.status,
      clientCharge: BigInt(body.clientCharge),
      workerCharge: BigInt(body.workerCharge),
    }
    return this.#best
  }
}

function fault(code: string, message: string): IntegrityError {
  return new IntegrityError(code, message)
}
