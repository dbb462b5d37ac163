import { createHash } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { PATHS, type SealedPath } from '../../worker/protocol/index.ts'
import type { DispatchResponse } from '../dispatch/index.ts'
import { draining } from '../dispatch/queue.ts'
import { readJsonBody } from './body.ts'
import type { ApiDeps } from './deps.ts'
import { toApiError } from './errors.ts'
import { collect, execute, type Prepared, prepare } from './execute.ts'
import { setProcessingTime } from './request-headers.ts'
import type { Env } from './route.ts'
import { eventStream, PLAIN_STYLE, TYPED_STYLE } from './sse.ts'

/** `POST` on every path that a worker answers. */
export function inferenceRoutes(app: Hono<Env>, deps: ApiDeps): void {
  for (const path of Object.keys(PATHS) as SealedPath[]) app.post(path, (c) => serve(c, deps, path))
}

async function serve(c: Context<Env>, deps: ApiDeps, path: SealedPath): Promise<Response> {
  if (deps.draining()) throw draining()
  const body = await readJsonBody(c, deps.limits.bodyBytes)
  const prepared = prepare(deps, path, body)
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, c.req.raw.signal])
  const { answer, receipt } = begin(c, deps, prepared, signal)
  if (prepared.stream) return await streamed(c, deps, { path, answer, receipt, gone })
  const response = await answer
  c.header('chrysalis-receipt', response.requestId)
  const document = await collect(c, response)
  setProcessingTime(c, deps)
  return c.body(document, 200, { 'content-type': 'application/json' })
}

/** Runs the request, or joins the one execution of its Idempotency-Key. `receipt` is the id that it is charged under. */
function begin(
  c: Context<Env>,
  deps: ApiDeps,
  prepared: Prepared,
  signal: AbortSignal,
): { answer: Promise<DispatchResponse>; receipt: string } {
  const key = c.req.header('idempotency-key')
  const requestId = c.get('requestId')
  if (key === undefined) return { answer: execute(c, deps, prepared, signal), receipt: requestId }
  const { path, body } = prepared
  const fingerprint = createHash('sha256').update(path).update('\n').update(body).digest('hex')
  const request = { account: c.get('key').id, key, fingerprint, requestId }
  const shared = deps.idempotency.run(request, (nobody) => execute(c, deps, prepared, nobody))
  if (shared.replayed) c.header('idempotent-replayed', 'true')
  return { answer: shared.run.listen(signal), receipt: shared.requestId }
}

interface StreamedAnswer {
  path: SealedPath
  answer: Promise<DispatchResponse>
  receipt: string
  /** To be aborted when the client goes away. */
  gone: AbortController
}

/**
 * What fails before the first frame is an answer with a status of its own. But a long prefill is not waited for in
 * silence: then the stream begins with a comment, and what fails after it is an event.
 */
async function streamed(
  c: Context<Env>,
  deps: ApiDeps,
  { path, answer, receipt, gone }: StreamedAnswer,
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
    'chrysalis-receipt': receipt,
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
