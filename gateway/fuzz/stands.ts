/** What is fired at: the real application over a dispatcher that follows a script, or a whole network in this process. */

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { fromUtf8, utf8 } from '../../attest/bytes.ts'
import { IdempotencyStore } from '../api/idempotency/index.ts'
import { RateLimiter } from '../api/limits.ts'
import { ModelNames } from '../api/names.ts'
import { chunk, scripted, serveFace, TEST_MODEL, TEST_SECRET } from '../api/testing/face.ts'
import type { DispatchRequest, DispatchResponse } from '../dispatch/index.ts'
import { InProcess } from '../e2e/inprocess.ts'
import { systemClock } from '../link/index.ts'
import { CANARY } from './routes.ts'
import type { Stand } from './run.ts'

export type OpenStand = Stand & AsyncDisposable

/** More than any run asks for. */
const ENOUGH = 1e12

/** The face alone: every request that it admits is answered at once. */
export async function openFace(): Promise<OpenStand> {
  const faults: string[] = []
  const log = (...line: unknown[]) => {
    if (JSON.stringify(line).includes(CANARY)) faults.push('the log holds what was sent')
  }
  const error = (...line: unknown[]) => faults.push(`logged as an error: ${JSON.stringify(line)}`)
  const face = await serveFace(async (request) => answer(request), {
    limiter: new RateLimiter({ requests: ENOUGH }, () => 0),
    idempotency: new IdempotencyStore({ keepMs: 1000, after: systemClock.after, maxEntries: 64 }),
    names: new ModelNames({ aliases: { alias: TEST_MODEL.id } }),
    limits: { bodyBytes: 64 * 1024, deadlineMs: 60_000, keepAliveMs: 15_000 },
    log: { info: log, warn: log, error } as never,
  })
  return {
    port: (face.server.address() as AddressInfo).port,
    secret: TEST_SECRET,
    faults: () => faults.splice(0),
    connections: () => connectionsOf(face.server),
    [Symbol.asyncDispose]: face.close,
  }
}

/** Gateway, seal, link, worker, tasks, ledger; the engine plays a script. */
export async function openNetwork(): Promise<OpenStand> {
  const net = await InProcess.open({
    engine: { info: { id: 'chrysalis/tiny', contextLength: 4096, embeddingLength: 8 } },
    requestsPerMinute: ENOUGH,
  })
  return {
    port: Number(new URL(net.url).port),
    secret: net.apiKey,
    faults: () => [],
    // One is the worker's link, as its proxy hands it on.
    connections: async () => (await connectionsOf(net.server)) - 1,
    [Symbol.asyncDispose]: () => net[Symbol.asyncDispose](),
  }
}

async function connectionsOf(server: Server): Promise<number> {
  return await promisify(server.getConnections.bind(server))()
}

/** What a worker answers to any request, as far as the face reads it. */
export function answer(request: DispatchRequest): DispatchResponse {
  if (request.stream) return scripted(request, [chunk({ content: 'a' }), chunk({}, 'stop')])
  const document = request.path === '/v1/translations' ? translated(request.body) : { object: 'answer' }
  return scripted(request, [{ type: 'body', bytes: utf8(JSON.stringify(document)) }])
}

function translated(body: Uint8Array): object {
  const { input } = JSON.parse(fromUtf8(body)) as { input: unknown }
  const data = [input].flat().map((_, index) => ({ index, text: 'a', detected_source_language: 'en' }))
  return { object: 'translation', id: 'trans-1', created: 1, model: 'm', data, usage: {} }
}
