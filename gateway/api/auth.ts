import { createMiddleware } from 'hono/factory'
import { unauthorized, unavailable } from '../../worker/protocol/index.ts'
import type { ApiDeps } from './deps.ts'
import type { RateLimiter } from './limits.ts'
import type { Env } from './route.ts'

/** Requires `Authorization: Bearer sk-chry-…` (scheme in any case, RFC 9110 §11.1) and applies the key's rate limit. */
export function authenticate(keys: ApiDeps['keys'], limiter: RateLimiter) {
  return createMiddleware<Env>(async (c, next) => {
    const secret = bearer(c.req.header('authorization'))
    if (secret === undefined) throw unauthorized(false)
    const key = await keys.findKey(secret).catch(asBusy)
    if (!key) throw unauthorized(true)
    for (const [name, value] of Object.entries(limiter.take(key.id))) c.header(name, value)
    c.set('key', key)
    await next()
  })
}

/** A flood of guesses is no fault inside: whoever holds a key may come back. */
function asBusy(error: unknown): never {
  if ((error as { code?: unknown }).code !== 'ERR_LEDGER_BUSY') throw error
  throw unavailable('Too many API keys are being checked at the moment. Try again shortly.', 'server_busy', 1)
}

function bearer(header: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? '')?.[1]
}
