/** What a server that listens on this machine only demands of a request (DESIGN section 11). */

import { ApiError } from './errors.ts'

/** Whether a host name or address means this machine: localhost, 127.0.0.0/8 or ::1 (with brackets or without). */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(host)
}

/**
 * Refuses a request that names another host (a page whose name was rebound to 127.0.0.1) or comes from a page of
 * another site. Programs send neither, and pass.
 *
 * @param server how the message calls the server: `gateway`, `worker` or `sidecar`
 * @throws ApiError 403
 */
export function demandLoopback(
  headers: { host: string | undefined; origin: string | undefined },
  server: 'gateway' | 'worker' | 'sidecar',
): void {
  const { host, origin } = headers
  if (host !== undefined && !isLoopback(nameOf(`http://${host}`))) {
    throw forbidden(
      'forbidden_host',
      `This ${server} listens on this machine only: the Host header must name it, e.g. localhost or 127.0.0.1.`,
    )
  }
  if (origin !== undefined && !isLoopback(nameOf(origin))) {
    throw forbidden(
      'forbidden_origin',
      `This ${server} listens on this machine only: it serves no web pages of other sites.`,
    )
  }
}

function nameOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : ''
}

function forbidden(apiCode: string, message: string): ApiError {
  return new ApiError({ status: 403, type: 'invalid_request_error', apiCode, message })
}
