/** What a payer is told when its payment is not taken: in OpenAI's words, with a code that programs go by. */

import { codeOf } from '../../attest/cli/process.ts'
import { ApiError, invalidRequest, unavailable } from '../../worker/protocol/index.ts'
import { HOW_TO_PAY, PaymentDue } from './due.ts'

/** 402: there is no payment, or none on a channel that is known here. */
export function paymentRequired(message = 'The channel is not known here: send its parameters in full.') {
  return new PaymentDue({ apiCode: 'payment_required', message: `${message} ${HOW_TO_PAY}` })
}

/** 402: something about the payment does not hold. */
export function paymentInvalid(message: string, cause?: unknown) {
  return new PaymentDue({ apiCode: 'payment_invalid', message: `PAYMENT-SIGNATURE: ${message}`, cause })
}

/** 402: a channel that this gateway does not take. */
export function channelRefused(reason: string, cause?: unknown) {
  return new PaymentDue({
    apiCode: 'channel_refused',
    message: `The channel is not taken: ${reason}.`,
    cause,
  })
}

/** 402: a channel on its way to its end. */
export function channelClosing() {
  return new PaymentDue({
    apiCode: 'channel_closing',
    message: 'The channel is closing and takes no new requests. Open a new one.',
  })
}

/** 403: the operator lets nobody open channels for API keys. */
export function delegatedDisabled() {
  return new ApiError({
    status: 403,
    type: 'invalid_request_error',
    message: `The operator of this gateway makes all API keys himself. A channel that you sign for yourself needs none. ${HOW_TO_PAY}`,
    apiCode: 'delegated_disabled',
  })
}

/** 503: chain or payer know of more than the books here, so nothing is decided by them. */
export function channelFrozen() {
  return unavailable(
    'The channel is frozen: its books here are older than what the chain or its payer knows. The operator has to look at it.',
    'channel_frozen',
  )
}

/** 402: a voucher over more than there is. */
export function aboveDeposit() {
  return new PaymentDue({
    apiCode: 'insufficient_quota',
    message: 'The voucher passes what the channel holds. Top the channel up, or sign a lower ceiling.',
  })
}

/** A refusal of the codec as an answer. */
export function fromCodec(error: unknown): unknown {
  const { message } = error as Error
  switch (codeOf(error)) {
    case 'ERR_PAYMENT_HEADER':
      return invalidRequest(null, `${message}.`, 'payment_invalid')
    case 'ERR_PAYMENT_EXPIRED':
      return new PaymentDue({ apiCode: 'payment_expired', message: `PAYMENT-SIGNATURE: ${message}.` })
    case 'ERR_PAYMENT_SIGNATURE':
    case 'ERR_PAYMENT_REQUEST':
    case 'ERR_CHANNEL_PARAMS':
      return paymentInvalid(`${message}.`, error)
    default:
      return error
  }
}

/** What looking at the chain came to, as an answer. */
export function fromChain(error: unknown): unknown {
  if (error instanceof ApiError) return error
  const { message } = error as Error
  switch (codeOf(error)) {
    case 'ERR_CHANNEL_ABSENT':
      return paymentRequired(
        'There is no funded channel with these parameters on the chain. A deposit shows some seconds after it was sent.',
      )
    case 'ERR_CHANNEL_CLOSING':
      return channelClosing()
    case 'ERR_CHANNEL_REFUSED':
    case 'ERR_CONTRACT_CODE':
    case 'ERR_CHANNEL_RENT':
    case 'ERR_CHANNEL_DATA':
    case 'ERR_KEY_UNSAFE':
    case 'ERR_KEY':
      return channelRefused(message, error)
    default:
      return codeOf(error).startsWith('ERR_CHAIN_') ? chainAway() : error
  }
}

function chainAway(): ApiError {
  return unavailable('The chain cannot be asked at the moment. Try again shortly.', 'chain_unavailable', 5)
}
