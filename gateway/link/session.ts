import { toBase64 } from '../../attest/bytes.ts'
import { codeOf } from '../../attest/cli/process.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import {
  CHUNK,
  decodeChunk,
  LinkError,
  parseWorkerMessage,
  type WorkerMessageOf,
} from '../../worker/protocol/link.ts'
import { makeHandle } from './handle.ts'
import { Handshake } from './handshake.ts'
import { HeldIntake } from './held-intake.ts'
import type { SessionHost } from './host.ts'
import { JoinedWorker } from './joined.ts'
import { type Attested, type Refusal, refusal } from './judge.ts'
import { EvidenceRelay, RelayError } from './relay.ts'
import { Renewal } from './renewal.ts'
import type { LinkSocket } from './socket.ts'
import { StreamTable } from './streams.ts'
import type { Offer } from './terms.ts'
import type { Lease, WorkerIdentity, WorkerView } from './types.ts'

type State = 'joining' | 'judging' | 'recovering' | 'ready' | 'gone'

/**
 * One connection of a worker, from challenge to close. Every byte that it receives is untrusted: whatever breaks the
 * protocol closes the link under a name, and nothing that it keeps grows beyond a stated bound.
 */
export class WorkerSession {
  readonly id: string
  readonly #host: SessionHost<WorkerSession>
  readonly #socket: LinkSocket
  readonly #handshake: Handshake
  readonly #held: HeldIntake
  readonly #streams: StreamTable
  readonly #renewal: Renewal
  readonly #relay: EvidenceRelay
  #state: State = 'joining'
  #draining = false
  /** From the welcome on, and still when the link is gone. */
  #joined: JoinedWorker | undefined
  /** The worker's own count of waiting requests. */
  #queued = 0

  constructor(id: string, host: SessionHost<WorkerSession>, connect: (session: WorkerSession) => LinkSocket) {
    this.id = id
    this.#host = host
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
        const worker = this.#joined?.handle
        if (worker) host.listener?.onLateReceipt(worker, receipt)
      },
    })
    this.#held = new HeldIntake(host, this.#socket, {
      onDone: () => this.#onRecovered(),
      onObjection: (objection) => this.#refuse(objection),
      onFault: (error) => this.#fault(error),
    })
    this.#handshake = new Handshake(host, () => this.close('heartbeat_lost'))
    this.#socket.send(this.#handshake.challenge)
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

  /** Takes new requests, apart from having a free slot. */
  get open(): boolean {
    return this.#state === 'ready' && !this.#draining && !this.#socket.gone
  }

  /** Will take new requests once its held receipts are dealt with. */
  get recovering(): boolean {
    return this.#state === 'recovering' && !this.#draining && !this.#socket.gone
  }

  get active(): number {
    return this.#streams.taken
  }

  /** Share of the slots that is taken; with the worker's own queue as a tie-breaker below one slot. */
  get load(): number {
    const slots = this.#joined?.slots ?? 1
    return (this.active + Math.min(this.#queued, 1000) / 1001) / slots
  }

  get hasSlot(): boolean {
    return this.active < (this.#joined?.slots ?? 0) && this.#joined?.epoch !== undefined
  }

  /** The evidence that its newest epoch was accepted by, unless that was too large to be kept. */
  get stapled(): EvidenceBundle | undefined {
    return this.#joined?.stapled
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

  /** How it shows in lists; undefined before the welcome. */
  view(): WorkerView | undefined {
    return this.#joined?.view({
      session: this.id,
      state: this.#draining ? 'draining' : this.#state === 'ready' ? 'ready' : 'recovering',
      active: this.active,
      queued: this.#queued,
    })
  }

  /** Takes a slot. Undefined when there is none, or no model of that name. */
  lease(model: string): Lease | undefined {
    const joined = this.#joined
    const offer = joined?.offers.get(model)
    const epoch = joined?.epoch
    if (!joined || !offer || !epoch || !this.open || !this.hasSlot) return undefined
    const { open, release } = this.#streams.reserve(() => this.open)
    return { worker: joined.handle, model: offer.model, quote: offer.quote, epoch, open, release }
  }

  /** Asks the worker to finish what runs and to come back later. */
  drain(): void {
    this.#draining = true
    this.#socket.send({ type: 'drain' })
  }

  /** Asks the registry again about a worker that was let in, and does what follows from its answer. */
  reconsider(): void {
    const joined = this.#joined
    if (!joined || this.#socket.gone) return
    const next = joined.reconsider()
    if (next === 'drains') this.drain()
    else if (next !== 'stays') this.#refuse(next)
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
    this.#handshake.end()
    this.#host.onGone(this, code)
    this.#streams.lose(code)
    this.#relay.lose()
  }

  #firstMessage(text: string): void {
    const join = this.#handshake.read(text)
    if (!join) {
      const reason = 'the link versions of gateway and worker do not meet: update the older'
      this.#refuse(refusal('version_unsupported', reason))
      return
    }
    this.#state = 'judging'
    void this.#join(join).catch((error) => this.#fault(error))
  }

  async #join(join: WorkerMessageOf<'join'>): Promise<void> {
    const host = this.#host
    const prepared = await this.#handshake.prepare(join)
    if (this.#socket.gone) return
    // Nothing is awaited from here to the welcome, so no second connection of the boot can slip in between.
    if (prepared.refused) return this.#refuse(prepared)
    const objection = host.admit(this, prepared.identity)
    if (objection) return this.#refuse(objection)
    const { identity, epoch, payment } = prepared
    const handle = makeHandle(this.id, identity, payment, host, this.#socket)
    this.#joined = new JoinedWorker(prepared, join, handle, host)
    this.#state = 'recovering'
    this.#handshake.end()
    const { slots } = this.#joined
    host.log.info({ session: this.id, boot: identity.bootId, epoch: epoch.id, slots }, 'worker joined')
    this.#socket.send(this.#handshake.welcome(this.id, join, prepared))
    // The registry may have changed since it was asked.
    this.reconsider()
  }

  #onHeld(held: WorkerMessageOf<'held'>): void {
    const worker = this.#joined?.handle
    if (this.#state !== 'recovering' || !worker)
      throw unexpected('held receipts come once, after the welcome')
    this.#held.take(worker, held)
  }

  #onRecovered(): void {
    this.#state = 'ready'
    this.#host.onCapacity()
  }

  #onJudged(judged: Attested | Refusal, evidence: Readonly<Record<string, unknown>>): void {
    const joined = this.#joined
    if (this.#socket.gone || !joined) return
    if (judged.refused) {
      // Busy: nobody can be judged now, which says nothing against this worker.
      if (judged.refused === 'busy') this.drain()
      else this.#refuse(judged)
      return
    }
    const objection = joined.renew(judged, evidence)
    if (objection) {
      this.#refuse(objection)
      return
    }
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

function unexpected(message: string): LinkError {
  return new LinkError('unexpected_message', message)
}
