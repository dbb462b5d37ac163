import { ChrysalisError } from '../../attest/errors.ts'
import { ApiError, unavailable } from '../../worker/protocol/errors.ts'

/** What a worker handed over is not what was agreed: a tampered stream or a receipt that does not add up. */
export class IntegrityError extends ChrysalisError {}

/** 502: the answer cannot be trusted any further. The client was shown only frames that did hold. */
export function upstreamIntegrity(cause: unknown): ApiError {
  return new ApiError({
    status: 502,
    type: 'server_error',
    apiCode: 'upstream_integrity',
    message:
      'The answer of the worker failed its integrity check and was cut off. Nothing unverified was passed on.',
    cause,
  })
}

/** 502: the worker went away in mid-answer. */
export function upstreamLost(): ApiError {
  return new ApiError({
    status: 502,
    type: 'server_error',
    apiCode: 'upstream_lost',
    message: 'The worker was lost before it finished the answer. Send the request again.',
  })
}

/** 504: the worker fell silent in mid-answer. */
export function upstreamSilent(): ApiError {
  return new ApiError({
    status: 504,
    type: 'timeout_error',
    apiCode: 'upstream_timeout',
    message: 'The worker fell silent before it finished the answer. Send the request again.',
  })
}

/** 499, as nginx counts it; nobody is there to read it. */
export function clientClosed(): ApiError {
  return new ApiError({
    status: 499,
    type: 'invalid_request_error',
    apiCode: 'client_closed_request',
    message: 'The client closed the request before it was finished.',
  })
}

/** 408: the client took nothing for too long. */
export function clientStalled(): ApiError {
  return new ApiError({
    status: 408,
    type: 'timeout_error',
    apiCode: 'client_stalled',
    message:
      'The client did not read the answer for too long, so it was cut off. Read faster, or ask for less.',
  })
}

/** 503: the disk of the books is failing, and what has not been put in its place on it has become too much. */
export function ledgerFull(): ApiError {
  return unavailable(
    'The disk that this gateway keeps its books on does not work as it should. Nothing was charged. Try again later.',
    'ledger_unavailable',
    30,
  )
}

/** 503: a channel was not seen on the chain for so long that its payer may be gone with the deposit. */
export function chainAway(): ApiError {
  return unavailable(
    'This gateway has not reached the chain for too long to go on serving on credit. Nothing was charged. Try again later.',
    'chain_unavailable',
    30,
  )
}
