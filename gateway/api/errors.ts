import type { Context } from 'hono'
import { ChrysalisError } from '../../attest/errors.ts'
import { ApiError, internalError } from '../../worker/protocol/index.ts'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

/** Turns whatever was thrown into an error that may be shown; anything unexpected becomes a bare 500. */
export function toApiError(error: unknown, log: ApiDeps['log'], requestId: string): ApiError {
  if (error instanceof ApiError) return error
  // The message of an unexpected error may hold anything, a prompt included: only its stable code is logged.
  const code =
    error instanceof ChrysalisError ? error.code : ((error as { code?: unknown })?.code ?? 'ERR_UNEXPECTED')
  log.error({ requestId, code: String(code), name: (error as Error)?.name }, 'request failed')
  return internalError(error)
}

/** The one writer of error responses: OpenAI's envelope with all four keys, and the headers of the error. */
export function answerError(c: Context<Env>, error: unknown, log: ApiDeps['log']): Response {
  const shown = toApiError(error, log, c.get('requestId'))
  for (const [name, value] of Object.entries(shown.headers)) c.header(name, value)
  return c.json(shown.toJSON(), shown.status as 500)
}

/** The same envelope as one line, for an error inside a stream. */
export function errorDocument(error: unknown, log: ApiDeps['log'], requestId: string): string {
  return JSON.stringify(toApiError(error, log, requestId).toJSON())
}
