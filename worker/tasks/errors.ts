import { EngineError, PromptTooLong } from '../engine/errors.ts'
import {
  ApiError,
  contextLengthExceeded,
  internalError,
  invalidRequest,
  unavailable,
} from '../protocol/errors.ts'

/** 400: what the request may cost at most does not pay for one token of an answer. */
export function maxChargeTooLow(): ApiError {
  return invalidRequest(
    null,
    'The maximum charge of this request does not cover its prompt and one token of output. Raise the bound or shorten the prompt.',
    'max_charge_too_low',
  )
}

/** Codes of what is wrong with the request itself. */
const TOLD: ReadonlySet<string> = new Set(['ERR_UNSUPPORTED_PROMPT', 'ERR_BAD_GRAMMAR', 'ERR_BAD_TOKEN'])

/**
 * What a client is told about an engine's error; `param` is the field that holds the prompt. A cancellation is
 * nobody's to be told and comes back as it is. With `contextLength`, a prompt that leaves no token for its answer is
 * told that length, which the list of models shows too, and not the one less that it may have.
 */
export function toTaskError(cause: unknown, param: string, contextLength?: number): unknown {
  if (cause instanceof ApiError) return cause
  if (cause instanceof PromptTooLong) {
    const limit = cause.limit + 1 === contextLength ? contextLength : cause.limit
    return contextLengthExceeded(limit, cause.promptTokens, param)
  }
  if (!(cause instanceof EngineError)) return internalError(cause)
  if (cause.code === 'ERR_CANCELLED') return cause
  if (cause.code === 'ERR_NO_OUTPUT_ROOM') return maxChargeTooLow()
  if (TOLD.has(cause.code))
    return invalidRequest(param, `Invalid '${param}': ${cause.message}.`, 'invalid_value')
  if (cause.code === 'ERR_ENGINE_LOST' || cause.code === 'ERR_ENGINE_CLOSED') {
    return unavailable('The engine stopped while it worked on this request. Try again.', 'engine_lost')
  }
  return internalError(cause)
}
