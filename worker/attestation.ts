/** A worker's own `GET /v1/attestation`, for those who can reach it: off unless a port is set. */

import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { toHex } from '../attest/bytes.ts'
import { ConfigError } from '../attest/cli/config.ts'
import type { Worker } from './enclave/index.ts'
import { codeOf, type Log } from './log.ts'
import {
  Allowance,
  ApiError,
  ATTESTATION_PATH,
  type AttestationAnswer,
  demandLoopback,
  internalError,
  invalidRequest,
  isLoopback,
  methodNotAllowed,
  NonceTurns,
  networkOf,
  notFound,
  rateLimited,
  readAttestationQuery,
} from './protocol/index.ts'

/** Bundles a minute for each address, and for all together. */
const EACH_PER_MINUTE = 30
const ALL_PER_MINUTE = 120
/** Nonces that may wait for the TEE. */
const MOST_WAITING = 8
const MOST_CONNECTIONS = 64

export interface AttestationServerOptions {
  worker: Pick<Worker, 'evidence' | 'signingKey' | 'model'>
  host: string
  /** 0 picks a free one. */
  port: number
  /** Monotonic ms. */
  monotonic: () => number
  log: Log
}

/** The server, listening. */
export interface AttestationServer {
  readonly url: string
  close(): Promise<void>
}

/** Serves evidence over callers' nonces. @throws ConfigError when the address cannot be listened on */
export async function serveAttestation(options: AttestationServerOptions): Promise<AttestationServer> {
  const server = createAdaptorServer({ fetch: makeApp(options).fetch }) as Server
  server.maxConnections = MOST_CONNECTIONS
  server.listen(options.port, options.host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const place = `${options.host}, port ${options.port}`
    throw new ConfigError(`setting attestationPort: nothing can listen at ${place} (${codeOf(error)})`)
  }
  const { address, family, port } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function makeApp(options: AttestationServerOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const desk = new Desk(options)
  const loopback = isLoopback(options.host)
  app.onError((error, c) => {
    if (!(error instanceof ApiError)) options.log.warn({ code: codeOf(error) }, 'no evidence for a caller')
    const shown = error instanceof ApiError ? error : internalError(error)
    return c.json(shown.toJSON(), shown.status as 500, shown.headers)
  })
  app.use(async (c, next) => {
    if (loopback) demandLoopback({ host: c.req.header('host'), origin: c.req.header('origin') }, 'worker')
    await next()
  })
  app.get(ATTESTATION_PATH, async (c) => {
    // One that knows one nonce only has nothing older to show, and there is no other worker to pick.
    const { nonce } = readAttestationQuery(c.req.queries(), ['nonce'])
    if (!nonce)
      throw invalidRequest('nonce', 'nonce is needed: 32 random bytes in hex.', 'missing_required_parameter')
    c.header('cache-control', 'no-store')
    return c.json(await desk.answer(nonce, c.env?.incoming?.socket.remoteAddress ?? ''))
  })
  app.all(ATTESTATION_PATH, (c) => {
    throw methodNotAllowed(c.req.method, c.req.path, ['GET', 'HEAD'])
  })
  app.notFound(() => {
    throw notFound(`There is nothing here but GET ${ATTESTATION_PATH}?nonce=HEX.`)
  })
  return app
}

/** Makes evidence one nonce at a time, the same nonce once, and not too often. */
class Desk {
  readonly #options: AttestationServerOptions
  readonly #each: Allowance
  readonly #all: Allowance
  readonly #turns: NonceTurns

  constructor(options: AttestationServerOptions) {
    this.#options = options
    const { worker, monotonic: now } = options
    this.#each = new Allowance({ burst: EACH_PER_MINUTE, perMinute: EACH_PER_MINUTE, now })
    this.#all = new Allowance({ burst: ALL_PER_MINUTE, perMinute: ALL_PER_MINUTE, now })
    this.#turns = new NonceTurns({
      make: async (nonce) => (await worker.evidence(nonce)).bundle,
      mostWaiting: MOST_WAITING,
      busy: () => rateLimited('Others are waiting for evidence of this worker already.', 1, 'worker_busy'),
    })
  }

  /** @throws ApiError 429 */
  async answer(nonce: Uint8Array, address: string): Promise<AttestationAnswer> {
    const { worker } = this.#options
    const caller = networkOf(address)
    const wait = this.#each.take(caller) || this.#all.take()
    if (wait > 0)
      throw rateLimited('Rate limit reached: this worker makes no more evidence now.', wait / 1000)
    const evidence = await this.#turns.evidence(nonce, caller)
    const own = { id: toHex(worker.signingKey), models: [worker.model.id], evidence }
    return { object: 'chrysalis.attestation', nonce: toHex(nonce), gateway: null, workers: [own], errors: [] }
  }
}
