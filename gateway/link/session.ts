import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import { codeOf } from '../../attest/cli/process.ts'
import { type EvidenceBundle, type RegistrySubject, registryObjection } from '../../attest/evidence/index.ts'
import {
  CHUNK,
  decodeChunk,
  type GatewayMessageOf,
  LINK_LIMITS,
  LinkError,
  parseWorkerMessage,
  type WorkerMessageOf,
} from '../../worker/protocol/link.ts'
import { LINK_VERSIONS } from '../../worker/protocol/version.ts'
import { isKnown } from '../known.ts'
import { EpochBook } from './epochs.ts'
import { makeHandle } from './handle.ts'
import type { RegistryRules, SessionHost } from './host.ts'
import { type Attested, freshNonce, type Refusal, refusal, sameIdentity } from './judge.ts'
import { peekJoinVersion } from './peek.ts'
import { prepareJoin } from './prepare.ts'
import { EvidenceRelay, RelayError } from './relay.ts'
import { Renewal } from './renewal.ts'
import type { LinkSocket } from './socket.ts'
import { StreamTable } from './streams.ts'
import type { Offer } from './terms.ts'
import type { Lease, WorkerHandle, WorkerIdentity, WorkerPayment, WorkerView } from './types.ts'
import { makeWelcome } from './welcome.ts'

type State = 'joining' | 'judging' | 'recovering' | 'ready' | 'gone'

/** What a session knows once its worker was welcomed. */
interface Joined {
  identity: WorkerIdentity
  offers: ReadonlyMap<string, Offer>
  payment: WorkerPayment
  slots: number
  at: number
}

/**
 * One connection of a worker, from challenge to close. Every byte that it receives is untrusted: whatever breaks the
 * protocol closes the link under a name, and nothing that it keeps grows beyond a stated bound.
 */
export class WorkerSession {
  readonly id: string
  readonly #host: SessionHost<WorkerSession>
  readonly #socket: LinkSocket
  readonly #nonce = freshNonce()
  readonly #challenge: GatewayMessageOf<'challenge'>
  readonly #streams: StreamTable
  readonly #stopHandshake: () => void
  #state: State = 'joining'
  #draining = false
  #joined: Joined | undefined
  #handle: WorkerHandle | undefined
  readonly #epochs: EpochBook
  readonly #renewal: Renewal
  readonly #relay: EvidenceRelay
  #stapled: EvidenceBundle | undefined
  #subject: RegistrySubject | undefined
  #heldDone = false
  #recovery: Promise<void> = Promise.resolve()
  #leased = 0
  #queued = 0

  constructor(id: string, host: SessionHost<WorkerSession>, connect: (session: WorkerSession) => LinkSocket) {
    this.id = id
    this.#host = host
    this.#epochs = new EpochBook(() => host.clock.now(), host.limits.epochMarginMs)
    this.#renewal = new Renewal(host)
    this.#socket = connect(this)
    const { relayMs, relayWaiting } = host.limits
    this.#relay = new EvidenceRelay({
      clock: host.clock,
      relayMs,
      relayWaiting,
      send: (message) => this.#socket.send(message),
    })
    this.#streams = new StreamTable(this.#socket, {
      onCapacity: () => host.onCapacity(),
      onLateReceipt: (receipt) => {
        if (this.#handle) host.listener?.onLateReceipt(this.#handle, receipt)
      },
    })
    const stopJoin = host.clock.after(host.limits.joinMs, () => {
      if (this.silent) this.close('heartbeat_lost')
    })
    const stopWelcome = host.clock.after(host.limits.handshakeMs, () => {
      if (this.#state === 'joining' || this.#state === 'judging') this.close('heartbeat_lost')
    })
    this.#stopHandshake = () => {
      stopJoin()
      stopWelcome()
    }
    this.#challenge = {
      type: 'challenge',
      versions: LINK_VERSIONS,
      nonce: toBase64(this.#nonce),
      gatewayId: host.gatewayId,
      time: host.clock.now(),
    }
    this.#socket.send(this.#challenge)
  }

  /** Has not sent its join. */
  get silent(): boolean {
    return this.#state === 'joining'
  }

  get joined(): boolean {
    return this.#joined !== undefined
  }

  get identity(): WorkerIdentity | undefined {
    return this.#joined?.identity
  }

  get handle(): WorkerHandle | undefined {
    return this.#handle
  }

  /** Takes new requests, apart from having a free slot. */
  get open(): boolean {
    return this.#state === 'ready' && !this.#draining && !this.#socket.gone
  }

  /** Will take new requests once its held receipts are dealt with. */
  get recovering(): boolean {
    return this.#state === 'recovering' && !this.#draining && !this.#socket.gone
  }

  get active(): number {
    return this.#streams.size + this.#leased
  }

  /** Share of the slots that is taken; with the worker's own queue as a tie-breaker below one slot. */
  get load(): number {
    const slots = this.#joined?.slots ?? 1
    return (this.active + Math.min(this.#queued, 1000) / 1001) / slots
  }

  get hasSlot(): boolean {
    return this.active < (this.#joined?.slots ?? 0) && this.#epochs.current() !== undefined
  }

  /** The evidence that its newest epoch was accepted by, unless that was too large to be kept. */
  get stapled(): EvidenceBundle | undefined {
    return this.#stapled
  }

  /** Evidence over somebody's nonce (32 bytes), as the worker wrote it. @throws RelayError */
  evidence(nonce: Uint8Array): Promise<EvidenceBundle> {
    if (!this.#joined || this.#socket.gone) {
      return Promise.reject(new RelayError('gone', 'the worker is not joined'))
    }
    return this.#relay.ask(nonce)
  }

  offer(model: string): Offer | undefined {
    return this.#joined?.offers.get(model)
  }

  view(): WorkerView | undefined {
    const joined = this.#joined
    if (!joined) return undefined
    const epoch = this.#epochs.current()
    const { workerId, bootId, tee, models } = joined.identity
    return {
      workerId,
      bootId,
      session: this.id,
      tee,
      state: this.#draining ? 'draining' : this.#state === 'ready' ? 'ready' : 'recovering',
      models,
      quotes: [...joined.offers.values()].map(({ quote }) => quote),
      slots: joined.slots,
      active: this.active,
      queued: this.#queued,
      attested: epoch !== undefined,
      claimsDigest: epoch?.claimsDigest,
      epochEnds: epoch?.notAfter,
      joinedAt: joined.at,
    }
  }

  /** Takes a slot. Undefined when there is none, or no model of that name. */
  lease(model: string): Lease | undefined {
    const offer = this.offer(model)
    const epoch = this.#epochs.current()
    const worker = this.#handle
    if (!offer || !epoch || !worker || !this.open || !this.hasSlot) return undefined
    this.#leased += 1
    let held = true
    const giveBack = (): boolean => {
      const was = held
      held = false
      if (was) this.#leased -= 1
      return was
    }
    const open: Lease['open'] = (flushed) => {
      if (!giveBack()) throw new LinkError('internal', 'a lease opens one stream')
      if (!this.open) throw new LinkError('going_away', 'the link is gone')
      return this.#streams.open(flushed)
    }
    const release = () => {
      if (giveBack()) this.#host.onCapacity()
    }
    return { worker, model: offer.model, quote: offer.quote, epoch, open, release }
  }

  /** Asks the worker to finish what runs and to come back later. */
  drain(): void {
    this.#draining = true
    this.#socket.send({ type: 'drain' })
  }

  /**
   * Asks the registry again about a worker that was let in: one that it no longer allows is cut off; one whose price it
   * no longer allows comes back for another quote, and all of them when nothing can be relied on, once what runs is
   * finished.
   */
  reconsider(): void {
    const { registry, clock } = this.#host
    const joined = this.#joined
    if (!registry || !joined || this.#socket.gone) return
    const view = viewOf(registry)
    if (!view) {
      this.drain()
      return
    }
    const objection = this.#subject
      ? registryObjection(view, this.#subject, clock.now())
      : 'nothing is known of this worker'
    if (objection !== undefined) {
      this.#refuse({ refused: 'evidence', factors: ['registry.allowed'], reason: objection })
      return
    }
    if (![...joined.offers.values()].every(({ quote }) => registry.permits(quote.quote))) this.drain()
  }

  close(name: Parameters<LinkSocket['close']>[0]): void {
    this.#socket.close(name)
  }

  onText(text: string): void {
    if (this.#state === 'joining') {
      this.#firstMessage(text)
      return
    }
    const message = parseWorkerMessage(text)
    if (this.#state === 'judging') throw unexpected('a message before the welcome')
    switch (message.type) {
      case 'join':
        throw unexpected('a second join')
      case 'heartbeat':
        this.#queued = message.queued
        break
      case 'draining':
        this.#draining = true
        break
      case 'held':
        this.#onHeld(message)
        break
      case 'receipt':
        this.#streams.get(message.stream).deliverReceipt(message)
        break
      case 'end':
        this.#streams.get(message.stream).deliverEnd(message.hint)
        break
      case 'attest-request':
        this.#socket.send({ type: 'attest', nonce: toBase64(this.#renewal.challenge()) })
        break
      case 'evidence':
        void this.#renewal
          .judge(message)
          .then((judged) => this.#onJudged(judged, message.evidence))
          .catch((error) => this.#fault(error))
        break
      case 'evidence-for':
      case 'no-evidence-for':
        this.#relay.onAnswer(message)
    }
  }

  onBinary(bytes: Uint8Array): void {
    const { kind, stream, payload } = decodeChunk(bytes)
    if (kind !== CHUNK.response) throw unexpected('a worker sends responses only')
    // A copy: the view would keep the socket's whole read buffer alive while the chunk waits.
    const delivered = this.#streams.get(stream).deliverChunk(new Uint8Array(payload))
    if (!delivered) throw new LinkError('limit_exceeded', 'a chunk without credit')
  }

  onGone(code: string): void {
    this.#state = 'gone'
    this.#stopHandshake()
    this.#host.onGone(this, code)
    this.#streams.lose(code)
    this.#relay.lose()
  }

  #firstMessage(text: string): void {
    if (peekJoinVersion(text) === undefined) {
      this.#refuse(
        refusal(
          'version_unsupported',
          'the link versions of gateway and worker do not meet: update the older',
        ),
      )
      return
    }
    const join = parseWorkerMessage(text)
    if (join.type !== 'join') throw unexpected('the first message has to be a join')
    this.#state = 'judging'
    void this.#join(join).catch((error) => this.#fault(error))
  }

  async #join(join: WorkerMessageOf<'join'>): Promise<void> {
    const host = this.#host
    const prepared = await prepareJoin(join, this.#nonce, host)
    if (this.#socket.gone) return
    // Nothing is awaited from here to the welcome, so no second connection of the boot can slip in between.
    if (prepared.refused) {
      this.#refuse(prepared)
      return
    }
    const objection = host.admit(this, prepared.identity)
    if (objection) {
      this.#refuse(objection)
      return
    }
    const { identity, epoch, offers, payment } = prepared
    this.#subject = prepared.subject
    this.#epochs.add(epoch)
    const slots = Math.min(join.capacity.slots, host.limits.maxSlots, LINK_LIMITS.maxStreams)
    this.#joined = { identity, offers, payment, slots, at: host.clock.now() }
    this.#staple(join.evidence)
    this.#handle = makeHandle(this.id, identity, payment, host, this.#socket)
    this.#state = 'recovering'
    this.#stopHandshake()
    host.log.info({ session: this.id, boot: identity.bootId, epoch: epoch.id, slots }, 'worker joined')
    this.#socket.send(makeWelcome({ session: this.id, challenge: this.#challenge, join, ...prepared }, host))
    // The registry may have changed since it was asked.
    this.reconsider()
  }

  #onHeld(held: WorkerMessageOf<'held'>): void {
    if (this.#state !== 'recovering' || this.#heldDone)
      throw unexpected('held receipts come once, after the welcome')
    this.#heldDone = held.done
    const worker = this.#handle
    if (!worker) throw unexpected('held receipts before the welcome')
    // Reading stops while the ledger works, so that what waits here is no more than one socket buffer.
    this.#socket.pause()
    this.#recovery = this.#recovery
      .then(() => this.#recover(worker, held))
      .catch((error) => this.#fault(error))
  }

  async #recover(worker: WorkerHandle, { receipts, done, voucher }: WorkerMessageOf<'held'>): Promise<void> {
    if (this.#socket.gone) return
    const shown = voucher && {
      ceiling: BigInt(voucher.ceiling),
      signature: fromBase64(voucher.signature),
    }
    const objection = shown && (await this.#host.checkVoucher(worker.payment, shown))
    if (objection !== undefined) {
      // Who is paused hears nothing of a refusal.
      this.#socket.resume()
      this.#refuse(refusal('terms', objection))
      return
    }
    await this.#host.listener?.onHeld(worker, receipts, done)
    if (this.#socket.gone) return
    this.#socket.resume()
    if (!done) return
    this.#state = 'ready'
    this.#host.onCapacity()
  }

  /** Keeps evidence that was accepted, for those who ask without a nonce. */
  #staple(evidence: Readonly<Record<string, unknown>>): void {
    const small = JSON.stringify(evidence).length <= this.#host.limits.maxStapledBytes
    this.#stapled = small ? (evidence as EvidenceBundle) : undefined
  }

  #onJudged(judged: Attested | Refusal, evidence: Readonly<Record<string, unknown>>): void {
    const joined = this.#joined
    if (this.#socket.gone || !joined) return
    // Nobody can be judged now, which says nothing against this worker.
    if (judged.refused === 'busy') {
      this.drain()
      return
    }
    if (judged.refused) {
      this.#refuse(judged)
      return
    }
    if (!sameIdentity(joined.identity, judged.identity)) {
      this.#refuse(refusal('terms', 'a later epoch has to be of the same boot and offer as the first'))
      return
    }
    this.#subject = judged.subject
    this.#epochs.add(judged.epoch)
    this.#staple(evidence)
    this.#host.log.info({ session: this.id, epoch: judged.epoch.id }, 'worker attested its next epoch')
    this.#socket.send({ type: 'attested', epochId: judged.epoch.id })
    this.#host.onCapacity()
  }

  #refuse({ refused, factors, reason }: Refusal): void {
    this.#host.log.warn(
      { session: this.id, boot: this.identity?.bootId, code: refused, factors },
      'worker refused',
    )
    this.#socket.send({ type: 'refused', code: refused, factors: factors.slice(0, 64), reason })
    this.close(refused === 'version_unsupported' ? 'version_unsupported' : 'refused')
  }

  /** A fault on our side: the worker is told no more than that, the log gets the code. */
  #fault(error: unknown): void {
    this.#host.log.warn({ session: this.id, code: codeOf(error) }, 'link fault')
    this.close('internal')
  }
}

/** What a registry says now; undefined while nothing of it can be relied on. */
function viewOf(registry: RegistryRules): ReturnType<RegistryRules['view']> | undefined {
  try {
    return registry.view()
  } catch (error) {
    if (isKnown(error)) return undefined
    throw error
  }
}

function unexpected(message: string): LinkError {
  return new LinkError('unexpected_message', message)
}
