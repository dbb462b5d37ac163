import { ChrysalisError } from '../../attest/errors.ts'
import { type SealInternals, SenderSessions } from '../../attest/seal/index.ts'
import { conflict, rateLimited } from '../../worker/protocol/errors.ts'
import { type Clock, type LinkLog, type PoolListener, systemClock, type WorkerPool } from '../link/index.ts'
import { draining, SlotQueue } from './queue.ts'
import { Recovery } from './recovery.ts'
import { Run } from './run.ts'
import type { GatewaySigner } from './seal-to.ts'
import type { DispatchLedger, Settlement } from './settle.ts'
import {
  DEFAULT_DISPATCH_LIMITS,
  type DispatcherFace,
  type DispatchLimits,
  type DispatchRequest,
  type DispatchResponse,
  type DispatchStats,
} from './types.ts'

/** Requests of a former run whose worker's boot does not come back within this are let go without a charge. */
const ABANDON_MS = 15 * 60_000

export interface DispatcherOptions {
  pool: Pick<WorkerPool, 'pick' | 'quotes' | 'listen'>
  ledger: DispatchLedger
  /** The gateway's attested signing key: it signs as the payer of requests under bare API keys. */
  signer: GatewaySigner
  /** As in the pool: names this gateway in sealed contexts. */
  gatewayId: string
  log: LinkLog
  clock?: Clock
  limits?: Partial<DispatchLimits>
  /** Milliseconds from start until open requests of lost workers are let go; 15 minutes when absent. */
  abandonMs?: number
  /** Replaceable parts of the seal, for tests; reached from code only. */
  sealInternals?: SealInternals
}

/** Takes admitted requests to workers and their receipts to the ledger (DESIGN section 6). */
export class Dispatcher implements DispatcherFace {
  readonly #options: DispatcherOptions
  readonly #clock: Clock
  readonly #limits: DispatchLimits
  readonly #queue: SlotQueue
  readonly #recovery: Recovery
  readonly #sessions = new SenderSessions()
  readonly #runs = new Map<string, { run: Run; settled: Promise<Settlement | undefined> }>()
  #draining = false

  /** Also becomes the pool's listener. */
  constructor(options: DispatcherOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#limits = { ...DEFAULT_DISPATCH_LIMITS, ...options.limits }
    if (this.#limits.maxAttempts < 1)
      throw new ChrysalisError('ERR_CONFIG', 'maxAttempts: must be at least 1')
    this.#queue = new SlotQueue(options.pool, this.#clock, this.#limits)
    this.#recovery = new Recovery({
      ledger: options.ledger,
      clock: this.#clock,
      log: options.log,
      abandonMs: options.abandonMs ?? ABANDON_MS,
      running: (requestId) => this.#runs.get(requestId)?.settled,
    })
    const listener: PoolListener = {
      onCapacity: () => this.#queue.onCapacity(),
      onHeld: (worker, receipts, done) => this.#recovery.onHeld(worker, receipts, done),
      onLateReceipt: (worker, receipt) => this.#recovery.onLateReceipt(worker, receipt),
    }
    options.pool.listen(listener)
  }

  async dispatch(request: DispatchRequest): Promise<DispatchResponse> {
    if (this.#draining) throw draining()
    if (this.#runs.has(request.requestId)) throw conflict('This request id is in use. Choose a new one.')
    this.#checkShare(request.key.id)
    const { ledger, signer, gatewayId, log } = this.#options
    const run = new Run(request, {
      ledger,
      signer,
      gatewayId,
      log,
      clock: this.#clock,
      limits: this.#limits,
      queue: this.#queue,
      sessions: this.#sessions,
      sealInternals: this.#options.sealInternals,
    })
    const settled = run.execute().finally(() => this.#runs.delete(run.requestId))
    this.#runs.set(run.requestId, { run, settled })
    return await run.answer
  }

  /** No key takes every slot and every place in the queue. */
  #checkShare(key: string): void {
    let active = 0
    for (const { run } of this.#runs.values()) if (run.key === key) active += 1
    if (active < this.#limits.maxActivePerKey) return
    throw rateLimited(
      'This API key has too many requests under way. Try again when some have ended.',
      this.#queue.retryAfter,
      'too_many_active',
    )
  }

  stats(): DispatchStats {
    const queued = this.#queue.length
    return { queued, active: this.#runs.size - queued }
  }

  /** Requests of a former process of this gateway that wait for their worker. */
  get recovering(): number {
    return this.#recovery.pending
  }

  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true
    this.#recovery.close()
    this.#queue.close()
    const stopAll = () => {
      for (const { run } of this.#runs.values()) run.stop('draining')
    }
    if (deadlineMs <= 0) stopAll()
    const stopTimer = this.#clock.after(deadlineMs, stopAll)
    await Promise.all([...this.#runs.values()].map(({ settled }) => settled))
    stopTimer()
  }
}
