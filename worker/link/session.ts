import { randomBytes } from 'node:crypto'
import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import { type RegistrySubject, registryObjection } from '../../attest/evidence/index.ts'
import type { Policy, RegistryView } from '../../attest/policy/index.ts'
import { ContractsError } from '../../contracts/errors.ts'
import type { Clock } from '../clock.ts'
import type { Account, Earnings } from '../earnings/index.ts'
import { EarningsError } from '../earnings/index.ts'
import type { Offer, ServeTerms, Worker } from '../enclave/index.ts'
import { codeOf, type Log } from '../log.ts'
import {
  type CloseName,
  type GatewayMessage,
  type GatewayMessageOf,
  joinMessage,
  LINK_LIMITS,
  LINK_VERSIONS,
  LinkError,
  negotiate,
  parseGatewayMessage,
  peekVersions,
  type VersionRange,
  type WorkerMessageOf,
} from '../protocol/index.ts'
import { Attestation } from './attestation.ts'
import { GatewayRefused } from './errors.ts'
import { Intake } from './intake.ts'
import { RelayedEvidence } from './relayed.ts'
import { LinkSocket } from './socket.ts'
import type { WorkerStream } from './stream.ts'
import { checkWelcome, type Handshake } from './welcome.ts'

/** Messages that may wait while a welcome is judged. */
const MAX_WAITING = 64

export interface SessionOptions {
  /** `ws://…/link`. */
  url: string
  worker: Worker
  earnings: Earnings
  /** What a gateway's evidence has to meet. */
  policy: Policy
  /** Where the policy holds to a registry: what that says now. @throws ContractsError while nothing can be relied on */
  registry?: (() => RegistryView) | undefined
  offers: readonly Offer[]
  clock: Clock
  log: Log
  /** Replaced by tests. */
  versions?: VersionRange
  /** The gateway is verified and the join complete. */
  onReady: (session: Session) => void
  /** Called once. `code` is a close name or the code of what failed here. */
  onGone: (session: Session, code: string) => void
  /** One side does not take the other, before the connection ends for it. */
  onRefused?: (refusal: LinkRefusal) => void
}

/** Why a join came to nothing. */
export interface LinkRefusal {
  /** Who refused. */
  by: 'gateway' | 'worker'
  code: string
  /** What failed in the evidence of the other side; empty for other reasons. */
  factors: readonly string[]
  /** The words of whoever refused, printable and short. */
  reason?: string
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
  readonly #nonce = new Uint8Array(randomBytes(32))
  #state: State = 'connecting'
  /** From our join until the welcome is judged. */
  #handshake: Handshake | undefined
  #terms: ServeTerms | undefined
  #account: Account | undefined
  #subject: RegistrySubject | undefined
  #waiting: string[] = []
  #endCode: string | undefined
  readonly #cancelHandshake: () => void
  readonly #unsubscribe: () => void

  constructor(options: SessionOptions) {
    this.#options = options
    const { clock, worker } = options
    this.#socket = new LinkSocket(options.url, clock, {
      onText: (text) => this.#onText(text),
      onBinary: (bytes) => this.#onBinary(bytes),
      onDrain: () => this.#intake.wake(),
      // A receipt has to be kept when it arrives.
      onFlush: () => this.#account?.flush(),
      onBeat: () => this.#socket.send({ type: 'heartbeat', ...worker.load }),
      onGone: (code) => this.#onGone(code),
    })
    this.#intake = new Intake(this.#socket, (stream) => this.#serve(stream))
    this.#cancelHandshake = clock.after(LINK_LIMITS.handshakeMs, () => this.close('heartbeat_lost'))
    this.#attestation = new Attestation({ worker, clock, send: (message) => this.#socket.send(message) })
    const { log } = options
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
      const objection = this.#subject
        ? registryObjection(registry(), this.#subject, clock.now())
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
        this.#account?.acknowledge(message.requestIds)
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
    const mine = this.#options.versions ?? LINK_VERSIONS
    const theirs = peekVersions(text)
    if (theirs === undefined) throw new LinkError('malformed_message', 'the first message is not a challenge')
    const version = negotiate(mine, theirs)
    if (version === undefined) {
      this.#endCode = 'ERR_LINK_VERSION'
      const fields = { ours: `${mine.min}-${mine.max}`, theirs: `${theirs.min}-${theirs.max}` }
      this.#options.log.warn(fields, 'no common link version with this gateway: update the older of the two')
      this.close('version_unsupported')
      return
    }
    const message = parseGatewayMessage(text)
    if (message.type !== 'challenge') throw unexpected('the first message is not a challenge')
    this.#state = 'attesting'
    void this.#join(message, version, mine).catch((error) => this.#fail(error))
  }

  async #join(
    challenge: GatewayMessageOf<'challenge'>,
    version: number,
    versions: VersionRange,
  ): Promise<void> {
    const { worker, offers, earnings } = this.#options
    const challengeNonce = fromBase64(challenge.nonce)
    const { bundle, claimsDigest, epochId } = await worker.evidence(challengeNonce)
    if (this.#socket.gone) return
    const { payoutKey } = earnings
    const signed = joinMessage({ challengeNonce, workerNonce: this.#nonce, claimsDigest, payoutKey })
    this.#state = 'joining'
    const gateway = printable(challenge.gatewayId).slice(0, 66)
    this.#options.log.info({ gateway, epoch: epochId }, 'joining')
    const join: WorkerMessageOf<'join'> = {
      type: 'join',
      version,
      versions,
      nonce: toBase64(this.#nonce),
      evidence: { ...bundle },
      signature: toBase64(worker.sign(signed)),
      prices: offers.map(({ model, prices }) => ({ model, prices })),
      capacity: { slots: Math.min(worker.slots, LINK_LIMITS.maxStreams) },
      ...(payoutKey !== undefined && { payoutKey }),
    }
    this.#handshake = { challenge, join }
    this.#socket.send(join)
  }

  async #onWelcome(welcome: GatewayMessageOf<'welcome'>): Promise<void> {
    const { worker, policy, registry, clock, offers, earnings, log } = this.#options
    const handshake = this.#handshake
    if (!handshake) throw unexpected('a welcome before the join')
    this.#handshake = undefined
    const { gatewayId } = handshake.challenge
    const gateway = await checkWelcome(welcome, {
      policy,
      registry,
      now: clock.now,
      ...handshake,
      model: worker.model,
      offers,
    })
    const account = await earnings.account(gatewayId, welcome.payment)
    if (this.#socket.gone) {
      account.close()
      return
    }
    this.#account = account
    this.#subject = gateway.subject
    this.#terms = {
      gatewayId,
      gatewayKey: gateway.signingKey,
      quotes: gateway.quotes,
      creditworthy: () => account.creditworthy,
      keep: (receipt) => account.keep(receipt),
    }
    this.name = welcome.session
    this.#state = 'ready'
    this.#cancelHandshake()
    this.#socket.keepAlive(welcome.heartbeatMs)
    for (const message of account.held()) this.#socket.send(message)
    log.info({ session: this.name, gatewayBoot: gateway.bootId, quotes: gateway.quotes.size }, 'joined')
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

  #onRefused({ code, ...words }: GatewayMessageOf<'refused'>): void {
    this.#endCode = `refused_${code}`
    const [factors, reason] = [words.factors.map(printable), printable(words.reason)]
    this.#options.log.warn({ code, factors, reason }, 'the gateway refused this worker')
    this.#options.onRefused?.({ by: 'gateway', code, factors, reason })
    this.close('refused')
  }

  #onVoucher(message: GatewayMessageOf<'voucher'>): void {
    try {
      this.#account?.voucher(message)
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
    const terms = this.#terms
    if (!terms) throw new LinkError('internal', 'no terms')
    return this.#options.worker.serve(stream.take(), terms, stream)
  }

  #fail(error: unknown): void {
    const known = error instanceof GatewayRefused
    this.#endCode = codeOf(error)
    this.#options.log.warn(
      { code: codeOf(error), ...(known && { factors: error.factors }) },
      known ? 'this worker refused the gateway' : 'join failed',
    )
    const factors = known ? error.factors : []
    // Of our own errors the words are ours; a library's may quote what it was given.
    const own = known || error instanceof EarningsError || error instanceof ContractsError
    const reason = own ? { reason: printable(error.message) } : {}
    this.#options.onRefused?.({ by: 'worker', code: codeOf(error), factors, ...reason })
    this.close('refused')
  }

  #onGone(code: string): void {
    this.#state = 'gone'
    this.#cancelHandshake()
    this.#unsubscribe()
    this.#attestation.close()
    this.#account?.close()
    this.#intake.lose()
    this.#options.onGone(this, this.#endCode ?? code)
  }
}

function unexpected(message: string): LinkError {
  return new LinkError('unexpected_message', message)
}

/** A gateway's words for our log: short, printable ASCII. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
