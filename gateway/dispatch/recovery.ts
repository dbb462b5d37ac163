import { fromHex } from '../../attest/bytes.ts'
import { codeOf } from '../../attest/cli/process.ts'
import { receiptDigest, type SignedReceipt, verifyReceipt } from '../../attest/receipt/index.ts'
import type { OpenReservation } from '../ledger/index.ts'
import type { Clock, HeldReceipt, LinkLog, WorkerHandle } from '../link/index.ts'
import { IntegrityError } from './errors.ts'
import type { VerifiedReceipt } from './receipt-book.ts'
import { commit, type DispatchLedger, parseWorkerRef, type Settlement, tell } from './settle.ts'

export interface RecoveryOptions {
  ledger: DispatchLedger
  clock: Clock
  log: LinkLog
  /** Milliseconds after which requests of a boot that has not come back are let go. */
  abandonMs: number
  /** The settlement of a request that runs in this process. */
  running: (requestId: string) => Promise<Settlement | undefined> | undefined
}

/**
 * Settles what a former process of this gateway left open, from the receipts that workers kept: each request is
 * charged once, by the highest receipt that holds; what the same boot of a worker does not know is let go with 0, and
 * so is, after `abandonMs`, whatever belongs to a boot that never came back.
 */
export class Recovery {
  readonly #options: RecoveryOptions
  readonly #open: Map<string, OpenReservation>
  /** The highest receipt of each open request that a worker has shown. */
  readonly #proven = new Map<string, VerifiedReceipt>()
  readonly #stopTimer: () => void

  constructor(options: RecoveryOptions) {
    this.#options = options
    this.#open = new Map(options.ledger.openReservations().map((open) => [open.requestId, open]))
    this.#stopTimer =
      this.#open.size === 0 ? () => {} : options.clock.after(options.abandonMs, () => void this.#abandon())
  }

  /** Requests of the former process that are not settled yet. */
  get pending(): number {
    return this.#open.size
  }

  /**
   * Takes note of what `receipts` prove. With `done`, charges what was proven, and lets go what this boot should have
   * known and does not. A worker may hold several receipts of one request, in several batches: the highest counts.
   */
  async onHeld(worker: WorkerHandle, receipts: readonly HeldReceipt[], done: boolean): Promise<void> {
    const settled = new Set<string>()
    for (const { requestId, receipt } of receipts) {
      const reservation = this.#open.get(requestId)
      if (reservation) this.#note(reservation, receipt)
      // Settled before, or never ours: either way the receipt has no further use here.
      else if (!this.#later(worker, requestId)) settled.add(requestId)
    }
    if (settled.size > 0) worker.acknowledge([...settled])
    if (!done) return
    for (const [requestId, proof] of [...this.#proven]) {
      const settlement = await this.#charge(requestId, proof)
      if (settlement) tell(worker, requestId, settlement)
    }
    // Whoever likes may claim the id of a boot; only that boot has its key.
    const unknown = ({ requestId, worker: ref }: OpenReservation) =>
      ref.bootId === worker.bootId &&
      parseWorkerRef(ref)?.signingKey === worker.workerId &&
      !this.#proven.has(requestId)
    await this.#letGo(unknown, 'not_held')
  }

  /** A receipt that came after its request was settled. */
  onLateReceipt(worker: WorkerHandle, { requestId }: HeldReceipt): void {
    if (!this.#later(worker, requestId)) worker.acknowledge([requestId])
  }

  close(): void {
    this.#stopTimer()
  }

  /** A request that still runs here is settled by its own run; the worker hears of it then. */
  #later(worker: WorkerHandle, requestId: string): boolean {
    const running = this.#options.running(requestId)
    if (!running) return false
    void running.then((settlement) => settlement && tell(worker, requestId, settlement))
    return true
  }

  #note(open: OpenReservation, receipt: SignedReceipt): void {
    try {
      const proof = verifyHeld(open, receipt)
      const former = this.#proven.get(open.requestId)
      if (!former || proof.clientCharge >= former.clientCharge) this.#proven.set(open.requestId, proof)
    } catch (error) {
      this.#options.log.warn({ request: open.requestId, code: codeOf(error) }, 'held receipt refused')
    }
  }

  /** Undefined when the ledger refuses: then the request stays open, and the worker is not kept out for it. */
  async #charge(requestId: string, proof: VerifiedReceipt): Promise<Settlement | undefined> {
    const open = this.#open.get(requestId)
    const channel = open && parseWorkerRef(open.worker)?.ledgerChannel
    if (channel === undefined) return undefined
    try {
      const settlement = await commit(this.#options.ledger, requestId, channel, proof, 'held')
      this.#open.delete(requestId)
      this.#proven.delete(requestId)
      this.#options.log.info({ request: requestId }, 'request of a former run charged')
      return settlement
    } catch (error) {
      this.#options.log.warn({ request: requestId, code: codeOf(error) }, 'held receipt not charged')
      return undefined
    }
  }

  async #abandon(): Promise<void> {
    try {
      // Shown on a connection that broke before its last batch.
      for (const [requestId, proof] of [...this.#proven]) await this.#charge(requestId, proof)
      await this.#letGo(() => true, 'worker_never_returned')
    } catch (error) {
      this.#options.log.warn({ code: codeOf(error) }, 'open reservations could not be let go')
    }
  }

  async #letGo(which: (open: OpenReservation) => boolean, reason: string): Promise<void> {
    for (const open of [...this.#open.values()]) {
      if (!which(open)) continue
      this.#open.delete(open.requestId)
      await this.#options.ledger.release(open.requestId, reason)
      this.#options.log.info({ request: open.requestId, code: reason }, 'request of a former run let go')
    }
  }
}

/**
 * The context of the former run is gone, so what can be checked is the signature by the key that the reservation
 * names, the request id, and the bounds; the enclave that signs keeps to its quote by its measured code.
 */
function verifyHeld(open: OpenReservation, signed: SignedReceipt): VerifiedReceipt {
  const ref = parseWorkerRef(open.worker)
  if (!ref) throw new IntegrityError('ERR_RECEIPT_SIGNATURE', 'the reservation names no signing key')
  const body = verifyReceipt(signed, fromHex(ref.signingKey))
  const clientCharge = BigInt(body.clientCharge)
  const workerCharge = BigInt(body.workerCharge)
  if (body.requestId !== open.requestId || body.payerKind !== 'gateway') {
    throw new IntegrityError('ERR_RECEIPT_TERMS', 'the receipt is for another request')
  }
  if (clientCharge > open.maxCharge || workerCharge > open.maxWorkerCharge) {
    throw new IntegrityError('ERR_RECEIPT_CHARGE', 'the receipt charges more than was reserved')
  }
  return { signed, digest: receiptDigest(signed), status: body.status, clientCharge, workerCharge }
}
