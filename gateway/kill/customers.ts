/** @module How the clients of the harness pay: by an API key, or each request by a signature of their own. */

import { encodePayment, paymentRequestId } from '../../contracts/index.ts'
import type { Payer } from '../pay/testing/payer.ts'
import { type Asked, bodyOf, reservedFor } from './asked.ts'

export const CHAT = '/v1/chat/completions'

/** Vouchers are signed for so many nanotons at once, which is good for two or three requests. */
const SLICE = 6000n
/** Each of so many requests is signed for too little, to be refused: an answer for which nothing is held. */
const STINGY = 4
/** How far ahead a payment expires, in seconds: near the most, since what was captured is tried again after a restart. */
const LASTS = 280

/** What one request was paid with. Nanotons. */
export interface Signed {
  /** PAYMENT-SIGNATURE. */
  readonly header: string
  /** By which the ledger has to know the request. */
  readonly requestId: string
  readonly channel: string
  /** Most that the request may cost. */
  readonly amount: bigint
  /** The amount is too little. */
  readonly stingy: boolean
  /** Of the voucher that comes with it. */
  readonly ceiling: bigint
}

/** Whoever asks. */
export interface Customer {
  /** Headers with which a request is paid for, and the payment where that is one. */
  pay(asked: Asked): { headers: Record<string, string>; payment?: Signed }
}

export function byKey(apiKey: string): Customer {
  return { pay: () => ({ headers: { authorization: `Bearer ${apiKey}` } }) }
}

/**
 * A customer that signs on a channel of its own, up to the sum of what its requests can have cost at most, as one does that
 * believes nothing of what it is told.
 */
export class PayingCustomer implements Customer {
  readonly #payer: Payer
  readonly #ofNumber0: bigint
  /** The most that all requests so far can have cost. */
  #most = 0n

  /** @param ofNumber0 nanotons that are reserved for request number 0 */
  constructor(payer: Payer, ofNumber0: bigint) {
    this.#payer = payer
    this.#ofNumber0 = ofNumber0
  }

  /** Raw address of the channel. */
  get channel(): string {
    return this.#payer.address
  }

  /** The highest ceiling that was ever signed. */
  get ceiling(): bigint {
    return ((this.#most + SLICE - 1n) / SLICE) * SLICE
  }

  pay(asked: Asked): { headers: Record<string, string>; payment: Signed } {
    const most = reservedFor(asked.number, this.#ofNumber0)
    const stingy = asked.number % STINGY === 0
    const amount = stingy ? most - 1n : most
    this.#most += most
    const { ceiling, channel } = this
    const expires = Math.floor(Date.now() / 1000) + LASTS
    const payment = this.#payer.payment({ path: CHAT, body: bodyOf(asked), amount, ceiling, expires })
    const header = encodePayment(payment)
    const requestId = paymentRequestId(this.#payer.client.address, payment.payload.request.id)
    return {
      headers: { 'payment-signature': header },
      payment: { header, requestId, channel, amount, stingy, ceiling },
    }
  }
}
