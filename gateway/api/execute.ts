import type { Context } from 'hono'
import { concat, utf8 } from '../../attest/bytes.ts'
import {
  type Admitted,
  modelNotFound,
  PATHS,
  parseJsonObject,
  type SealedPath,
  unavailable,
} from '../../worker/protocol/index.ts'
import type { DispatchRequest, DispatchResponse } from '../dispatch/index.ts'
import type { ApiDeps } from './deps.ts'
import { flushed } from './flushed.ts'
import type { TokenHold } from './limits.ts'
import type { Env } from './route.ts'

/** A request that was read, with the bytes that are to be sealed. */
export interface Prepared extends Admitted {
  readonly path: SealedPath
  readonly body: Uint8Array
}

/** Reads a client's body. Only where a name of a model has to be replaced are other bytes sealed than it sent. */
export function prepare(deps: ApiDeps, path: SealedPath, body: Uint8Array): Prepared {
  const sent = parseJsonObject(body)
  const json = deps.names.apply(sent)
  return { ...PATHS[path](json), path, body: json === sent ? body : utf8(JSON.stringify(json)) }
}

/**
 * Runs one request on a worker.
 *
 * @param signal the client went away
 * @throws ApiError for all that ends before the first frame
 */
export async function execute(
  c: Context<Env>,
  deps: ApiDeps,
  prepared: Prepared,
  signal: AbortSignal,
): Promise<DispatchResponse> {
  const { path, body, model, stream, bounds } = prepared
  const distrust = deps.distrust?.()
  if (distrust) throw distrust
  const known = deps.catalog().find(({ id }) => id === model)
  if (!known) throw deps.mayReturn(model) ? modelAway() : modelNotFound(model)
  const limits = bounds(known.contextLength)
  const key = c.get('key')
  const payment = c.get('payment')
  const hold = deps.limiter.takeTokens(key.id, limits.maxPromptTokens + limits.maxOutputTokens * limits.n)
  for (const [name, value] of Object.entries(hold.headers)) c.header(name, value)
  const request: DispatchRequest = {
    requestId: c.get('requestId'),
    key,
    method: 'POST',
    path,
    body,
    model,
    sha256: known.sha256,
    contextLength: known.contextLength,
    stream,
    ...limits,
    ...(payment && { maxCharge: payment.amount }),
    signal,
    flushed: () => flushed(c.env?.outgoing),
    deadline: deps.now() + deps.limits.deadlineMs,
  }
  const response = await deps.dispatcher.dispatch(request).catch((error: unknown) => {
    if (!signal.aborted) hold.settle(0)
    throw error
  })
  settleTokens(hold, response, signal)
  const { requestId, done } = response
  done.then(
    ({ counts }) => deps.proofs?.note(requestId, counts),
    () => {},
  )
  return response
}

/** What failed on its own counts for nothing; what the client broke off counts in full, as nobody knows better. */
function settleTokens(hold: TokenHold, { done }: DispatchResponse, signal: AbortSignal): void {
  done.then(
    ({ usage }) => hold.settle(usedTokens(usage)),
    () => hold.settle(signal.aborted ? undefined : 0),
  )
}

/** A worker wrote this: what is no count is nobody's knowledge. */
function usedTokens(usage: Readonly<Record<string, unknown>> | null): number | undefined {
  if (usage === null) return 0
  const { total_tokens: total } = usage
  return typeof total === 'number' && Number.isSafeInteger(total) && total >= 0 ? total : undefined
}

/** The SDKs retry this by themselves. */
function modelAway() {
  return unavailable('No worker serves this model at the moment. Try again shortly.', 'model_unavailable', 1)
}

/** A JSON answer leaves only when it is whole and paid for; the headers that the worker asked for come with it. */
export async function collect(c: Context<Env>, response: DispatchResponse): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  for await (const event of response.events) if (event.type === 'body') parts.push(event.bytes)
  const { headers, charged } = await response.done
  c.set('charged', charged)
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
  return concat(...parts)
}

/**
 * The whole answer to a request that the gateway composes itself, for faces of other shapes: admitted, run and paid for
 * as if the client had sent it. Sets `chrysalis-receipt`.
 *
 * @param path a path that workers answer, e.g. `/v1/translations`
 * @param json without `stream`
 * @returns the bytes of the JSON document that the worker wrote
 * @throws ApiError
 */
export async function answerWhole(
  c: Context<Env>,
  deps: ApiDeps,
  { path, json }: { path: SealedPath; json: Record<string, unknown> },
): Promise<Uint8Array> {
  const named = deps.names.apply(json)
  const prepared: Prepared = { ...PATHS[path](named), path, body: utf8(JSON.stringify(named)) }
  const response = await execute(c, deps, prepared, c.req.raw.signal)
  c.header('chrysalis-receipt', response.requestId)
  return await collect(c, response)
}
