import { createMiddleware } from 'hono/factory'
import { demandLoopback } from '../../worker/protocol/index.ts'
import { isAllowedOrigin } from './cors.ts'
import type { Env } from './route.ts'

export { isLoopback } from '../../worker/protocol/index.ts'

/**
 * For a gateway that listens on this machine only: see `demandLoopback`.
 *
 * @param origins of pages that may call although they are not of this machine
 */
export function loopbackOnly(origins: readonly string[]) {
  return createMiddleware<Env>(async (c, next) => {
    const origin = c.req.header('origin')
    const foreign = origin !== undefined && !isAllowedOrigin(origins, origin) ? origin : undefined
    demandLoopback({ host: c.req.header('host'), origin: foreign }, 'gateway')
    await next()
  })
}
