/** Reads the body of an HTTP answer, and never more of it than is wanted. Runs in browsers. */

import { concat } from './bytes.ts'
import { ChrysalisError } from './errors.ts'

/** The part of `fetch` that is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** The body is longer than whoever asked will take. */
export class BodyTooLong extends ChrysalisError {
  constructor(maxBytes: number) {
    super('ERR_BODY_TOO_LONG', `the body is longer than ${maxBytes} bytes`)
  }
}

/**
 * The whole body of an answer. One that is too long is given up where that shows: by its announced length before
 * anything is read, else at the first byte too many. A deadline is the business of the signal that went with the
 * request, which ends its body too.
 *
 * @throws BodyTooLong; what the stream throws when it breaks
 */
export async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await discardBody(response)
    throw new BodyTooLong(maxBytes)
  }
  const parts: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    length += part.value.length
    if (length > maxBytes) {
      await reader?.cancel().catch(() => {})
      throw new BodyTooLong(maxBytes)
    }
    parts.push(part.value)
  }
  return concat(...parts)
}

/** Lets go of an answer: a body that nobody reads would hold its connection. */
export async function discardBody(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {})
}
