import type { Context } from 'hono'
import { unauthorized, unavailable } from '../../worker/protocol/index.ts'
import type { ApiDeps } from './deps.ts'
import type { RateLimiter } from './limits.ts'
import type { Env } from './route.ts'

/** Lets a request in by the secret of an API key, wherever the face has it from: sets `key` and the rate headers. */
export type AdmitKey = (c: Context<Env>, secret: string | undefined) => Promise<void>

/** @throws ApiError (the function made) 401 for no key or a wrong one, 429 beyond its rate, 503 */
export function keyAdmission(keys: ApiDeps['keys'], limiter: RateLimiter): AdmitKey {
  return async (c, secret) => {
    if (secret === undefined) throw unauthorized(false)
    const key = await keys.find(secret).catch(asBusy)
    if (!key) throw unauthorized(true)
    for (const [name, value] of Object.entries(limiter.take(key.id))) c.header(name, value)
    c.set('key', key)
  }
}

/** A flood of guesses is no fault inside: whoever holds a key may come back. @throws ApiError 503; any other error as it is */
export function asBusy(error: unknown): never {
  if ((error as { code?: unknown }).code !== 'ERR_LEDGER_BUSY') throw error
  throw unavailable('Too many API keys are being checked at the moment. Try again shortly.', 'server_busy', 1)
}

/**
 * The secret of an API key as `Authorization: Bearer sk-chry-…` (scheme in any case, RFC 9110 §11.1), or, where there is
 * no such header, as `x-api-key` or `api-key`, which clients of llama.cpp and Azure send.
 */
export function secretOf(c: Context<Env>): string | undefined {
  if (c.req.header('authorization') !== undefined) return bearerSecret(c)
  return c.req.header('x-api-key') ?? c.req.header('api-key')
}

/** The secret of `Authorization: Bearer …`; undefined for another scheme or none. */
export function bearerSecret(c: Context<Env>): string | undefined {
  return /^bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1]
}
