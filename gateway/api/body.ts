import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate } from 'node:zlib'
import type { Context } from 'hono'
import { concat } from '../../attest/bytes.ts'
import {
  ApiError,
  bodyTooLarge,
  clip,
  invalidRequest,
  unsupportedMediaType,
} from '../../worker/protocol/index.ts'
import type { Env } from './route.ts'
import type { Keeper } from './unverified.ts'

type Decode = (
  bytes: Uint8Array,
  options: { maxOutputLength: number; rejectGarbageAfterEnd: boolean },
) => Promise<Uint8Array>

/** Content codings (RFC 9110 §8.4.1) that a body may have, one at a time. */
const CODINGS: Readonly<Record<string, Decode>> = {
  gzip: promisify(gunzip) as Decode,
  'x-gzip': promisify(gunzip) as Decode,
  deflate: promisify(inflate) as Decode,
  br: promisify(brotliDecompress) as Decode,
}

/**
 * Reads the bytes of a JSON request body within a size limit, which holds for what arrives and for what it decodes to.
 *
 * The limit is checked on Content-Length when the client sends one (Node enforces that length itself) and counted
 * while reading when it does not. hono/body-limit is not used: it forces node-server's slow request path.
 *
 * @param limit bytes
 * @throws ApiError 415 or 413; 400 for a body that ends early or is not in the coding that it names
 */
export async function readJsonBody(c: Context<Env>, limit: number): Promise<Uint8Array> {
  const type = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw unsupportedMediaType()
  return await readBody(c, limit)
}

/** The same for a body of any type. */
export async function readBody(c: Context<Env>, limit: number): Promise<Uint8Array> {
  const coding = c.req.header('content-encoding')?.trim().toLowerCase() ?? 'identity'
  const decode = Object.hasOwn(CODINGS, coding) ? CODINGS[coding] : undefined
  if (!decode && coding !== 'identity') throw unsupportedCoding(coding)
  const sent = await readSent(c, limit)
  if (!decode) return sent
  try {
    return await decode(sent, { maxOutputLength: limit, rejectGarbageAfterEnd: true })
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw bodyTooLarge(limit)
    throw invalidRequest(null, `The body is not what its Content-Encoding says: ${coding}.`, 'invalid_body')
  }
}

/**
 * The bytes of a body as they were sent, content coding included. They are kept for whoever reads the body next.
 *
 * @param limit bytes
 * @param keeper is told of each piece as it comes, and may put an end to it
 * @throws ApiError 413; 400 for a body that ends early; what `keeper` throws
 */
export async function readSent(c: Context<Env>, limit: number, keeper?: Keeper): Promise<Uint8Array> {
  const known = c.get('sent')
  if (known) return known
  const sent = await receive(c, limit, keeper).catch(asIncomplete)
  c.set('sent', sent)
  return sent
}

async function receive(c: Context<Env>, limit: number, keeper?: Keeper): Promise<Uint8Array> {
  const declared = c.req.header('content-length')
  if (declared !== undefined && Number(declared) > limit) throw bodyTooLarge(limit)
  // Only now does a client that asked first send its body: see `createHttpServer`.
  if (c.req.header('expect') !== undefined) sayContinue(c.env.outgoing)
  if (declared !== undefined && !keeper) return new Uint8Array(await c.req.arrayBuffer())
  const parts: Uint8Array[] = []
  let length = 0
  // The next piece may be long in coming.
  keeper?.signal.addEventListener('abort', () => parts.splice(0))
  for await (const part of c.req.raw.body ?? []) {
    length += part.length
    if (length > limit) throw bodyTooLarge(limit)
    keeper?.keep(part.length)
    parts.push(part)
  }
  return concat(...parts)
}

/**
 * Behind a request that is still being answered on the same connection, only when it is this one's turn: what is
 * written before, Node puts between the head and the body of the answer.
 */
function sayContinue(outgoing: Context<Env>['env']['outgoing']): void {
  const say = () => {
    if (!outgoing.headersSent) outgoing.writeContinue()
  }
  if (outgoing.socket) say()
  else outgoing.once('socket', say)
}

/** The connection broke in mid-body. Nobody reads the answer; what matters is that it is no fault of ours. */
function asIncomplete(error: unknown): never {
  if (error instanceof ApiError) throw error
  throw invalidRequest(null, 'The body ended before it was complete.', 'incomplete_body')
}

function unsupportedCoding(coding: string): ApiError {
  return new ApiError({
    status: 415,
    type: 'invalid_request_error',
    message: `Unsupported Content-Encoding: ${clip(coding)}. Send the body as it is, or in one of gzip, deflate and br.`,
    apiCode: 'unsupported_content_encoding',
    headers: { 'accept-encoding': 'gzip, deflate, br' },
  })
}
