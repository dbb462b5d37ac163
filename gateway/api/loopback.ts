import { createMiddleware } from 'hono/factory'
import { demandLoopback } from '../../worker/protocol/index.ts'
import type { Env } from './route.ts'

export { isLoopback } from '../../worker/protocol/index.ts'

/** For a gateway that listens on this machine only: see `demandLoopback`. */
export function loopbackOnly() {
  return createMiddleware<Env>(async (c, next) => {
    demandLoopback({ host: c.req.header('host'), origin: c.req.header('origin') }, 'gateway')
    await next()
  })
}
