import { registryObjection } from '../../attest/evidence/index.ts'
import { EarningsError } from '../earnings/index.ts'
import { codeOf, type Log } from '../log.ts'
import {
  type CloseName,
  type GatewayMessage,
  type GatewayMessageOf,
  LINK_LIMITS,
  LinkError,
  parseGatewayMessage,
  type VersionRange,
} from '../protocol/index.ts'
import { Attestation } from './attestation.ts'
import { GatewayRefused } from './errors.ts'
import { type Challenge, Handshake, type HandshakeOptions, type Joined } from './handshake.ts'
import { Intake } from './intake.ts'
import { byGateway, byWorker, type LinkRefusal, printable } from './refusal.ts'
import { RelayedEvidence } from './relayed.ts'
import { LinkSocket } from './socket.ts'
import type { WorkerStream } from './stream.ts'

/** Messages that may wait while a welcome is judged. */
const MAX_WAITING = 64

export interface SessionOptions extends HandshakeOptions {
  /** `ws://…/link`. */
  url: string
  log: Log
  /** The gateway is verified and the join complete. */
  onReady: (session: Session) => void
  /** Called once. `code` is a close name or the code of what failed here. */
  onGone: (session: Session, code: string) => void
  /** One side does not take the other, before the connection ends for it. */
  onRefused?: (refusal: LinkRefusal) => void
}

type State = 'connecting' | 'attesting' | 'joining' | 'judging' | 'ready' | 'gone'

/** One connection to a gateway, from its challenge to its close. Everything that comes in is untrusted. */
export class Session {
  /** The gateway's name of this connection, for logs. */
  name = ''
  readonly #options: SessionOptions
  readonly #socket: LinkSocket
  readonly #attestation: Attestation
  readonly #relayed: RelayedEvidence
  readonly #intake: Intake
  readonly #handshake: Handshake
  #state: State = 'connecting'
  /** From the judged welcome on, and still when the link is gone. */
  #joined: Joined | undefined
  #waiting: string[] = []
  #endCode: string | undefined
  readonly #cancelHandshake: () => void
  readonly #unsubscribe: () => void

  constructor(options: SessionOptions) {
    this.#options = options
    const { clock, worker, log } = options
    this.#handshake = new Handshake(options)
    this.#socket = new LinkSocket(options.url, clock, {
      onText: (text) => this.#onText(text),
      onBinary: (bytes) => this.#onBinary(bytes),
      onDrain: () => this.#intake.wake(),
      // A receipt has to be kept when it arrives.
      onFlush: () => this.#joined?.account.flush(),
      onBeat: () => this.#socket.send({ type: 'heartbeat', ...worker.load }),
      onGone: (code) => this.#onGone(code),
    })
    this.#intake = new Intake(this.#socket, (stream) => this.#serve(stream))
    this.#cancelHandshake = clock.after(LINK_LIMITS.handshakeMs, () => this.close('heartbeat_lost'))
    this.#attestation = new Attestation({ worker, clock, send: (message) => this.#socket.send(message) })
    this.#relayed = new RelayedEvidence({ worker, clock, log, send: (message) => this.#socket.send(message) })
    this.#unsubscribe = worker.onEpoch(() => this.#attestation.request())
  }

  get active(): number {
    return this.#intake.size
  }

  get ready(): boolean {
    return this.#state === 'ready'
  }

  /** Resolves when the connection is down and all that was sent before has left. */
  get closed(): Promise<void> {
    return this.#socket.closed
  }

  close(name: CloseName): void {
    this.#socket.close(name)
  }

  /** Takes nothing new; resolves when every running stream has ended, or signed its last receipt. */
  async drain(): Promise<void> {
    this.#intake.refuse()
    if (this.#state === 'ready') this.#socket.send({ type: 'draining' })
    await this.#intake.idle()
  }

  /**
   * Asks the registry again about the gateway: one that it no longer allows is left at once; any is, once what runs is
   * finished, when nothing can be relied on.
   */
  reconsider(): void {
    const { registry, clock, log } = this.#options
    if (this.#state !== 'ready' || !registry) return
    try {
      const subject = this.#joined?.subject
      const objection = subject
        ? registryObjection(registry(), subject, clock.now())
        : 'nothing is known of this gateway'
      if (objection === undefined) return
      this.#fail(new GatewayRefused('ERR_GATEWAY_EVIDENCE', objection, ['registry.allowed']))
    } catch (error) {
      log.warn({ session: this.name, code: codeOf(error) }, 'no gateway can be relied on')
      void this.#leave()
    }
  }

  #onText(text: string): void {
    if (this.#state === 'connecting') this.#onChallenge(text)
    else if (this.#state === 'judging') this.#defer(text)
    else this.#onMessage(parseGatewayMessage(text))
  }

  /** What follows a welcome waits until the gateway behind it is known. */
  #defer(text: string): void {
    if (this.#waiting.push(text) > MAX_WAITING) {
      throw new LinkError('limit_exceeded', 'too much before our answer')
    }
  }

  #onMessage(message: GatewayMessage): void {
    if (message.type === 'refused') {
      this.#onRefused(message)
    } else if (message.type === 'welcome') {
      if (this.#state !== 'joining') throw unexpected('a welcome at the wrong time')
      this.#state = 'judging'
      void this.#onWelcome(message).catch((error) => this.#fail(error))
    } else {
      if (this.#state !== 'ready') throw unexpected('a message before the welcome')
      this.#onJoinedMessage(message)
    }
  }

  #onJoinedMessage(message: Exclude<GatewayMessage, { type: 'refused' | 'welcome' }>): void {
    switch (message.type) {
      case 'challenge':
        throw unexpected('a second challenge')
      case 'cancel':
        this.#intake.cancel(message.stream)
        break
      case 'credit':
        this.#intake.grant(message.stream, message.frames)
        break
      case 'ack':
        this.#joined?.account.acknowledge(message.requestIds)
        break
      case 'voucher':
        this.#onVoucher(message)
        break
      case 'attest':
        this.#onNonce(message)
        break
      case 'attested':
        this.#onAttested(message)
        break
      case 'attest-for':
        this.#relayed.onNonce(message)
        break
      case 'drain':
        this.#onDrainRequest()
    }
  }

  #onChallenge(text: string): void {
    const challenge = this.#handshake.read(text)
    if ('theirs' in challenge) {
      this.#onOtherVersions(challenge.theirs)
      return
    }
    this.#state = 'attesting'
    void this.#join(challenge).catch((error) => this.#fail(error))
  }

  #onOtherVersions(theirs: VersionRange): void {
    const mine = this.#handshake.versions
    const fields = { ours: `${mine.min}-${mine.max}`, theirs: `${theirs.min}-${theirs.max}` }
    this.#options.log.warn(fields, 'no common link version with this gateway: update the older of the two')
    this.#endCode = 'ERR_LINK_VERSION'
    this.close('version_unsupported')
  }

  async #join(challenge: Challenge): Promise<void> {
    const { join, epochId } = await this.#handshake.join(challenge)
    if (this.#socket.gone) return
    this.#state = 'joining'
    const gateway = printable(challenge.message.gatewayId).slice(0, 66)
    this.#options.log.info({ gateway, epoch: epochId }, 'joining')
    this.#socket.send(join)
  }

  async #onWelcome(welcome: GatewayMessageOf<'welcome'>): Promise<void> {
    const joined = await this.#handshake.judge(welcome)
    const { account, bootId, terms } = joined
    if (this.#socket.gone) {
      account.close()
      return
    }
    this.#joined = joined
    this.name = welcome.session
    this.#state = 'ready'
    this.#cancelHandshake()
    this.#socket.keepAlive(welcome.heartbeatMs)
    for (const message of account.held()) this.#socket.send(message)
    const fields = { session: this.name, gatewayBoot: bootId, quotes: terms.quotes.size }
    this.#options.log.info(fields, 'joined')
    this.#attestation.begin()
    this.#options.onReady(this)
    // The registry may have changed since it was asked.
    this.reconsider()
    this.#replay()
  }

  #replay(): void {
    const waiting = this.#waiting
    this.#waiting = []
    try {
      for (const text of waiting) if (!this.#socket.gone) this.#onMessage(parseGatewayMessage(text))
    } catch (error) {
      this.close(error instanceof LinkError ? error.closeName : 'internal')
    }
  }

  #onRefused(message: GatewayMessageOf<'refused'>): void {
    const refusal = byGateway(message)
    const { code, factors, reason } = refusal
    this.#endCode = `refused_${code}`
    this.#options.log.warn({ code, factors, reason }, 'the gateway refused this worker')
    this.#options.onRefused?.(refusal)
    this.close('refused')
  }

  #onVoucher(message: GatewayMessageOf<'voucher'>): void {
    try {
      this.#joined?.account.voucher(message)
    } catch (error) {
      if (!(error instanceof EarningsError)) throw error
      // Without it the debt keeps counting, so a wrong voucher harms its sender only.
      this.#options.log.warn({ session: this.name, code: error.code }, 'voucher refused')
    }
  }

  #onNonce({ nonce }: GatewayMessageOf<'attest'>): void {
    void this.#attestation.onNonce(this.#attestation.nonceOf(nonce)).catch((error) => this.#fail(error))
  }

  #onAttested({ epochId }: GatewayMessageOf<'attested'>): void {
    this.#attestation.onAttested()
    this.#options.log.info({ session: this.name, epoch: epochId }, 'epoch attested')
  }

  #onDrainRequest(): void {
    this.#options.log.info({ session: this.name }, 'the gateway is going away')
    void this.#leave()
  }

  /** Finishes what runs, then closes. */
  async #leave(): Promise<void> {
    await this.drain()
    this.close('going_away')
  }

  #onBinary(bytes: Uint8Array): void {
    if (this.#state !== 'ready') throw unexpected('a request before the welcome is answered')
    this.#intake.onBinary(bytes)
  }

  #serve(stream: WorkerStream): Promise<void> {
    const terms = this.#joined?.terms
    if (!terms) throw new LinkError('internal', 'no terms')
    return this.#options.worker.serve(stream.take(), terms, stream)
  }

  #fail(error: unknown): void {
    const refusal = byWorker(error)
    const { code, factors } = refusal
    this.#endCode = code
    if (error instanceof GatewayRefused)
      this.#options.log.warn({ code, factors }, 'this worker refused the gateway')
    else this.#options.log.warn({ code }, 'join failed')
    this.#options.onRefused?.(refusal)
    this.close('refused')
  }

  #onGone(code: string): void {
    this.#state = 'gone'
    this.#cancelHandshake()
    this.#unsubscribe()
    this.#attestation.close()
    this.#joined?.account.close()
    this.#intake.lose()
    this.#options.onGone(this, this.#endCode ?? code)
  }
}

function unexpected(message: string): LinkError {
  return new LinkError('unexpected_message', message)
}
