/** The local face: only programs of this machine that know the local key, JSON only, errors in OpenAI's shape. */

import { type Context, Hono } from 'hono'
import type { Logger } from 'pino'
import {
  ApiError,
  demandLoopback,
  methodNotAllowed,
  newRequestId,
  notFound,
  unauthorized,
} from '../../worker/protocol/index.ts'
import { secretOf } from '../api/auth.ts'
import { readJsonBody } from '../api/body.ts'
import { answerError } from '../api/errors.ts'
import type { Env } from '../api/route.ts'
import { sameSecret } from '../same-secret.ts'
import { SidecarError } from './errors.ts'
import type { LocalRequest } from './forward.ts'

export interface SidecarAppOptions {
  /** What local programs send as their API key. */
  apiKey: string
  forward: (request: LocalRequest) => Promise<Response>
  /** Bytes of a request body. */
  bodyBytes: number
  log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** The local face: who may ask at all. */
export function createSidecarApp({ apiKey, forward, bodyBytes, log }: SidecarAppOptions): Hono<Env> {
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    c.set('requestId', newRequestId())
    await next()
  })
  app.onError((error, c) => {
    c.header('x-request-id', c.get('requestId'))
    return answerError(c, shown(error), log)
  })
  app.notFound(() => {
    throw notFound('Invalid URL: the sidecar passes on /v1/… only.')
  })
  app.use(async (c, next) => {
    demandLoopback({ host: c.req.header('host'), origin: c.req.header('origin') }, 'sidecar')
    await next()
  })
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.use('/v1/*', async (c, next) => {
    const secret = secretOf(c)
    if (secret === undefined) throw unauthorized(false)
    if (!sameSecret(secret, apiKey)) throw unauthorized(true)
    await next()
  })
  // The channel is its owner's: a program that may ask for answers must not end it. See `chrysalis sidecar close`.
  app.post('/v1/channels/*', () => {
    throw notFound('The sidecar ends no channel for its clients. Its owner does: chrysalis sidecar close.')
  })
  app.post('/v1/*', async (c) => await forward({ ...head(c), body: await readJsonBody(c, bodyBytes) }))
  app.get('/v1/*', async (c) => await forward(head(c)))
  app.all('/v1/*', (c) => {
    throw methodNotAllowed(c.req.method, c.req.path, ['GET', 'POST'])
  })
  return app
}

function head(c: Context<Env>): Omit<LocalRequest, 'body'> {
  const { pathname, search } = new URL(c.req.url)
  return { method: c.req.method, path: pathname + search, headers: c.req.header(), signal: c.req.raw.signal }
}

/** What a local program is told of a refusal of ours. */
function shown(error: unknown): unknown {
  if (!(error instanceof SidecarError)) return error
  if (error.code === 'ERR_GATEWAY') {
    return new ApiError({
      status: 502,
      type: 'server_error',
      apiCode: 'gateway_unreachable',
      message: `Sidecar: ${error.message}`,
      cause: error,
    })
  }
  return new ApiError({
    status: 402,
    type: 'insufficient_quota',
    apiCode: error.code.replace(/^ERR_/, '').toLowerCase(),
    message: `Sidecar: ${error.message}. Nothing was sent; see: chrysalis sidecar status`,
    headers: { 'x-should-retry': 'false' },
    cause: error,
  })
}
