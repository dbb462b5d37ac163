import type { Hono } from 'hono'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

/** `/healthz`: the process lives. `/readyz`: a request would be served now; if not, what is missing. */
export function healthRoutes(app: Hono<Env>, deps: ApiDeps): void {
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const missing = deps.missing()
    return missing.length === 0
      ? c.json({ status: 'ready' })
      : c.json({ status: 'unavailable', missing }, 503)
  })
}
