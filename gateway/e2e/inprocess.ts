import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import type { SimulatedTee } from '../../attest/index.ts'
import { type ReceiptBody, verifyReceipt } from '../../attest/receipt/index.ts'
import { Earnings } from '../../worker/earnings/index.ts'
import type { Worker } from '../../worker/enclave/index.ts'
import type { ScriptedEngine } from '../../worker/engine/testing/scripted.ts'
import { Link } from '../../worker/link/index.ts'
import { silentLog } from '../../worker/log.ts'
import type { ManualClock } from '../../worker/testing/manual-clock.ts'
import { createApp } from '../api/app.ts'
import type { TrustedProxies } from '../api/caller.ts'
import { createHttpServer } from '../api/http-server.ts'
import { IdempotencyStore } from '../api/idempotency/index.ts'
import { RateLimiter } from '../api/limits.ts'
import { ModelNames } from '../api/names.ts'
import { AttestationDesk } from '../attestations.ts'
import { Catalog } from '../catalog.ts'
import { Dispatcher, type DispatchLedger, type DispatchLimits } from '../dispatch/index.ts'
import type { GatewayIdentity } from '../identity.ts'
import type { Ledger, StoredReceipt } from '../ledger/index.ts'
import { WorkerPool } from '../link/index.ts'
import { PaymentDesk, type PaymentDeskOptions, UsedOnce } from '../pay/index.ts'
import { ChargeProofs } from '../proofs.ts'
import { quotesFor } from '../quotes.ts'
import { boundUncharged, Uncharged, type UnchargedOptions } from '../uncharged.ts'
import { GATEWAY_ID, openParts, type Parts, type PartsOptions } from './inprocess-parts.ts'
import { LinkProxy } from './link-proxy.ts'
import { postRaw, type RawResponse } from './raw-client.ts'
import { until } from './turns.ts'

/** Nanotons per token of the prompt and of the answer, for client and worker alike. */
export const PRICE = { prompt: 1n, completion: 2n }
const PER_MILLION = { prompt: '1000000', cached: '1000000', completion: '2000000', reasoning: '2000000' }
const DEPOSIT = 10n ** 15n
/** A life that no test comes near on the standing clock, in ms. */
const LONG = 600_000

export interface InProcessOptions extends PartsOptions {
  limits?: Partial<DispatchLimits>
  /** Evidence bundles a minute for one address; plenty when absent. */
  attestationsPerMinute?: number
  /** Takes payments that clients sign, on this chain and by these terms. */
  payments?: Omit<PaymentDeskOptions, 'ledger' | 'used' | 'uncharged' | 'now' | 'monotonic'>
  /** What one account may leave in the ledger without a charge; plenty when absent. */
  uncharged?: Omit<UnchargedOptions, 'now'>
  /** Reverse proxies; none when absent. */
  proxies?: TrustedProxies
  /** Requests a minute for one API key, on the standing clock; a thousand when absent. */
  requestsPerMinute?: number
}

/**
 * Gateway and worker in this process: the real application on a real HTTP socket, the real link through a proxy, the
 * real seal and ledger. Only the engine plays a script, nobody watches a chain, and time is moved by hand.
 */
export class InProcess implements AsyncDisposable {
  readonly clock: ManualClock
  readonly tee: SimulatedTee
  readonly proxy = new LinkProxy()
  readonly engine: ScriptedEngine
  /** HTTP requests that came in. */
  requests = 0
  url = ''
  apiKey = ''
  /** A key whose channel holds next to nothing. */
  poorKey = ''
  readonly #options: InProcessOptions
  readonly #dir: string
  readonly #proofs = new ChargeProofs()
  readonly ledger: Ledger
  readonly worker: Worker
  readonly pool: WorkerPool
  readonly dispatcher: Dispatcher
  readonly server: Server
  readonly idempotency: IdempotencyStore
  readonly #identity: GatewayIdentity
  readonly #uncharged: Uncharged
  readonly #settled = new Map<string, PromiseWithResolvers<void>>()
  /** The last reservation is on disk. */
  #reserved: Promise<void> | undefined
  #earnings: Earnings | undefined
  #link: Link | undefined

  private constructor(options: InProcessOptions, parts: Parts) {
    this.#options = options
    this.clock = parts.clock
    this.tee = parts.tee
    this.engine = parts.engine
    this.#dir = parts.dir
    this.ledger = parts.ledger
    this.worker = parts.worker
    this.#identity = parts.identity
    const plenty = { burst: 1_000_000, perMinute: 1_000_000 }
    this.#uncharged = new Uncharged({ ...(options.uncharged ?? plenty), now: parts.clock.monotonic })
    this.pool = this.#makePool()
    this.dispatcher = this.#makeDispatcher()
    this.idempotency = new IdempotencyStore({
      keepMs: LONG,
      after: (ms, fn) => this.clock.after(ms, fn),
    })
    this.server = this.#makeServer()
  }

  /** Resolves once the worker is welcomed and takes requests. */
  static async open(options: InProcessOptions = {}): Promise<InProcess> {
    const net = new InProcess(options, await openParts(options))
    await net.#fund()
    net.server.listen(0, '127.0.0.1')
    await once(net.server, 'listening')
    const { port } = net.server.address() as AddressInfo
    net.url = `http://127.0.0.1:${port}`
    await net.#dial(await net.proxy.start(`ws://127.0.0.1:${port}/link`))
    return net
  }

  get model(): string {
    return this.engine.info.id
  }

  /** Digest of the claims that new requests are sealed to, hex. */
  get claimsDigest(): string {
    const [worker] = this.pool.workers()
    return worker?.claimsDigest ?? ''
  }

  post(path: string, body: object, key = this.apiKey, more: Record<string, string> = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...more }
    const whole = { model: this.model, ...body }
    return fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(whole) })
  }

  /** Asks for a chat; `say` is its one message. */
  chat(say: string, body: object = {}): Promise<Response> {
    return this.post('/v1/chat/completions', { messages: [{ role: 'user', content: say }], ...body })
  }

  /** Asks for a streamed chat by a client that reads, stops reading and goes away when the test wants. */
  rawChat(say: string, body: object = {}): RawResponse {
    const whole = { model: this.model, messages: [{ role: 'user', content: say }], ...body }
    return postRaw(`${this.url}/v1/chat/completions`, this.apiKey, whole)
  }

  /** Id of the one request whose money is held back now; its engine may have begun before that was on disk. */
  async openRequest(): Promise<string> {
    await this.#reserved
    const [open, ...others] = await this.ledger.openReservations()
    if (!open || others.length > 0) throw new Error('not exactly one request is open')
    return open.requestId
  }

  /** Resolves once the request's reservation is ended in the ledger. */
  settled(requestId: string): Promise<void> {
    return this.#settlement(requestId).promise
  }

  /** The stored receipt with what the worker's enclave signed in it. */
  async receipt(requestId: string): Promise<{ stored: StoredReceipt; body: ReceiptBody }> {
    const stored = await this.ledger.receipt(requestId)
    if (!stored) throw new Error('no receipt')
    return { stored, body: verifyReceipt(stored.receipt, this.worker.signingKey) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const drained = this.dispatcher.drain(0)
    // Drained requests have until then to hand in their receipts.
    this.clock.advance(5_000)
    await drained
    const closing = this.#link?.close(0)
    this.clock.advance(1)
    // A gateway that has hung up does not answer a close.
    this.clock.advance(2_000)
    await closing
    await this.worker.close()
    this.#earnings?.close()
    await this.pool.close()
    this.proxy.close()
    this.server.closeAllConnections()
    this.server.close()
    this.#identity.close()
    await this.ledger.close()
    await rm(this.#dir, { recursive: true })
  }

  async #fund(): Promise<void> {
    const channel = (id: string, role: 'client' | 'worker', deposited: bigint) =>
      this.ledger.putChannel({ id, address: id, role, params: '{}', deposited })
    await channel('client', 'client', DEPOSIT)
    await channel('poor', 'client', 10n)
    await channel('worker', 'worker', DEPOSIT)
    this.apiKey = (await this.ledger.keys.create({ name: 'client', channel: 'client' })).secret
    this.poorKey = (await this.ledger.keys.create({ name: 'poor', channel: 'poor' })).secret
  }

  #makePool(): WorkerPool {
    return new WorkerPool({
      policy: { ...simulatedWithoutLog(this.tee.rootSha256), roles: ['worker'] },
      gatewayId: GATEWAY_ID,
      gatewayEvidence: (nonce) => this.#identity.evidence(nonce),
      gatewaySign: (message) => this.#identity.signer.sign(message),
      quotesFor: (worker) => {
        const quotes = quotesFor(worker, PER_MILLION)
        this.#proofs.keep(quotes)
        return quotes
      },
      paymentFor: async () => ({ ledgerChannel: 'worker', terms: null }),
      log: silentLog,
      clock: this.clock,
      // The longest that the link allows: a test that moves the clock must not look like a silent peer.
      limits: { heartbeatMs: 120_000 },
    })
  }

  #makeDispatcher(): Dispatcher {
    const { cipher, limits } = this.#options
    return new Dispatcher({
      pool: this.pool,
      ledger: boundUncharged(this.#watchedLedger(), this.#uncharged),
      signer: this.#identity.signer,
      gatewayId: GATEWAY_ID,
      log: silentLog,
      clock: this.clock,
      limits: { idleMs: LONG, firstFrameMs: LONG, ...limits },
      ...(cipher && { sealInternals: { cipher } }),
    })
  }

  #watchedLedger(): DispatchLedger {
    const { ledger } = this
    return {
      demandPayable: (request) => ledger.demandPayable(request),
      hold: async (request) => {
        const held = await ledger.hold(request)
        this.#reserved = held.durable.catch(() => {})
        return held
      },
      assign: (requestId, worker) => ledger.assign(requestId, worker),
      openReservations: () => ledger.openReservations(),
      charge: async (request) => {
        const result = await ledger.charge(request)
        this.#settlement(request.requestId).resolve()
        return result
      },
      release: async (requestId, reason) => {
        const result = await ledger.release(requestId, reason)
        this.#settlement(requestId).resolve()
        return result
      },
    }
  }

  #makeServer(): Server {
    const catalog = new Catalog(this.pool)
    const app = createApp({
      dispatcher: this.dispatcher,
      keys: this.ledger.keys,
      payments: this.#makePayments(),
      receipts: this.ledger,
      proofs: this.#proofs,
      attestation: new AttestationDesk({
        identity: this.#identity,
        sources: () => this.pool.sources(),
        perMinute: this.#options.attestationsPerMinute ?? 1000,
        monotonic: this.clock.monotonic,
        log: silentLog,
      }),
      catalog: () => catalog.models(),
      names: new ModelNames(),
      limiter: new RateLimiter({ requests: this.#options.requestsPerMinute ?? 1000 }, this.clock.monotonic),
      idempotency: this.idempotency,
      mayReturn: (model) => catalog.mayReturn(model),
      missing: () => [],
      draining: () => false,
      proxies: this.#options.proxies,
      tee: 'simulated',
      loopback: true,
      corsOrigins: [],
      limits: { bodyBytes: 1 << 20, deadlineMs: LONG, keepAliveMs: LONG },
      now: this.clock.now,
      monotonic: this.clock.monotonic,
      after: (ms, fn) => this.clock.after(ms, fn),
      log: silentLog as Parameters<typeof createApp>[0]['log'],
    })
    const server = createHttpServer(app)
    server.on('request', () => {
      this.requests += 1
    })
    server.on('upgrade', (request, socket, head) => {
      if (!this.pool.handleUpgrade(request, socket, head)) socket.destroy()
    })
    return server
  }

  #makePayments(): PaymentDesk | undefined {
    const { payments } = this.#options
    if (!payments) return undefined
    const { now, monotonic } = this.clock
    const { ledger } = this
    const uncharged = this.#uncharged
    return new PaymentDesk({ ...payments, ledger, used: new UsedOnce(), uncharged, now, monotonic })
  }

  async #dial(url: string): Promise<void> {
    const { clock, worker, tee } = this
    this.#earnings = new Earnings({
      file: ':memory:',
      unpaid: true,
      creditLimit: 0n,
      clock,
      log: silentLog,
    })
    this.#link = new Link({
      url,
      worker,
      earnings: this.#earnings,
      policy: { ...simulatedWithoutLog(tee.rootSha256), roles: ['gateway'] },
      offers: [{ model: worker.model.id, prices: PER_MILLION }],
      clock,
      log: silentLog,
    })
    this.#link.start()
    await until(() => this.pool.workers().some(({ state }) => state === 'ready'))
  }

  #settlement(requestId: string): PromiseWithResolvers<void> {
    const settlement = this.#settled.get(requestId) ?? Promise.withResolvers<void>()
    this.#settled.set(requestId, settlement)
    return settlement
  }
}
