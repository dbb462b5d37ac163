/** What went wrong, in OpenAI's words. */

import { codeOf } from '../../attest/cli/process.ts'
import {
  ApiError,
  bodyTooLarge,
  conflict,
  insufficientQuota,
  modelNotFound,
  timedOut,
  unauthorized,
} from '../../worker/protocol/errors.ts'
import { LINK_LIMITS, LinkError } from '../../worker/protocol/link.ts'
import type { StaleCeilingError } from '../ledger/index.ts'
import { HOW_TO_PAY, PaymentDue } from '../pay/due.ts'
import { channelFrozen } from '../pay/refusals.ts'
import {
  chainAway,
  clientClosed,
  clientStalled,
  ledgerFull,
  upstreamIntegrity,
  upstreamLost,
  upstreamSilent,
} from './errors.ts'
import type { Outcome, StopReason } from './exchange.ts'
import { draining, noWorker } from './queue.ts'

/** What the client is told of an attempt; undefined for a success. */
export function errorOf(outcome: Outcome, stopped: StopReason | undefined): ApiError | undefined {
  // Once stopped, frames were dropped: whatever the worker says, the answer is not whole.
  if (stopped) return stoppedError(stopped)
  switch (outcome.kind) {
    case 'final': {
      const { status, error, headers } = outcome.final
      return error && new ApiError({ ...error, status, apiCode: error.code, headers: { ...headers } })
    }
    case 'unstarted':
      return noWorker()
    case 'lost':
      return outcome.code === 'worker_silent' ? upstreamSilent() : upstreamLost()
    case 'tampered':
      return upstreamIntegrity(outcome.error)
    case 'stopped':
      return stoppedError(outcome.reason)
  }
}

/** What the client is told when the gateway itself ended the request. */
export function stoppedError(reason: StopReason): ApiError {
  if (reason === 'deadline') return timedOut()
  if (reason === 'stalled') return clientStalled()
  return reason === 'draining' ? draining() : clientClosed()
}

/**
 * The code of a failure to seal or to open a stream that another worker need not share.
 * @throws whatever another worker could not cure either
 */
export function retryable(error: unknown): string {
  const code = codeOf(error)
  if (code === 'ERR_SEAL_TOO_LARGE') throw bodyTooLarge(LINK_LIMITS.maxRequestBytes)
  if (code !== 'ERR_EPOCH_UNKNOWN' && !(error instanceof LinkError)) throw error
  return code
}

/** @throws PaymentDue when a request may cost more than its client lets it */
export function demandPrice(maxCharge: bigint, allowed: bigint | undefined): void {
  if (allowed === undefined || maxCharge <= allowed) return
  throw new PaymentDue({
    apiCode: 'price_above_amount',
    message: `The request may cost ${maxCharge} nanotons, and the payment allows ${allowed}. Allow more, or ask for fewer tokens.`,
    amount: maxCharge,
  })
}

/**
 * A refusal of the ledger as an ApiError; anything else as it is.
 *
 * @param amount most nanotons that the request may cost
 */
export function fromLedger(error: unknown, model: string, amount?: bigint): unknown {
  switch (codeOf(error)) {
    case 'ERR_STALE_CEILING':
      return new PaymentDue({
        apiCode: 'stale_ceiling',
        message:
          'The voucher has no room for the request. Sign one over at least `extra.ceiling` of PAYMENT-REQUIRED.',
        amount,
        ceiling: (error as StaleCeilingError).needed,
      })
    case 'ERR_INSUFFICIENT_FUNDS':
    case 'ERR_CHANNEL_CLOSED':
      return new PaymentDue({
        apiCode: 'insufficient_quota',
        message: `The channel of this API key cannot cover the request. Top it up or ask for fewer tokens. ${HOW_TO_PAY}`,
        amount,
      })
    case 'ERR_ROLLED_BACK':
      return channelFrozen()
    case 'ERR_CHAIN_OUTAGE':
      return chainAway()
    case 'ERR_LEDGER_CHECKPOINT':
      return ledgerFull()
    case 'ERR_KEY_REQUEST_LIMIT':
    case 'ERR_KEY_DAY_LIMIT':
      return insufficientQuota('The request is beyond a spending limit of this API key.')
    case 'ERR_DUPLICATE_REQUEST':
      return conflict('This request id was used before. Choose a new one.')
    case 'ERR_KEY_REVOKED':
    case 'ERR_KEY_EXPIRED':
    case 'ERR_UNKNOWN_KEY':
      return unauthorized(true)
    case 'ERR_KEY_MODEL':
      return modelNotFound(model)
    default:
      return error
  }
}
