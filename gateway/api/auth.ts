import { createMiddleware } from 'hono/factory'
import { unauthorized } from '../../worker/protocol/index.ts'
import type { ApiDeps } from './deps.ts'
import type { RateLimiter } from './limits.ts'
import type { Env } from './route.ts'

/** Requires `Authorization: Bearer sk-chry-…` (scheme in any case, RFC 9110 §11.1) and applies the key's rate limit. */
export function authenticate(keys: ApiDeps['keys'], limiter: RateLimiter) {
  return createMiddleware<Env>(async (c, next) => {
    const secret = bearer(c.req.header('authorization'))
    if (secret === undefined) throw unauthorized(false)
    const key = await keys.findKey(secret)
    if (!key) throw unauthorized(true)
    for (const [name, value] of Object.entries(limiter.take(key.id))) c.header(name, value)
    c.set('key', key)
    await next()
  })
}

function bearer(header: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(header ?? '')?.[1]
}
