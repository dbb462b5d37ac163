import { createMiddleware } from 'hono/factory'
import { ApiError } from '../../worker/protocol/index.ts'
import type { Env } from './route.ts'

/**
 * For a gateway that listens on this machine only: refuses requests that name another host (a page whose name was
 * rebound to 127.0.0.1) or come from a page of another site. Programs send neither, and pass (DESIGN section 11).
 */
export function loopbackOnly() {
  return createMiddleware<Env>(async (c, next) => {
    const host = c.req.header('host')
    if (host !== undefined && !isLoopback(nameOf(`http://${host}`))) {
      throw forbidden(
        'forbidden_host',
        'This gateway listens on this machine only: the Host header must name it, e.g. localhost or 127.0.0.1.',
      )
    }
    const origin = c.req.header('origin')
    if (origin !== undefined && !isLoopback(nameOf(origin))) {
      throw forbidden(
        'forbidden_origin',
        'This gateway listens on this machine only: it serves no web pages of other sites.',
      )
    }
    await next()
  })
}

/** Whether a host name or address means this machine: localhost, 127.0.0.0/8 or ::1 (with brackets or without). */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(host)
}

function nameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : ''
}

function forbidden(apiCode: string, message: string): ApiError {
  return new ApiError({ status: 403, type: 'invalid_request_error', apiCode, message })
}
