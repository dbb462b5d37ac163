import type { Context } from 'hono'
import { concat } from '../../attest/bytes.ts'
import { bodyTooLarge, unsupportedMediaType } from '../../worker/protocol/index.ts'

/**
 * Reads the bytes of a JSON request body within a size limit.
 *
 * The limit is checked on Content-Length when the client sends one (Node enforces that length itself) and counted
 * while reading when it does not. hono/body-limit is not used: it forces node-server's slow request path.
 *
 * @param limit bytes
 * @throws ApiError 415 or 413
 */
export async function readJsonBody(c: Context, limit: number): Promise<Uint8Array> {
  const type = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  const encoding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (type !== 'application/json' || encoding !== 'identity') throw unsupportedMediaType()
  const declared = c.req.header('content-length')
  if (declared !== undefined) {
    if (Number(declared) > limit) throw bodyTooLarge(limit)
    return new Uint8Array(await c.req.arrayBuffer())
  }
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of c.req.raw.body ?? []) {
    length += part.length
    if (length > limit) throw bodyTooLarge(limit)
    parts.push(part)
  }
  return concat(...parts)
}
