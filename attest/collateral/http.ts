/** One bounded GET: time, size and redirects are limited, and every failure is a CollateralError. Runs in browsers. */

import { BodyTooLong, discardBody, type Fetch, readBody } from '../body.ts'
import { CollateralError } from './errors.ts'

export type { Fetch } from '../body.ts'

interface GetOptions {
  fetch: Fetch
  /** Ends the request: the deadline, and the wish of the caller. */
  signal: AbortSignal
  /** The largest body taken, in bytes. */
  maxBytes: number
}

export interface Answer {
  body: Uint8Array
  headers: Headers
}

const MAX_REDIRECTS = 3

/**
 * Fetches a URL. Redirects are followed within the same origin only, three at most. Throws CollateralError:
 * `ERR_COLLATERAL_NOT_FOUND` for 404, `ERR_COLLATERAL_UNREACHABLE` for no answer in time and for every other status
 * above 399, `ERR_COLLATERAL_ANSWER` for a foreign redirect or too long a body.
 */
export async function get(url: URL, options: GetOptions): Promise<Answer> {
  let at = url
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(at, options)
    if (response.ok) return { body: await bodyOf(response, at, options), headers: response.headers }
    await discardBody(response)
    if (!isRedirect(response)) throw statusError(response.status, at)
    at = target(response, at)
  }
  throw bad(`${place(url)}: more than ${MAX_REDIRECTS} redirects`)
}

async function request(url: URL, { fetch, signal }: GetOptions): Promise<Response> {
  try {
    return await fetch(url.href, {
      signal,
      redirect: 'manual',
      headers: { accept: '*/*' },
      cache: 'no-store',
    })
  } catch (cause) {
    throw unreachable(url, signal, cause)
  }
}

async function bodyOf(response: Response, url: URL, { signal, maxBytes }: GetOptions): Promise<Uint8Array> {
  try {
    return await readBody(response, maxBytes)
  } catch (cause) {
    if (cause instanceof BodyTooLong) throw bad(`${place(url)}: ${cause.message}`)
    throw unreachable(url, signal, cause)
  }
}

function isRedirect({ status, type }: Response): boolean {
  // Browsers hide where a redirect leads: to them it is one of status 0.
  return type === 'opaqueredirect' || (status >= 300 && status < 400)
}

function target(response: Response, from: URL): URL {
  const location = response.headers.get('location')
  const url = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (url?.origin === from.origin) return url
  throw bad(
    `${place(from)}: redirects to another host, which is not followed; give that host's URL if it is meant`,
  )
}

function statusError(status: number, url: URL): CollateralError {
  if (status === 404)
    return new CollateralError('ERR_COLLATERAL_NOT_FOUND', `${place(url)}: not known there (status 404)`)
  return new CollateralError('ERR_COLLATERAL_UNREACHABLE', `${place(url)}: status ${status}`)
}

function unreachable(url: URL, signal: AbortSignal, cause: unknown): CollateralError {
  const late = signal.aborted && (signal.reason as { name?: unknown } | undefined)?.name === 'TimeoutError'
  const what = late ? 'no answer in time' : signal.aborted ? 'the request was given up' : 'no answer'
  return new CollateralError('ERR_COLLATERAL_UNREACHABLE', `${place(url)}: ${what}`, { cause })
}

function bad(message: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_ANSWER', message)
}

/** Host and path, for messages: a query or a password has no place in them. */
function place(url: URL): string {
  return `${url.host}${url.pathname}`
}
