import { ApiError } from '../../worker/protocol/errors.ts'

/** What a 402 says besides its words; amounts are nanotons. */
export interface Due {
  message: string
  /** Stable; the `error` of x402's PAYMENT-REQUIRED too. */
  apiCode: string
  /** Most that the request may cost. */
  amount?: bigint | undefined
  /** The least ceiling that would admit the request, where only the ceiling was short. */
  ceiling?: bigint | undefined
  cause?: unknown
}

/** Where a person finds what to do about a 402. */
export const HOW_TO_PAY = 'GET /v1/payment says how to pay.'

/** 402: the request has to be paid, or paid otherwise. Sending it again as it is changes nothing, so SDKs do not. */
export class PaymentDue extends ApiError {
  readonly amount: bigint | undefined
  readonly ceiling: bigint | undefined

  constructor({ message, apiCode, amount, ceiling, cause }: Due) {
    const headers = { 'x-should-retry': 'false' }
    super({ status: 402, type: 'insufficient_quota', message, apiCode, headers, cause })
    this.amount = amount
    this.ceiling = ceiling
  }
}
