/** Bad bodies by the million, to the real application: each is refused as a bad request, or is none and is served. */

import { fromUtf8, utf8 } from '../../attest/bytes.ts'
import { generator, mutate, type Random } from '../../attest/fuzz/mutate.ts'
import { RateLimiter } from '../api/limits.ts'
import { scripted, scriptedApp, TEST_MODEL, TEST_SECRET } from '../api/testing/face.ts'
import type { DispatchRequest, DispatchResponse } from '../dispatch/index.ts'
import { bodiesOf, GOOD, OTHER_PATHS, SCHEMA_PATHS } from './seeds.ts'

export interface BodiesOptions {
  bodies: number
  seed: number
  /** Called now and then with the number of bodies sent so far. */
  onProgress?: (sent: number) => void
}

export interface BodiesResult {
  sent: number
  /** Answers by their status. */
  statuses: Map<number, number>
  /** What no body may do, at most ten of them. */
  crashes: string[]
}

const BATCH = 500
/** One node in so many is not what the schema says. */
const ONE_IN = 150

/** Sends bodies until so many are sent or ten did what none may do. */
export async function fuzzBodies({ bodies, seed, onProgress }: BodiesOptions): Promise<BodiesResult> {
  const { app, logged } = scriptedApp(answer, { limiter: new RateLimiter({ requests: 1e12 }, Date.now) })
  const random = generator(seed)
  const result: BodiesResult = { sent: 0, statuses: new Map(), crashes: [] }
  const send = async (path: string, headers: Record<string, string>, body: Uint8Array) => {
    const asked = { method: 'POST', headers, body: new Uint8Array(body) }
    const response = await app.request(path, asked)
    const text = await response.text()
    const problem = problemOf(path, response.status, text) ?? (logged.length > 0 && 'an unexpected error')
    if (problem) result.crashes.push(`${problem}: ${path} ${fromUtf8Lossy(body)}`)
    logged.length = 0
    result.sent += 1
    result.statuses.set(response.status, (result.statuses.get(response.status) ?? 0) + 1)
  }
  while (result.sent < bodies && result.crashes.length < 10) {
    for (const { path, body } of batch(random)) {
      if (result.sent >= bodies || result.crashes.length >= 10) break
      await send(path, headersOf(random), body)
    }
    onProgress?.(result.sent)
  }
  return result
}

/** A third by the schemas, a third of those with bytes changed, a third of good ones with bytes changed. */
function batch(random: Random): { path: string; body: Uint8Array }[] {
  const path = SCHEMA_PATHS[random(SCHEMA_PATHS.length)] ?? '/v1/chat/completions'
  const made = bodiesOf(path, ONE_IN, BATCH, random(2 ** 31)).map((text) => utf8(withModel(text)))
  const changed = made.map(() => mutate(made, random))
  const good = GOOD.map(([, json]) => utf8(withModel(JSON.stringify(json))))
  const paths = [...SCHEMA_PATHS, ...OTHER_PATHS]
  const others = made.map(() => ({
    path: paths[random(paths.length)] ?? path,
    body: mutate(good, random),
  }))
  return [...[...made, ...changed].map((body) => ({ path, body })), ...others]
}

/** Most bodies name the model that is served, so that the rest of them is read too. */
function withModel(json: string): string {
  return json.endsWith('}')
    ? `${json.slice(0, -1)}${json === '{}' ? '' : ','}"model":"${TEST_MODEL.id}"}`
    : json
}

function headersOf(random: Random): Record<string, string> {
  const type = random(50) === 0 ? 'application/x-www-form-urlencoded' : 'application/json'
  return {
    authorization: `Bearer ${TEST_SECRET}`,
    'content-type': type,
    ...(random(50) === 0 && { 'content-encoding': ['gzip', 'br', 'deflate', 'x'][random(4)] ?? '' }),
    ...(random(50) === 0 && { 'idempotency-key': `key-${random(100)}` }),
  }
}

/** What is wrong with an answer. */
function problemOf(path: string, status: number, text: string): string | undefined {
  if (status >= 500) return `status ${status}`
  if (status === 200 || !path.startsWith('/v1/')) return undefined
  const { error } = JSON.parse(text) as { error?: Record<string, unknown> }
  const keys = Object.keys(error ?? {})
    .sort()
    .join()
  return keys === 'code,message,param,type' ? undefined : 'an error without its four keys'
}

/** An answer of the shape that the faces over translations read. */
async function answer(request: DispatchRequest): Promise<DispatchResponse> {
  if (request.stream) return scripted(request, [{ type: 'event', json: utf8('{"type":"x"}') }])
  const { input = [] } = JSON.parse(fromUtf8(request.body)) as { input?: unknown }
  const items = Array.isArray(input) ? input : [input]
  const data = items.map((_, index) => ({ index, text: 'x', detected_source_language: 'en' }))
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }
  return scripted(request, [{ type: 'body', bytes: utf8(JSON.stringify({ data, usage })) }])
}

const fromUtf8Lossy = (bytes: Uint8Array) => JSON.stringify(new TextDecoder().decode(bytes.slice(0, 2000)))
