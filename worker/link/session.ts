import { randomBytes } from 'node:crypto'
import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import type { Policy } from '../../attest/policy/index.ts'
import type { SignedReceipt } from '../../attest/receipt/index.ts'
import type { Clock } from '../clock.ts'
import type { Account, Earnings } from '../earnings/index.ts'
import { EarningsError } from '../earnings/index.ts'
import type { Offer, ServeTerms, Worker } from '../enclave/index.ts'
import { codeOf, type Log } from '../log.ts'
import {
  CHUNK,
  type CloseName,
  decodeChunk,
  encodeChunk,
  type GatewayMessage,
  type GatewayMessageOf,
  joinMessage,
  LINK_LIMITS,
  LINK_VERSIONS,
  LinkError,
  negotiate,
  parseGatewayMessage,
  peekVersions,
  reattestMessage,
  type StreamHint,
  type VersionRange,
} from '../protocol/index.ts'
import { GatewayRefused } from './errors.ts'
import { LinkSocket } from './socket.ts'
import { type StreamPort, WorkerStream } from './stream.ts'
import { checkWelcome } from './welcome.ts'

/** Request bytes of all streams together that may wait for their last chunks. */
const MAX_GATHERED = 64 * 1024 * 1024
/** Messages that may wait while a welcome is judged. */
const MAX_WAITING = 64
/** The gateway takes one attest-request a second. */
const ATTEST_PAUSE_MS = 1_500

export interface SessionOptions {
  /** `ws://…/link`. */
  url: string
  worker: Worker
  earnings: Earnings
  /** What a gateway's evidence has to meet. */
  policy: Policy
  offers: readonly Offer[]
  clock: Clock
  log: Log
  /** Replaced by tests. */
  versions?: VersionRange
  /** The gateway is verified and the join complete. */
  onReady: (session: Session) => void
  /** Called once. `code` is a close name or the code of what failed here. */
  onGone: (session: Session, code: string) => void
}

type State = 'connecting' | 'attesting' | 'joining' | 'judging' | 'ready' | 'gone'

/** One connection to a gateway, from its challenge to its close. Everything that comes in is untrusted. */
export class Session implements StreamPort {
  /** The gateway's name of this connection, for logs. */
  name = ''
  readonly #options: SessionOptions
  readonly #socket: LinkSocket
  readonly #streams = new Map<number, WorkerStream>()
  readonly #nonce = new Uint8Array(randomBytes(32))
  #state: State = 'connecting'
  #version = 0
  #gatewayId = ''
  #terms: ServeTerms | undefined
  #account: Account | undefined
  #waiting: string[] = []
  #lastStream = 0
  #gathered = 0
  #draining = false
  #attesting = false
  #attestAgain = false
  #endCode: string | undefined
  #onIdle: (() => void)[] = []
  readonly #cancelHandshake: () => void
  readonly #unsubscribe: () => void

  constructor(options: SessionOptions) {
    this.#options = options
    const { clock, worker } = options
    this.#socket = new LinkSocket(options.url, clock, {
      onText: (text) => this.#onText(text),
      onBinary: (bytes) => this.#onBinary(bytes),
      onDrain: () => this.#onDrain(),
      onBeat: () => this.#socket.send({ type: 'heartbeat', ...worker.load }),
      onGone: (code) => this.#onGone(code),
    })
    this.#cancelHandshake = clock.after(LINK_LIMITS.handshakeMs, () => this.close('heartbeat_lost'))
    this.#unsubscribe = worker.onEpoch(() => this.#requestAttest())
  }

  get active(): number {
    return this.#streams.size
  }

  get ready(): boolean {
    return this.#state === 'ready'
  }

  /** Resolves when the connection is down and all that was sent before has left. */
  get closed(): Promise<void> {
    return this.#socket.closed
  }

  get writable(): boolean {
    return this.#socket.writable
  }

  close(name: CloseName): void {
    this.#socket.close(name)
  }

  /** Takes nothing new; resolves when every running stream has ended, or signed its last receipt. */
  async drain(): Promise<void> {
    this.#draining = true
    if (this.#state === 'ready') this.#socket.send({ type: 'draining' })
    if (this.#streams.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  sendChunk(stream: number, unit: Uint8Array): void {
    this.#socket.sendBinary(encodeChunk(CHUNK.response, stream, unit))
  }

  sendReceipt(stream: number, requestId: string, receipt: SignedReceipt, final: boolean): void {
    this.#socket.send({ type: 'receipt', requestId, stream, receipt, final })
  }

  sendEnd(stream: number, hint: StreamHint | undefined): void {
    this.#socket.send({ type: 'end', stream, ...(hint && { hint }) })
    this.#forget(stream)
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
        this.#onCancel(message.stream)
        break
      case 'credit':
        this.#stream(message.stream)?.grant(message.frames)
        break
      case 'ack':
        this.#account?.acknowledge(message.requestIds)
        break
      case 'voucher':
        this.#onVoucher(message)
        break
      case 'attest':
        this.#onAttest(message)
        break
      case 'attested':
        this.#onAttested(message)
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
    this.#version = version
    this.#gatewayId = message.gatewayId
    this.#state = 'attesting'
    void this.#join(message, mine).catch((error) => this.#fail(error))
  }

  async #join(challenge: GatewayMessageOf<'challenge'>, versions: VersionRange): Promise<void> {
    const { worker, offers, earnings } = this.#options
    const challengeNonce = fromBase64(challenge.nonce)
    const { bundle, claimsDigest, epochId } = await worker.evidence(challengeNonce)
    if (this.#socket.gone) return
    const signature = worker.sign(joinMessage({ challengeNonce, workerNonce: this.#nonce, claimsDigest }))
    const { payoutKey } = earnings
    this.#state = 'joining'
    this.#options.log.info({ gateway: this.#gatewayId.slice(0, 64), epoch: epochId }, 'joining')
    this.#socket.send({
      type: 'join',
      version: this.#version,
      versions,
      nonce: toBase64(this.#nonce),
      evidence: { ...bundle },
      signature: toBase64(signature),
      prices: offers.map(({ model, prices }) => ({ model, prices })),
      capacity: { slots: Math.min(worker.slots, LINK_LIMITS.maxStreams) },
      ...(payoutKey !== undefined && { payoutKey }),
    })
  }

  async #onWelcome(welcome: GatewayMessageOf<'welcome'>): Promise<void> {
    const { worker, policy, clock, offers, earnings, log } = this.#options
    const gateway = await checkWelcome(welcome, {
      policy,
      now: clock.now,
      nonce: this.#nonce,
      version: this.#version,
      model: worker.model,
      offers,
    })
    const account = await earnings.account(this.#gatewayId, welcome.payment)
    if (this.#socket.gone) {
      account.close()
      return
    }
    this.#account = account
    this.#terms = {
      gatewayId: this.#gatewayId,
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
    if (this.#attestAgain) this.#requestAttest()
    this.#options.onReady(this)
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

  #onRefused({ code, factors, reason }: GatewayMessageOf<'refused'>): void {
    this.#endCode = `refused_${code}`
    this.#options.log.warn({ code, factors, reason: printable(reason) }, 'the gateway refused this worker')
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

  /** A new epoch waits to be attested; one exchange at a time. */
  #requestAttest(): void {
    if (this.#state !== 'ready' || this.#attesting) {
      this.#attestAgain = true
      return
    }
    this.#attesting = true
    this.#attestAgain = false
    this.#socket.send({ type: 'attest-request' })
  }

  #onAttest({ nonce }: GatewayMessageOf<'attest'>): void {
    if (!this.#attesting) throw unexpected('a nonce that nobody asked for')
    void this.#sendEvidence(fromBase64(nonce)).catch((error) => this.#fail(error))
  }

  async #sendEvidence(nonce: Uint8Array): Promise<void> {
    const { worker } = this.#options
    const { bundle, claimsDigest } = await worker.evidence(nonce)
    const signature = toBase64(worker.sign(reattestMessage(nonce, claimsDigest)))
    this.#socket.send({ type: 'evidence', evidence: { ...bundle }, signature })
  }

  #onAttested({ epochId }: GatewayMessageOf<'attested'>): void {
    if (!this.#attesting) throw unexpected('an answer to no evidence')
    this.#options.log.info({ session: this.name, epoch: epochId }, 'epoch attested')
    this.#options.clock.after(ATTEST_PAUSE_MS, () => {
      this.#attesting = false
      if (this.#attestAgain && !this.#socket.gone) this.#requestAttest()
    })
  }

  #onCancel(id: number): void {
    const stream = this.#stream(id)
    stream?.cancel()
    // A request that is still coming in is not sent to its end any more.
    if (stream && !stream.taken) this.#turnAway(stream, 'cancelled')
  }

  #onDrainRequest(): void {
    this.#options.log.info({ session: this.name }, 'the gateway is going away')
    void this.drain().then(() => this.close('going_away'))
  }

  #onBinary(bytes: Uint8Array): void {
    if (this.#state !== 'ready') throw unexpected('a request before the welcome is answered')
    const { kind, stream: id, payload } = decodeChunk(bytes)
    if (kind === CHUNK.response) throw unexpected('a gateway sends requests only')
    const stream = id > this.#lastStream ? this.#openStream(id) : this.#streams.get(id)
    // The rest of a request that was ended early, which was already on its way.
    if (!stream || stream.ended) return
    if (stream.taken) throw unexpected('bytes after the end of a request')
    this.#gathered -= stream.gathered
    const fits = stream.gather(payload)
    this.#gathered += stream.gathered
    if (!fits) this.#turnAway(stream, 'too_large')
    else if (this.#gathered > MAX_GATHERED) this.#turnAway(stream, 'busy')
    else if (kind === CHUNK.lastRequest) this.#serve(stream)
  }

  #openStream(id: number): WorkerStream | undefined {
    this.#lastStream = id
    if (this.#streams.size >= LINK_LIMITS.maxStreams)
      throw new LinkError('limit_exceeded', 'too many streams')
    const stream = new WorkerStream(id, this)
    this.#streams.set(id, stream)
    if (!this.#draining) return stream
    this.#turnAway(stream, 'draining')
    return undefined
  }

  #serve(stream: WorkerStream): void {
    const terms = this.#terms
    if (!terms) throw new LinkError('internal', 'no terms')
    this.#gathered -= stream.gathered
    const request = stream.take()
    void this.#options.worker.serve(request, terms, stream).then(() => {
      if (stream.lost) this.#forget(stream.id)
    })
  }

  #turnAway(stream: WorkerStream, hint: StreamHint): void {
    this.#gathered -= stream.gathered
    stream.end(hint)
  }

  /** An open stream, or undefined for one that has ended; the gateway may not know that yet. */
  #stream(id: number): WorkerStream | undefined {
    if (id > this.#lastStream) throw unexpected('a message for a stream that never was')
    return this.#streams.get(id)
  }

  #forget(id: number): void {
    if (!this.#streams.delete(id) || this.#streams.size > 0) return
    const waiting = this.#onIdle
    this.#onIdle = []
    for (const resolve of waiting) resolve()
  }

  #onDrain(): void {
    for (const stream of this.#streams.values()) stream.wake()
  }

  #fail(error: unknown): void {
    const known = error instanceof GatewayRefused
    this.#endCode = codeOf(error)
    this.#options.log.warn(
      { code: codeOf(error), ...(known && { factors: error.factors }) },
      known ? 'this worker refused the gateway' : 'join failed',
    )
    this.close('refused')
  }

  #onGone(code: string): void {
    this.#state = 'gone'
    this.#cancelHandshake()
    this.#unsubscribe()
    this.#account?.close()
    for (const stream of [...this.#streams.values()]) {
      stream.lose()
      // Nobody else ends a stream whose request never became whole.
      if (!stream.taken) this.#forget(stream.id)
    }
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
