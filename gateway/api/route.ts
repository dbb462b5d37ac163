import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import { methodNotAllowed } from '../../worker/protocol/index.ts'
import type { ApiKey } from '../ledger/index.ts'

/** What the routes may count on: the middleware set these before them. */
export interface Env {
  Bindings: HttpBindings
  Variables: { requestId: string; key: ApiKey }
}

/** Answers every other method on these paths with 405 and `Allow`. Call it after the real routes. */
export function only(app: Hono<Env>, method: 'GET' | 'POST', ...paths: string[]): void {
  const allow = method === 'GET' ? ['GET', 'HEAD'] : ['POST']
  for (const path of paths)
    app.all(path, (c) => {
      throw methodNotAllowed(c.req.method, c.req.path, allow)
    })
}
