import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { invalidRequest } from '../../worker/protocol/index.ts'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

/**
 * `x-client-request-id`, by which a client may name a request: given back as it came, for the client's own logs. Ours
 * go by `x-request-id`, which nobody else chooses.
 */
export function clientRequestId() {
  return createMiddleware<Env>(async (c, next) => {
    const id = c.req.header('x-client-request-id')
    if (id !== undefined && !/^[\x21-\x7e]{1,512}$/.test(id))
      throw invalidRequest(
        null,
        'x-client-request-id must be 1-512 visible ASCII characters.',
        'invalid_client_request_id',
      )
    if (id !== undefined) c.header('x-client-request-id', id)
    await next()
  })
}

/** `openai-processing-ms`: from the head of the request to the head of the answer, in whole milliseconds. */
export function setProcessingTime(c: Context<Env>, { monotonic }: Pick<ApiDeps, 'monotonic'>): void {
  c.header('openai-processing-ms', String(Math.round(monotonic() - c.get('startedAt'))))
}
