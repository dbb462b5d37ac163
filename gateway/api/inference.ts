import type { Context, Hono } from 'hono'
import type { DispatchEvent, DispatchResponse } from '../dispatch/index.ts'
import { INFERENCE_PATHS } from './admit.ts'
import { readJsonBody } from './body.ts'
import type { ApiDeps } from './deps.ts'
import { errorDocument } from './errors.ts'
import { collect, execute, prepare } from './execute.ts'
import { setProcessingTime } from './request-headers.ts'
import type { Env } from './route.ts'
import { eventStream } from './sse.ts'

/** `POST` on every path that a worker answers. */
export function inferenceRoutes(app: Hono<Env>, deps: ApiDeps): void {
  for (const path of INFERENCE_PATHS) app.post(path, (c) => serve(c, deps, path))
}

async function serve(c: Context<Env>, deps: ApiDeps, path: string): Promise<Response> {
  const body = await readJsonBody(c, deps.limits.bodyBytes)
  const prepared = prepare(deps, path, body)
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, c.req.raw.signal])
  const response = await execute(c, deps, prepared, signal)
  c.header('chrysalis-receipt', response.requestId)
  setProcessingTime(c, deps)
  if (prepared.stream) return streamed(c, deps, response, gone)
  return c.body(await collect(c, response), 200, { 'content-type': 'application/json' })
}

function streamed(
  c: Context<Env>,
  deps: ApiDeps,
  response: DispatchResponse,
  gone: AbortController,
): Response {
  const requestId = c.get('requestId')
  const stream = eventStream(documents(response.events), {
    describeError: (error) => errorDocument(error, deps.log, requestId),
    onCancel: () => gone.abort(),
  })
  return c.body(stream, 200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
}

async function* documents(events: AsyncIterable<DispatchEvent>): AsyncGenerator<Uint8Array, void> {
  for await (const event of events) if (event.type === 'event') yield event.json
}
