import type { Context } from 'hono'
import { concat, fromUtf8 } from '../../attest/bytes.ts'
import { bodyTooLarge, invalidRequest, unsupportedMediaType } from '../../worker/protocol/index.ts'

/** A request body: the exact bytes received and the object that they hold. */
export interface JsonBody {
  bytes: Uint8Array
  json: Record<string, unknown>
}

/**
 * Reads a JSON request body within a size limit.
 *
 * The limit is checked on Content-Length when the client sends one (Node enforces that length itself) and counted
 * while reading when it does not. hono/body-limit is not used: it forces node-server's slow request path.
 *
 * @param limit bytes
 * @throws ApiError 415, 413 or 400
 */
export async function readJsonBody(c: Context, limit: number): Promise<JsonBody> {
  const type = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  const encoding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (type !== 'application/json' || encoding !== 'identity') throw unsupportedMediaType()
  const bytes = await readBytes(c, limit)
  return { bytes, json: parseObject(bytes) }
}

async function readBytes(c: Context, limit: number): Promise<Uint8Array> {
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

function parseObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(bytes))
  } catch {
    throw invalidRequest(
      null,
      'The request body is not valid JSON in UTF-8; check quotes, commas and encoding.',
    )
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidRequest(null, 'The request body must be a JSON object.')
  return value as Record<string, unknown>
}
