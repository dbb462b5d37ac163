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

/** The headers of an error: its own, and what tells the official SDKs whether and when to try again. */
export function errorHeaders({ status, headers }: ApiError): Record<string, string> {
  const seconds = headers['retry-after']
  const retry = shouldRetry(status)
  return {
    ...(seconds !== undefined && { 'retry-after-ms': String(Number(seconds) * 1000) }),
    ...(retry !== undefined && { 'x-should-retry': String(retry) }),
    ...headers,
  }
}

/**
 * Where the SDKs' own rule by status is not ours: they retry every 409 and 504, but a conflict stays one, and what took
 * too long once was paid for and would be again.
 */
function shouldRetry(status: number): boolean | undefined {
  if (status === 409 || status === 504) return false
  return status === 429 || status === 503 ? true : undefined
}

/** The one writer of error responses: OpenAI's envelope with all four keys, and the headers of the error. */
export function answerError(c: Context<Env>, error: unknown, log: ApiDeps['log']): Response {
  const shown = toApiError(error, log, c.get('requestId'))
  for (const [name, value] of Object.entries(errorHeaders(shown))) c.header(name, value)
  return c.json(shown.toJSON(), shown.status as 500)
}
