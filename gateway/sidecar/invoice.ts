/** Whether a receipt proves what the gateway charged: signed by an enclave that is trusted, for a request made here. */

import { fromBase64Url, fromHex } from '../../attest/bytes.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import {
  checkDetails,
  type ReceiptBody,
  receiptDigest,
  type SignedReceipt,
  verifyReceipt,
} from '../../attest/receipt/index.ts'
import {
  boundFor,
  charge,
  type Prices,
  parseQuote,
  type Quote,
  quoteDigest,
} from '../../worker/protocol/index.ts'
import { dearer } from './budget.ts'
import { SidecarError, type SidecarErrorCode } from './errors.ts'
import type { PaidRequest } from './state-file.ts'

/** What the gateway says of one receipt; nothing in it is believed. */
export interface Invoice {
  id: unknown
  receipt: unknown
  digest: unknown
  signing_key: unknown
  charged: unknown
  /** Base64url of the quote that the receipt names by its digest. */
  quote?: unknown
  /** Base64url of the counts that the receipt commits to, and of what opens them. */
  details?: unknown
  blind?: unknown
}

/** An enclave whose evidence was accepted, or that a person named. */
export interface TrustedSigner {
  /** 32 bytes. */
  key: Uint8Array
  /** What its evidence proves; absent for a key that a person named. */
  proven?: { tee: string; models: readonly { id: string; sha256: string }[] }
}

/** Most that may be asked for, nanotons per million tokens. */
export type PriceCeiling = Prices

/** What an invoice is held against. */
export interface InvoiceTerms {
  request: Pick<PaidRequest, 'requestId' | 'cap' | 'bounds'>
  signer: TrustedSigner
  prices: PriceCeiling
}

/** A charge that stood every check. Nanotons; `digest` is the receipt's, hex. */
export interface ProvenCharge {
  charged: bigint
  digest: string
}

/**
 * Proves a charge, or says what does not hold.
 * @throws SidecarError ERR_RECEIPT_REFUSED, ERR_OVERCHARGED
 */
export function proveCharge(invoice: Invoice, { request, signer, prices }: InvoiceTerms): ProvenCharge {
  const refuse = refusal(invoice)
  const body = readReceipt(invoice, signer.key, refuse)
  if (body.requestId !== request.requestId || invoice.id !== request.requestId)
    throw refuse('ERR_RECEIPT_REFUSED', 'the receipt is for another request')
  const digest = receiptDigest(invoice.receipt as SignedReceipt)
  if (invoice.digest !== digest) throw refuse('ERR_RECEIPT_REFUSED', 'the digest is not that of the receipt')
  checkSigner(body, signer, refuse)
  const charged = readAmount(invoice.charged)
  if (charged === undefined) throw refuse('ERR_RECEIPT_REFUSED', 'the charge is no amount')
  const signed = BigInt(body.clientCharge)
  const over = (limit: bigint, what: string) =>
    refuse(
      'ERR_OVERCHARGED',
      `${charged > signed ? charged : signed} nanotons are more than the ${limit} ${what}`,
    )
  if (charged > signed) throw over(signed, 'that the enclave signed')
  if (signed > request.cap) throw over(request.cap, 'that the request was allowed to cost')
  const quote = readQuote(invoice, body, refuse)
  checkPrices(quote, prices, refuse)
  if (request.bounds) {
    const { maxPromptTokens, maxOutputTokens, n } = request.bounds
    const bound = boundFor(quote, maxPromptTokens, maxOutputTokens, n)
    if (signed > bound) throw over(bound, 'that a request of this length can cost at this price')
  }
  checkCounts(invoice, body, quote, refuse)
  return { charged, digest }
}

type Refuse = (code: SidecarErrorCode, why: string) => SidecarError

/** Every refusal keeps the whole invoice: that is the evidence. */
function refusal(invoice: Invoice): Refuse {
  const id = typeof invoice.id === 'string' ? invoice.id.slice(0, 64) : '?'
  return (code, why) => new SidecarError(code, `receipt ${id}: ${why}`, { evidence: { invoice } })
}

function readReceipt({ receipt }: Invoice, key: Uint8Array, refuse: Refuse): ReceiptBody {
  try {
    return verifyReceipt(receipt, key)
  } catch (error) {
    if (!(error instanceof ChrysalisError)) throw error
    throw refuse('ERR_RECEIPT_REFUSED', error.message)
  }
}

function checkSigner(
  { tee, model, status, clientCharge }: ReceiptBody,
  { proven }: TrustedSigner,
  refuse: Refuse,
): void {
  if (status === 'refused' && clientCharge !== '0')
    throw refuse('ERR_OVERCHARGED', 'a request that the worker refused was charged')
  if (proven === undefined) return
  if (proven.tee !== tee) throw refuse('ERR_RECEIPT_REFUSED', `it says ${tee}, and ${proven.tee} signed it`)
  const served = proven.models.some(({ id, sha256 }) => id === model.id && sha256 === model.sha256)
  if (!served) throw refuse('ERR_RECEIPT_REFUSED', 'the enclave that signed it does not serve this model')
}

/** What the gateway says that it charged; undefined for what is no amount. */
export function readAmount(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^(0|[1-9]\d{0,26})$/.test(value) ? BigInt(value) : undefined
}

/** The price list under which the enclave charged: its digest is signed, so the gateway cannot show another. */
function readQuote({ quote }: Invoice, body: ReceiptBody, refuse: Refuse): Quote {
  const bytes = decode(quote)
  if (bytes === undefined)
    throw refuse('ERR_RECEIPT_REFUSED', 'the gateway does not show the quote that it was charged under')
  if (quoteDigest(bytes) !== body.quoteDigest)
    throw refuse('ERR_RECEIPT_REFUSED', 'the quote is not the one that the enclave charged under')
  let parsed: Quote
  try {
    parsed = parseQuote(bytes)
  } catch {
    throw refuse('ERR_RECEIPT_REFUSED', 'the quote cannot be read')
  }
  const { id, sha256 } = parsed.model
  if (id !== body.model.id || sha256 !== body.model.sha256)
    throw refuse('ERR_RECEIPT_REFUSED', 'the quote is for another model')
  return parsed
}

function checkPrices({ client, model }: Quote, ceiling: PriceCeiling, refuse: Refuse): void {
  const [kind] = dearer(client, ceiling)
  if (!kind) return
  const text = `${model.id} was charged ${client[kind]} nanotons per million ${kind} tokens; your ceiling is ${ceiling[kind]}`
  throw refuse('ERR_OVERCHARGED', text)
}

/** Counts are shown while the gateway has them; without them the bounds above have to do. */
function checkCounts({ details, blind }: Invoice, body: ReceiptBody, quote: Quote, refuse: Refuse): void {
  if (details === undefined && blind === undefined) return
  const [detailBytes, blindBytes] = [decode(details), decode(blind)]
  try {
    if (detailBytes && blindBytes) {
      const counts = checkDetails(body, detailBytes, blindBytes)
      if (charge(quote.client, counts, quote.step) === BigInt(body.clientCharge)) return
      throw refuse('ERR_OVERCHARGED', 'the charge is not what its token counts cost under the quote')
    }
  } catch (error) {
    if (error instanceof SidecarError || !(error instanceof ChrysalisError)) throw error
  }
  throw refuse('ERR_RECEIPT_REFUSED', 'the token counts are not those that the receipt commits to')
}

function decode(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || value.length > 16_384) return undefined
  try {
    return fromBase64Url(value)
  } catch {
    return undefined
  }
}

/** The key that the gateway names beside a receipt: where to look, and no more. */
export function namedKey({ signing_key: key }: Invoice): string | undefined {
  return typeof key === 'string' && /^[0-9a-f]{64}$/.test(key) && fromHex(key).length === 32 ? key : undefined
}
