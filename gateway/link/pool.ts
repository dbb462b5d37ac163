import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { equalBytes } from '../../attest/bytes.ts'
import { LINK_LIMITS, LINK_PATH, LINK_SUBPROTOCOL } from '../../worker/protocol/link.ts'
import { type Clock, systemClock } from './clock.ts'
import type { PoolOptions, SessionHost } from './host.ts'
import { type Refusal, refusal } from './judge.ts'
import { WorkerSession } from './session.ts'
import { LinkSocket } from './socket.ts'
import type { Offer } from './terms.ts'
import { makeTurnstile } from './turnstile.ts'
import {
  DEFAULT_LINK_LIMITS,
  type EvidenceSource,
  type Lease,
  type LinkLimits,
  type NamedQuote,
  type PickOptions,
  type PickResult,
  type PoolListener,
  type WorkerIdentity,
  type WorkerView,
} from './types.ts'

/** Boots whose bar is remembered at once; the oldest is forgotten first. */
const MOST_BARRED = 4096

/**
 * The workers that dialled this gateway: lets them in once their evidence stands, keeps one connection for each boot,
 * and hands out their slots.
 */
export class WorkerPool {
  readonly limits: LinkLimits
  readonly #clock: Clock
  readonly #server: WebSocketServer
  readonly #sessions = new Set<WorkerSession>()
  readonly #byBoot = new Map<string, WorkerSession>()
  readonly #barred = new Map<string, number>()
  readonly #host: SessionHost<WorkerSession>
  #listener: PoolListener | undefined
  #closing = false
  #onEmpty: (() => void) | undefined

  constructor(options: PoolOptions) {
    this.limits = { ...DEFAULT_LINK_LIMITS, ...options.limits }
    this.#clock = options.clock ?? systemClock
    this.#server = new WebSocketServer({
      noServer: true,
      maxPayload: LINK_LIMITS.maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => offered.has(LINK_SUBPROTOCOL) && LINK_SUBPROTOCOL,
    })
    this.#host = this.#makeHost(options)
  }

  /** Makes `listener` the one that hears of free slots and of kept receipts. */
  listen(listener: PoolListener): void {
    this.#listener = listener
  }

  /**
   * Takes over an HTTP upgrade for the link's path.
   * @returns false, with nothing done, when the request is for another path
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const [path] = (request.url ?? '').split('?')
    if (path !== LINK_PATH) return false
    // Node takes its own listener off an upgraded socket: without one a reset would end the process.
    socket.on('error', () => socket.destroy())
    // Browsers always send Origin with a WebSocket, workers never: no web page may play worker to a local gateway.
    if (request.headers.origin !== undefined) return turnAway(socket, '403 Forbidden')
    const protocols = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
    if (!protocols.includes(LINK_SUBPROTOCOL)) return turnAway(socket, '400 Bad Request')
    if (this.#closing || !this.#makeRoom()) return turnAway(socket, '503 Service Unavailable')
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      const session = new WorkerSession(randomBytes(16).toString('hex'), this.#host, (self) => {
        return new LinkSocket(ws, {
          clock: this.#clock,
          heartbeatMs: this.limits.heartbeatMs,
          maxBufferedBytes: this.limits.maxBufferedBytes,
          raw: socket,
          onText: (text) => self.onText(text),
          onBinary: (bytes) => self.onBinary(bytes),
          onGone: (code) => self.onGone(code),
        })
      })
      this.#sessions.add(session)
    })
    return true
  }

  /** The welcomed workers. */
  workers(): WorkerView[] {
    return [...this.#byBoot.values()].flatMap((session) => session.view() ?? [])
  }

  /** The welcomed workers, for those who want their evidence; in the order in which they came. */
  sources(): EvidenceSource[] {
    return [...this.#byBoot.values()].flatMap((session) => {
      const { identity, stapled } = session
      if (!identity) return []
      const { workerId, models } = identity
      return [{ workerId, models, stapled, evidence: (nonce) => session.evidence(nonce) }]
    })
  }

  /** Takes a slot on the least loaded worker that is verified, has the model and an epoch with time left. */
  pick(model: string, options: PickOptions = {}): PickResult {
    let best: WorkerSession | undefined
    let known = false
    for (const { session } of this.#suitable(model, options)) {
      known = true
      if (session.open && session.hasSlot && (!best || session.load < best.load)) best = session
    }
    const lease: Lease | undefined = best?.lease(model)
    if (lease) return { kind: 'lease', lease }
    return { kind: known ? 'busy' : 'none' }
  }

  /** The price lists of all workers that such a request may come to, busy ones too. */
  quotes(model: string, options: PickOptions = {}): NamedQuote[] {
    return [...this.#suitable(model, options)].map(({ quote }) => quote)
  }

  *#suitable(
    model: string,
    options: PickOptions,
  ): Generator<{ session: WorkerSession; quote: NamedQuote }, void> {
    for (const [boot, session] of this.#byBoot) {
      // One that has just come back is worth waiting for: /v1/models and /readyz count it already.
      const offer = session.open || session.recovering ? session.offer(model) : undefined
      if (!offer || options.exclude?.has(boot) || !suits(offer, options)) continue
      yield { session, quote: offer.quote }
    }
  }

  /** The registry says something else, or nothing any more: every worker is judged by it again. */
  reconsider(): void {
    for (const session of [...this.#sessions]) session.reconsider()
  }

  /**
   * Tells the workers to finish and to come back later, waits for their streams until `drainMs` from now, and closes
   * every link. Nobody new is let in.
   */
  async close(drainMs = 0): Promise<void> {
    this.#closing = true
    for (const session of this.#sessions) session.drain()
    await this.#idle(drainMs)
    for (const session of [...this.#sessions]) session.close('going_away')
    this.#server.close()
  }

  #idle(ms: number): Promise<void> {
    if (ms <= 0 || this.#active() === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const stop = this.#clock.after(ms, resolve)
      this.#onEmpty = () => {
        stop()
        resolve()
      }
    })
  }

  #active(): number {
    let active = 0
    for (const session of this.#sessions) active += session.active
    return active
  }

  /**
   * Whether there is room for one more connection. In a crowd the oldest that has not even sent its join makes way,
   * so whoever merely connects keeps no worker out.
   */
  #makeRoom(): boolean {
    const pending = [...this.#sessions].filter(({ joined }) => !joined)
    const full = this.#sessions.size >= this.limits.maxWorkers + this.limits.maxPending
    if (pending.length < this.limits.maxPending && !full) return true
    const idle = pending.find(({ silent }) => silent)
    idle?.close('limit_exceeded')
    return idle !== undefined
  }

  #makeHost(options: PoolOptions): SessionHost<WorkerSession> {
    const pool = this
    return {
      gpuTools: {},
      checkVoucher: async () => undefined,
      ...options,
      clock: this.#clock,
      limits: this.limits,
      judging: makeTurnstile(2),
      get listener() {
        return pool.#listener
      },
      objection: (identity) => this.#objection(identity),
      admit: (session, identity) => this.#admit(session, identity),
      bar: (bootId) => this.#bar(bootId),
      onCapacity: () => this.#capacity(),
      onGone: (session, code) => this.#gone(session, code),
    }
  }

  #objection(identity: WorkerIdentity): Refusal | undefined {
    if (this.#closing) return refusal('draining', 'this gateway is shutting down')
    if ((this.#barred.get(identity.bootId) ?? 0) > this.#clock.now()) {
      return refusal('busy', 'this worker was cut off for a breach and is refused for a while')
    }
    const former = this.#byBoot.get(identity.bootId)
    if (!former && this.#byBoot.size >= this.limits.maxWorkers)
      return refusal('busy', 'this gateway has enough workers')
    const formerKey = former?.identity?.signingKey
    if (former && !(formerKey && equalBytes(formerKey, identity.signingKey))) {
      return refusal('signature', 'this boot has joined with another signing key')
    }
    return undefined
  }

  #admit(session: WorkerSession, identity: WorkerIdentity): Refusal | undefined {
    const objection = this.#objection(identity)
    if (objection) return objection
    const former = this.#byBoot.get(identity.bootId)
    this.#byBoot.set(identity.bootId, session)
    former?.close('replaced')
    return undefined
  }

  #bar(bootId: string): void {
    const now = this.#clock.now()
    for (const [boot, until] of this.#barred) {
      if (until <= now || this.#barred.size >= MOST_BARRED) this.#barred.delete(boot)
    }
    this.#barred.set(bootId, now + this.limits.barMs)
  }

  #capacity(): void {
    this.#listener?.onCapacity()
    if (this.#closing && this.#active() === 0) this.#onEmpty?.()
  }

  #gone(session: WorkerSession, code: string): void {
    this.#sessions.delete(session)
    const bootId = session.identity?.bootId
    if (bootId !== undefined && this.#byBoot.get(bootId) === session) this.#byBoot.delete(bootId)
    this.#host.log.info({ session: session.id, boot: bootId, code }, 'link closed')
    this.#capacity()
  }
}

function suits({ model, quote }: Offer, { sha256, contextLength = 0, accepts }: PickOptions): boolean {
  if (sha256 !== undefined && model.sha256 !== sha256) return false
  return model.contextLength >= contextLength && accepts?.(quote) !== false
}

function turnAway(socket: Duplex, status: string): true {
  const answer = `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`
  socket.end(answer, () => socket.destroy())
  return true
}
