import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import { methodNotAllowed } from '../../worker/protocol/index.ts'
import type { ApiKey } from '../ledger/index.ts'
import type { Payment } from '../pay/index.ts'

/** What the routes may count on: the middleware set these before them. */
export interface Env {
  Bindings: HttpBindings
  Variables: {
    requestId: string
    /** Monotonic milliseconds. */
    startedAt: number
    key: ApiKey
    /** Of a request that its client pays for by itself; `key` is then its channel's. */
    payment?: Payment
    /** The bytes of the body as sent, where they were read before the route. */
    sent?: Uint8Array
    /** Nanotons that a whole answer was charged. */
    charged?: bigint
  }
}

/**
 * Lets only these methods through to the paths: OPTIONS is answered with `Allow`, every other one with 405. To be
 * called before the check of keys, since none is needed to be told this.
 */
export function only(app: Hono<Env>, method: 'GET' | 'POST', ...paths: string[]): void {
  const allow = method === 'GET' ? ['GET', 'HEAD'] : ['POST']
  for (const path of paths) {
    app.use(path, async (c, next) => {
      if (allow.includes(c.req.method)) return await next()
      if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow: allow.join(', ') })
      throw methodNotAllowed(c.req.method, c.req.path, allow)
    })
  }
}
