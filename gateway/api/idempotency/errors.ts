import { type ApiError, conflict, invalidRequest } from '../../../worker/protocol/index.ts'

/** 400: no key that can be compared. */
export function malformedKey(): ApiError {
  return invalidRequest(
    null,
    'Idempotency-Key must be 1-255 visible ASCII characters.',
    'invalid_idempotency_key',
  )
}

/** 409: the key belongs to another request. */
export function keyReused(): ApiError {
  return conflict(
    'This Idempotency-Key was used for a request with another body or path. Choose a new key for a new request.',
    'idempotency_conflict',
  )
}

/** 409: the request was run and paid for, but its answer was too large to be kept. */
export function replayUnavailable(): ApiError {
  return conflict(
    'The request with this Idempotency-Key was run, but its answer is too large to be sent again. Choose a new key to run it anew.',
    'idempotency_replay_unavailable',
  )
}
