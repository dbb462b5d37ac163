import { fromBase64 } from '../../attest/bytes.ts'
import { LinkError, type WorkerMessageOf } from '../../worker/protocol/link.ts'
import type { SessionHost } from './host.ts'
import { type Refusal, refusal } from './judge.ts'
import type { LinkSocket } from './socket.ts'
import type { WorkerHandle } from './types.ts'

/** What the session does about receipts that its worker kept. */
export interface HeldEvents {
  /** All of them are dealt with. */
  onDone(): void
  /** The worker showed a voucher by which nothing can be paid. */
  onObjection(refusal: Refusal): void
  /** A fault on our side. */
  onFault(error: unknown): void
}

/** Receipts that a worker kept, before it gets any work: one message after the other, with the ledger's pace. */
export class HeldIntake {
  readonly #host: Pick<SessionHost, 'checkVoucher' | 'listener'>
  readonly #socket: Pick<LinkSocket, 'gone' | 'pause' | 'resume'>
  readonly #events: HeldEvents
  #last = false
  #work: Promise<void> = Promise.resolve()

  constructor(
    host: Pick<SessionHost, 'checkVoucher' | 'listener'>,
    socket: Pick<LinkSocket, 'gone' | 'pause' | 'resume'>,
    events: HeldEvents,
  ) {
    this.#host = host
    this.#socket = socket
    this.#events = events
  }

  /** @throws LinkError unexpected_message after the message that said that it was the last */
  take(worker: WorkerHandle, held: WorkerMessageOf<'held'>): void {
    if (this.#last) throw new LinkError('unexpected_message', 'held receipts come once')
    this.#last = held.done
    // Reading stops while the ledger works, so that what waits here is no more than one socket buffer.
    this.#socket.pause()
    this.#work = this.#work
      .then(() => this.#settle(worker, held))
      .catch((error) => this.#events.onFault(error))
  }

  async #settle(worker: WorkerHandle, { receipts, done, voucher }: WorkerMessageOf<'held'>): Promise<void> {
    if (this.#socket.gone) return
    const shown = voucher && {
      ceiling: BigInt(voucher.ceiling),
      signature: fromBase64(voucher.signature),
    }
    const objection = shown && (await this.#host.checkVoucher(worker.payment, shown))
    if (objection !== undefined) {
      // Who is paused hears nothing of a refusal.
      this.#socket.resume()
      this.#events.onObjection(refusal('terms', objection))
      return
    }
    await this.#host.listener?.onHeld(worker, receipts, done)
    if (this.#socket.gone) return
    this.#socket.resume()
    if (done) this.#events.onDone()
  }
}
