/**
 * The signature that binds a payment to one HTTP request, so that a captured header buys nothing else. Plain Ed25519 by
 * the channel's voucher key over the lines of `paymentRequestText`; a voucher signs 32 bytes, so neither is ever the other.
 */

import { createHash, type KeyObject, sign, verify } from 'node:crypto'
import type { Address } from '@ton/core'
import { ContractsError } from '../errors.ts'
import { publicKeyObject } from '../voucher/keys.ts'
import { paymentNetwork, paymentRequestIdSchema, type VoucherPayload } from './wire.ts'

/** How far ahead a request may expire, in seconds. */
export const MAX_REQUEST_SECONDS = 300

/** The request that a payment is for. */
export interface PaymentRequestTerms {
  globalId: number
  channel: Address
  /** Upper case. */
  method: string
  /** Path with query, exactly as in the request line: `/v1/chat/completions`. */
  path: string
  /** As sent, content coding included; empty where there is none. */
  body: Uint8Array
  /** 16 to 64 of A-Z a-z 0-9 _ - that the payer has used for no other request of the channel. */
  id: string
  /** Most nanotons that the payer lets this request cost: `accepted.amount`. */
  amount: bigint
  /** Unix seconds; at most {@link MAX_REQUEST_SECONDS} ahead. */
  expires: number
}

/**
 * Signs a request. `key` is the private half of the channel's voucherKey.
 *
 * @returns what goes into `payload.request`
 * @throws ContractsError ERR_PAYMENT_REQUEST for a term that could not be signed without doubt
 */
export function signPaymentRequest(key: KeyObject, terms: PaymentRequestTerms): VoucherPayload['request'] {
  const { id, expires } = terms
  return { id, expires, signature: sign(null, paymentRequestText(terms), key).toString('base64') }
}

/**
 * Checks the signature of a request. Pass a KeyObject that you keep; the key must have passed `checkVoucherKey` once.
 *
 * @param signature base64 of 64 bytes
 * @throws ContractsError ERR_PAYMENT_SIGNATURE, ERR_PAYMENT_REQUEST
 */
export function verifyPaymentRequest(
  publicKey: KeyObject | Uint8Array,
  terms: PaymentRequestTerms,
  signature: string,
): void {
  const key = publicKey instanceof Uint8Array ? publicKeyObject(publicKey) : publicKey
  const bytes = Buffer.from(signature, 'base64')
  if (bytes.length === 64 && verify(null, paymentRequestText(terms), key, bytes)) return
  throw new ContractsError(
    'ERR_PAYMENT_SIGNATURE',
    'request.signature: not the signature of the voucher key over this network, channel, method, path, body, id, amount and time',
  )
}

/**
 * Whether a request may still be served, by the clock of the payee.
 *
 * @param now Unix seconds
 * @throws ContractsError ERR_PAYMENT_EXPIRED naming both times
 */
export function checkPaymentExpiry(expires: number, now: number): void {
  if (expires > now && expires <= now + MAX_REQUEST_SECONDS) return
  const problem = expires <= now ? 'is over' : `is more than ${MAX_REQUEST_SECONDS} s ahead`
  throw new ContractsError(
    'ERR_PAYMENT_EXPIRED',
    `request.expires: ${expires} ${problem}, as it is ${Math.floor(now)} here; set the clock, and sign again`,
  )
}

/**
 * The id under which the payee's ledger, the worker's receipt and the answer's headers know a request: 32 hexadecimal
 * digits that follow from the channel and the payer's id, so that no payer can take an id of another's request.
 *
 * @param id `payload.request.id`
 */
export function paymentRequestId(channel: Address, id: string): string {
  return sha256(`chrysalis/payment-request-id/1\n${channel.toRawString()}\n${id}\n`).slice(0, 32)
}

/**
 * The bytes that are signed; no term can hold a line break, so no two requests have the same.
 *
 * @throws ContractsError ERR_PAYMENT_REQUEST for a term that breaks this
 */
export function paymentRequestText(terms: PaymentRequestTerms): Buffer {
  const { globalId, channel, method, path, body, id, amount, expires } = terms
  need(/^[A-Z]{1,16}$/.test(method), 'method', 'upper-case letters')
  need(/^\/[\x21-\x7e]*$/.test(path), 'path', 'visible ASCII that begins with a slash')
  need(paymentRequestIdSchema.safeParse(id).success, 'id', '16-64 of A-Z a-z 0-9 _ -')
  need(amount >= 0n, 'amount', 'nanotons, 0 or more')
  need(Number.isSafeInteger(expires) && expires > 0, 'expires', 'whole Unix seconds')
  const lines = [
    'chrysalis/payment-request/1',
    paymentNetwork(globalId),
    channel.toRawString(),
    method,
    path,
    sha256(body),
    id,
    amount.toString(),
    String(expires),
  ]
  return Buffer.from(`${lines.join('\n')}\n`)
}

function need(holds: boolean, field: string, form: string): void {
  if (!holds) throw new ContractsError('ERR_PAYMENT_REQUEST', `${field}: has to be ${form}`)
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}
