import type { Hono } from 'hono'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

export const HEALTH_PATHS = ['/healthz', '/readyz', '/health', '/v1/health'] as const

/**
 * `/healthz`: the process lives. `/readyz`, which clients of llama.cpp call `/health`: a request would be served now;
 * if not, what is missing. None of them needs a key.
 */
export function healthRoutes(app: Hono<Env>, deps: ApiDeps): void {
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  for (const path of ['/readyz', '/health', '/v1/health'])
    app.get(path, (c) => {
      if (deps.draining()) return c.json({ status: 'draining' }, 503)
      const missing = deps.missing()
      if (missing.length > 0) return c.json({ status: 'unavailable', missing }, 503)
      return c.json({ status: 'ready' })
    })
}
