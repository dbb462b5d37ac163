/** A gateway's side of the link for tests: a real HTTP server on a free port, in simulated time. */

import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fromBase64Url, toBase64, utf8 } from '../../../attest/bytes.ts'
import type { EvidenceBundle } from '../../../attest/evidence/index.ts'
import { simulatedWithoutLog } from '../../../attest/evidence/testing.ts'
import { SimulatedTee } from '../../../attest/simulate/index.ts'
import { type LinkLog, type PoolOptions, WorkerPool } from '../index.ts'
import { FakeWorker, type FakeWorkerOptions, MODEL, PRICES } from './fake-worker.ts'
import { ManualClock } from './manual-clock.ts'

export interface LogEntry {
  level: 'info' | 'warn'
  message: string
  [field: string]: unknown
}

/** What this gateway claims: its scripted workers do not judge it. */
export const OWN_CLAIMS = utf8('{}')

/** A pool behind a real HTTP server, with a clock that tests turn and a log that they read. */
export class TestGateway {
  readonly clock: ManualClock
  readonly tee: SimulatedTee
  readonly pool: WorkerPool
  readonly log: LogEntry[] = []
  readonly logger: LinkLog
  readonly #key = generateKeyPairSync('ed25519')
  readonly #server = createServer()
  readonly #workers: FakeWorker[] = []
  port = 0

  private constructor(options: Partial<PoolOptions>, clock: ManualClock, tee: SimulatedTee) {
    this.clock = clock
    this.tee = tee
    this.logger = {
      info: (fields, message) => void this.log.push({ ...fields, level: 'info', message }),
      warn: (fields, message) => void this.log.push({ ...fields, level: 'warn', message }),
    }
    this.pool = new WorkerPool({
      policy: {
        ...simulatedWithoutLog(tee.rootSha256),
        roles: ['worker'],
        models: { [MODEL.id]: [MODEL.sha256] },
      },
      gatewayId: 'gateway-under-test',
      gatewayEvidence: async () =>
        ({ format: 'chrysalis/evidence/1', claims: toBase64(OWN_CLAIMS) }) as EvidenceBundle,
      gatewaySign: (message) => new Uint8Array(sign(null, message, this.#key.privateKey)),
      quotesFor: () => [
        { v: 1, model: MODEL, client: PRICES, worker: { ...PRICES, completion: '2000000' }, step: '1' },
      ],
      paymentFor: async () => ({ ledgerChannel: 'worker-channel', terms: null }),
      log: this.logger,
      clock,
      ...options,
    })
    this.#server.on('upgrade', (request, socket, head) => {
      if (!this.pool.handleUpgrade(request, socket, head)) socket.destroy()
    })
  }

  static async open(
    options: Partial<PoolOptions> = {},
    parts: { clock?: ManualClock; tee?: SimulatedTee } = {},
  ): Promise<TestGateway> {
    const clock = parts.clock ?? new ManualClock()
    const tee = parts.tee ?? SimulatedTee.ephemeral({ now: () => clock.now() })
    const gateway = new TestGateway(options, clock, tee)
    await new Promise<void>((resolve) => gateway.#server.listen(0, '127.0.0.1', resolve))
    gateway.port = (gateway.#server.address() as AddressInfo).port
    return gateway
  }

  /** Of the key that welcomes are signed with, 32 bytes. */
  get publicKey(): Uint8Array {
    return fromBase64Url(this.#key.publicKey.export({ format: 'jwk' }).x ?? '')
  }

  /** Dials without waiting for the outcome. */
  async dial(options: Partial<FakeWorkerOptions> = {}): Promise<FakeWorker> {
    const { port, clock, tee } = this
    const worker = await FakeWorker.dial({ port, clock, tee, ...options })
    this.#workers.push(worker)
    return worker
  }

  /** A worker that is welcomed and ready for requests. */
  async join(options: Partial<FakeWorkerOptions> = {}): Promise<FakeWorker> {
    const worker = await this.dial(options)
    await worker.hear('welcome')
    await this.until(
      () =>
        worker.gone ||
        this.pool.workers().some(({ bootId, state }) => bootId === worker.boot.bootId && state === 'ready'),
    )
    if (worker.gone) throw new Error('the link closed before the worker was ready')
    return worker
  }

  /** Lets the event loop turn until it is so. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise((resolve) => setImmediate(resolve))
  }

  logged(message: string): LogEntry[] {
    return this.log.filter((entry) => entry.message === message)
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) {
      worker.boot.epochs.close()
      worker.die()
    }
    await this.pool.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
