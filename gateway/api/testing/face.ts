import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Hono } from 'hono'
import { utf8 } from '../../../attest/bytes.ts'
import type { DispatchEvent, DispatchFinal, DispatchRequest, DispatchResponse } from '../../dispatch/index.ts'
import type { ApiKey } from '../../ledger/index.ts'
import { systemClock } from '../../link/index.ts'
import { createApp } from '../app.ts'
import type { ApiDeps, CatalogModel } from '../deps.ts'
import { createHttpServer, type HttpServerOptions } from '../http-server.ts'
import { IdempotencyStore } from '../idempotency/index.ts'
import { RateLimiter } from '../limits.ts'
import { ModelNames } from '../names.ts'
import type { Env } from '../route.ts'

export const TEST_SECRET = 'sk-chry-test'

export const TEST_MODEL: CatalogModel = {
  id: 'chrysalis/tiny',
  sha256: 'ab'.repeat(32),
  contextLength: 512,
  created: 1,
  quantization: 'F16',
  price: { prompt: '50', cached: '10', completion: '200', reasoning: '200' },
  workers: 1,
  tee: 'simulated-tdx',
}

type Dispatch = (request: DispatchRequest) => Promise<DispatchResponse>

/** The real application over a dispatcher that follows a script. */
export function scriptedApp(
  dispatch: Dispatch,
  overrides: Partial<ApiDeps> = {},
): { app: Hono<Env>; logged: unknown[] } {
  const logged: unknown[] = []
  const log = (...line: unknown[]) => void logged.push(line)
  const app = createApp({
    dispatcher: { dispatch },
    keys: {
      find: async (secret) =>
        secret === TEST_SECRET ? ({ id: 'key-1', channel: 'channel-1' } as ApiKey) : undefined,
    },
    receipts: { receipt: async () => undefined },
    attestation: {
      answer: async () => ({
        object: 'chrysalis.attestation',
        nonce: null,
        gateway: null,
        workers: [],
        errors: [],
      }),
    },
    catalog: () => [TEST_MODEL],
    names: new ModelNames(),
    limiter: new RateLimiter({ requests: 1000 }, () => 0),
    idempotency: new IdempotencyStore({ keepMs: 600_000, after: systemClock.after }),
    mayReturn: () => false,
    missing: () => [],
    draining: () => false,
    tee: 'simulated',
    loopback: false,
    corsOrigins: [],
    limits: { bodyBytes: 4096, deadlineMs: 60_000, keepAliveMs: 15_000 },
    now: Date.now,
    monotonic: () => performance.now(),
    after: systemClock.after,
    log: { info: log, warn: log, error: log } as unknown as ApiDeps['log'],
    ...overrides,
  })
  return { app, logged }
}

/** The same on a real socket. */
export async function serveFace(
  dispatch: Dispatch,
  overrides: Partial<ApiDeps> = {},
  serverOptions: HttpServerOptions = {},
): Promise<{ url: string; server: Server; logged: unknown[]; close(): Promise<void> }> {
  const { app, logged } = scriptedApp(dispatch, overrides)
  const server = createHttpServer(app, serverOptions)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    logged,
    close: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A response that yields these events and then ends, or throws. */
export function scripted(
  request: DispatchRequest,
  events: DispatchEvent[],
  { fail, onLeave }: { fail?: Error; onLeave?: () => void } = {},
): DispatchResponse {
  const final: DispatchFinal = {
    status: 200,
    finishReason: 'stop',
    usage: null,
    headers: {},
    receiptDigest: '00'.repeat(32),
    counts: { details: new Uint8Array(), blind: new Uint8Array() },
    charged: 1n,
  }
  async function* play(): AsyncGenerator<DispatchEvent> {
    try {
      yield* events
      if (fail) throw fail
    } finally {
      onLeave?.()
    }
  }
  const done = fail ? Promise.reject(fail) : Promise.resolve(final)
  done.catch(() => {})
  return {
    requestId: request.requestId,
    worker: {
      workerId: '',
      bootId: '',
      tee: 'simulated-tdx',
      claimsDigest: '',
      model: { id: '', sha256: '' },
    },
    events: play(),
    done,
  }
}

/** One streamed chunk of a chat completion. */
export function chunk(delta: Record<string, unknown>, finish: string | null = null): DispatchEvent {
  const document = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'chrysalis/tiny',
    choices: [{ index: 0, delta, finish_reason: finish, logprobs: null }],
  }
  return { type: 'event', json: utf8(JSON.stringify(document)) }
}
