import type { Context, Hono } from 'hono'
import { PATHS, type SealedPath } from '../../worker/protocol/index.ts'
import type { DispatchResponse } from '../dispatch/index.ts'
import { readJsonBody } from './body.ts'
import type { ApiDeps } from './deps.ts'
import { toApiError } from './errors.ts'
import { collect, execute, prepare } from './execute.ts'
import { setProcessingTime } from './request-headers.ts'
import type { Env } from './route.ts'
import { eventStream, PLAIN_STYLE, TYPED_STYLE } from './sse.ts'

/** `POST` on every path that a worker answers. */
export function inferenceRoutes(app: Hono<Env>, deps: ApiDeps): void {
  for (const path of Object.keys(PATHS) as SealedPath[]) app.post(path, (c) => serve(c, deps, path))
}

async function serve(c: Context<Env>, deps: ApiDeps, path: SealedPath): Promise<Response> {
  const body = await readJsonBody(c, deps.limits.bodyBytes)
  const prepared = prepare(deps, path, body)
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, c.req.raw.signal])
  const answer = execute(c, deps, prepared, signal)
  if (prepared.stream) return await streamed(c, deps, path, answer, gone)
  const response = await answer
  c.header('chrysalis-receipt', response.requestId)
  const document = await collect(c, response)
  setProcessingTime(c, deps)
  return c.body(document, 200, { 'content-type': 'application/json' })
}

/**
 * What fails before the first frame is an answer with a status of its own. But a long prefill is not waited for in
 * silence: then the stream begins with a comment, and what fails after it is an event.
 */
async function streamed(
  c: Context<Env>,
  deps: ApiDeps,
  path: SealedPath,
  answer: Promise<DispatchResponse>,
  gone: AbortController,
): Promise<Response> {
  const { keepAliveMs } = deps.limits
  const silent = await outlasts(answer, keepAliveMs, deps.after)
  const stream = eventStream(documents(answer), {
    style: path === '/v1/responses' ? TYPED_STYLE : PLAIN_STYLE,
    describeError: (error) => ({ ...toApiError(error, deps.log, c.get('requestId')).object() }),
    onCancel: () => gone.abort(),
    keepAliveMs,
    after: deps.after,
    silent,
  })
  setProcessingTime(c, deps)
  return c.body(stream, 200, {
    'chrysalis-receipt': c.get('requestId'),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
}

/** Whether a promise takes longer than `ms`. @throws what it rejects with until then */
async function outlasts(promise: Promise<unknown>, ms: number, after: ApiDeps['after']): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const stop = after(ms, () => resolve(true))
  try {
    return await Promise.race([promise.then(() => false), late])
  } finally {
    stop()
  }
}

async function* documents(answer: Promise<DispatchResponse>): AsyncGenerator<Uint8Array, void> {
  const { events } = await answer
  for await (const event of events) if (event.type === 'event') yield event.json
}
