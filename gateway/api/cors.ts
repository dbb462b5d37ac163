import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { Env } from './route.ts'

/** The longest that a browser keeps what a preflight was told: Chromium takes no more, in seconds. */
const MAX_AGE = '7200'

/** Whether pages of this origin may call; `*` means all of them. */
export function isAllowedOrigin(origins: readonly string[], origin: string): boolean {
  return origins.includes('*') || origins.includes(origin)
}

/**
 * Lets web pages of these origins call (Fetch standard, CORS protocol). What a page may do, it may do by the API key
 * that it sends itself: there are no cookies, so to allow an origin hands out nothing that a browser holds. For all
 * other origins no header is set, and browsers keep the answer from the page.
 */
export function cors(origins: readonly string[]) {
  return createMiddleware<Env>(async (c, next) => {
    const origin = c.req.header('origin')
    if (origins.length > 0 && !origins.includes('*')) c.header('vary', 'Origin')
    if (origin === undefined || !isAllowedOrigin(origins, origin)) return await next()
    c.header('access-control-allow-origin', origins.includes('*') ? '*' : origin)
    c.header('access-control-expose-headers', '*')
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method')) return preflight(c)
    await next()
  })
}

/** Every header is allowed, those of SDKs (`x-stainless-*`) included: none of them grants anything by itself. */
function preflight(c: Context<Env>): Response {
  const asked = c.req.header('access-control-request-headers') ?? ''
  const names = asked.split(',').map((name) => name.trim().toLowerCase())
  const headers: Record<string, string> = {
    'access-control-allow-methods': 'GET, HEAD, POST',
    'access-control-allow-headers': names.filter((name) => /^[a-z0-9-]{1,64}$/.test(name)).join(', '),
    'access-control-max-age': MAX_AGE,
  }
  // A page of the open network that calls into this machine or its network has to be let in by name.
  if (c.req.header('access-control-request-private-network') === 'true')
    headers['access-control-allow-private-network'] = 'true'
  c.header('vary', 'Access-Control-Request-Headers', { append: true })
  return c.body(null, 204, headers)
}
