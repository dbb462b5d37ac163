/** One bounded GET: no redirects, a limit of time and of bytes, and errors that say what a person can do. */

import { BodyTooLong, readBody } from '../body.ts'
import { ChrysalisError } from '../errors.ts'
import { printable } from '../inspect/text.ts'

/** Nothing useful came from a URL. */
export class FetchError extends ChrysalisError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FETCH', message, options)
  }
}

/** @throws FetchError when nobody answers, late, too much, with an error status, or no JSON */
export async function fetchJson(
  url: URL,
  { limit, timeout }: { limit: number; timeout: number },
): Promise<unknown> {
  const signal = AbortSignal.timeout(timeout)
  try {
    const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } })
    if (response.status >= 300 && response.status < 400)
      throw new FetchError(
        `${url.origin}: points elsewhere (HTTP ${response.status}); ask the other place yourself`,
      )
    const text = Buffer.from(await readBody(response, limit)).toString('utf8')
    if (!response.ok)
      throw new FetchError(
        `${url.origin}: refuses with HTTP ${response.status}: ${printable(messageIn(text), 200)}`,
      )
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof FetchError) throw error
    if (error instanceof BodyTooLong)
      throw new FetchError(`${url.origin}: the answer is larger than ${limit} bytes`)
    if (error instanceof SyntaxError) throw new FetchError(`${url.origin}: the answer is not JSON`)
    if (signal.aborted) throw new FetchError(`${url.origin}: no answer within ${timeout / 1000} s`)
    throw new FetchError(`${url.origin}: cannot be reached (${causeOf(error)}); is it running?`, {
      cause: error,
    })
  }
}

/** The sentence of an error answer in the form of the API, or its beginning. */
function messageIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown } }
    if (typeof error?.message === 'string') return error.message
  } catch {
    // Not JSON: shown as it is.
  }
  return text
}

function causeOf(error: unknown): string {
  const { code } = ((error as Error | undefined)?.cause ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : 'no connection'
}
