import type { Context, Hono } from 'hono'
import { concat } from '../../attest/bytes.ts'
import {
  boundsOfChat,
  boundsOfTranslation,
  modelNotFound,
  parseChatRequest,
  parseJsonObject,
  parseTranslationRequest,
  type RequestBounds,
  unavailable,
} from '../../worker/protocol/index.ts'
import type { DispatchEvent, DispatchResponse } from '../dispatch/index.ts'
import { readJsonBody } from './body.ts'
import type { ApiDeps } from './deps.ts'
import { errorDocument } from './errors.ts'
import type { Env } from './route.ts'
import { eventStream } from './sse.ts'

/** What the gateway must know of a request; all the rest is the worker's business and stays in the sealed bytes. */
interface Admitted {
  model: string
  stream: boolean
  bounds: (contextLength: number) => RequestBounds
}

/** `POST /v1/chat/completions` and `POST /v1/translations`. */
export function inferenceRoutes(app: Hono<Env>, deps: ApiDeps): void {
  app.post('/v1/chat/completions', (c) => serve(c, deps, admitChat))
  app.post('/v1/translations', (c) => serve(c, deps, admitTranslation))
}

/** Both parsers also run in the worker, which decides; here they only refuse early and name the bounds. */
function admitChat(body: Uint8Array): Admitted {
  const request = parseChatRequest(parseJsonObject(body))
  return {
    model: request.model,
    stream: request.stream,
    bounds: (contextLength) => boundsOfChat(request, contextLength),
  }
}

function admitTranslation(body: Uint8Array): Admitted {
  const request = parseTranslationRequest(parseJsonObject(body))
  return {
    model: request.model,
    stream: request.stream,
    bounds: (contextLength) => boundsOfTranslation(request, contextLength),
  }
}

async function serve(
  c: Context<Env>,
  deps: ApiDeps,
  admit: (body: Uint8Array) => Admitted,
): Promise<Response> {
  const body = await readJsonBody(c, deps.limits.bodyBytes)
  const { model, stream, bounds } = admit(body)
  const known = deps.catalog().find((candidate) => candidate.id === model)
  if (!known) throw deps.mayReturn(model) ? modelAway() : modelNotFound(model)
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, c.req.raw.signal])
  const response = await deps.dispatcher.dispatch({
    requestId: c.get('requestId'),
    key: c.get('key'),
    method: 'POST',
    path: c.req.path,
    body,
    model,
    sha256: known.sha256,
    contextLength: known.contextLength,
    stream,
    ...bounds(known.contextLength),
    signal,
    deadline: deps.now() + deps.limits.deadlineMs,
  })
  c.header('chrysalis-receipt', response.requestId)
  return stream ? streamed(c, deps, response, gone) : whole(c, response)
}

/** The SDKs retry this by themselves. */
function modelAway() {
  return unavailable('No worker serves this model at the moment. Try again shortly.', 'model_unavailable', 1)
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

/** A JSON answer leaves only when it is whole and paid for. */
async function whole(c: Context<Env>, response: DispatchResponse): Promise<Response> {
  const parts: Uint8Array[] = []
  for await (const event of response.events) if (event.type === 'body') parts.push(event.bytes)
  const { headers } = await response.done
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
  return c.body(concat(...parts), 200, { 'content-type': 'application/json' })
}
