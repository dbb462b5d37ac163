/** What a worker tells the process that started it: how it stands with the gateway, and what it has earned. */

import type { Clock } from './clock.ts'
import type { Standing } from './earnings/index.ts'
import type { KeptReceipt } from './enclave/index.ts'
import type { LinkRefusal } from './link/index.ts'

/** `lost` and `refused` are followed by another attempt; `unpaid` by `ready` as soon as the gateway has paid. */
export type WorkerState =
  | 'starting'
  | 'joining'
  | 'ready'
  | 'unpaid'
  | 'refused'
  | 'lost'
  | 'draining'
  | 'stopped'

/** One message, JSON. Codes, ids and numbers of our own, and one sentence of whoever refused. */
export interface WorkerStatus {
  event: 'status'
  state: WorkerState
  /** 32 hex digits; null until the enclave runs, as is `epoch`. */
  bootId: string | null
  /** Ids of the models. */
  models: readonly string[]
  /** The newest epoch, 32 hex digits. */
  epoch: string | null
  /** Requests of this run that are finished and have a receipt that is worth something. */
  receipts: number
  /** Their charges and those of running requests, nanotons. */
  earned: string
  /** Why, for `refused`, `lost` and `unpaid`. */
  code?: string
  /** For `unpaid`: what the gateway owes, nanotons. */
  owed?: string
  by?: LinkRefusal['by']
  factors?: readonly string[]
  reason?: string
}

type Why = Pick<WorkerStatus, 'code' | 'owed' | 'by' | 'factors' | 'reason'>

/** What is known of the enclave. */
export interface StatusSubject {
  bootId: string
  models: readonly string[]
  /** The newest epoch's id. */
  epoch: () => string
}

/** Counts are told no more often than this, ms. */
const PACE_MS = 1_000

/** Follows one worker and tells of it: each change of state at once, counts at a steady pace. */
export class StatusReporter {
  readonly #tell: (status: WorkerStatus) => void
  readonly #clock: Clock
  #state: WorkerState = 'starting'
  #why: Why = {}
  #standing: Standing | undefined
  #subject: StatusSubject | undefined
  #receipts = 0
  #earned = 0n
  /** Charges so far of requests that are not finished. */
  readonly #running = new Map<string, bigint>()
  #cancelTimer: (() => void) | undefined

  constructor(tell: (status: WorkerStatus) => void, clock: Clock) {
    this.#tell = tell
    this.#clock = clock
    this.#report()
  }

  /** The enclave runs. */
  describe(subject: StatusSubject): void {
    this.#subject = subject
  }

  joining(): void {
    this.#turn('joining')
  }

  /** Joined: it works, unless the gateway has to pay first. */
  ready(): void {
    const { obstacle: code, owed } = this.#standing ?? {}
    if (code === undefined) this.#turn('ready')
    else this.#turn('unpaid', { code, owed: String(owed) })
  }

  /** How the gateway stands with its debt. */
  standing(standing: Standing): void {
    this.#standing = standing
    if (this.#state === 'ready' || this.#state === 'unpaid') this.ready()
  }

  refused({ by, code, factors, reason }: LinkRefusal): void {
    this.#turn('refused', { by, code, factors, ...(reason !== undefined && { reason }) })
  }

  /** The connection ended; after a refusal that is no news. */
  lost(code: string): void {
    if (this.#state !== 'refused') this.#turn('lost', { code })
  }

  draining(): void {
    this.#turn('draining')
  }

  stopped(): void {
    this.#cancelTimer?.()
    this.#turn('stopped')
  }

  /** Counts a receipt; each covers all of its request so far. */
  kept({ requestId, workerCharge, final }: Pick<KeptReceipt, 'requestId' | 'workerCharge' | 'final'>): void {
    const before = this.#running.get(requestId) ?? 0n
    if (workerCharge > before) this.#earned += workerCharge - before
    if (final) {
      this.#running.delete(requestId)
      // A refusal has its receipt too, which is worth nothing.
      if (workerCharge > 0n) this.#receipts += 1
    } else this.#running.set(requestId, workerCharge > before ? workerCharge : before)
    this.#cancelTimer ??= this.#clock.after(PACE_MS, () => {
      this.#cancelTimer = undefined
      this.#report()
    })
  }

  #turn(state: WorkerState, why: Why = {}): void {
    // Nothing is news to a worker that is going away but that it is gone.
    if (this.#state === 'stopped' || (this.#state === 'draining' && state !== 'stopped')) return
    this.#state = state
    this.#why = why
    this.#report()
  }

  #report(): void {
    this.#tell({
      event: 'status',
      state: this.#state,
      bootId: this.#subject?.bootId ?? null,
      models: this.#subject?.models ?? [],
      epoch: this.#subject?.epoch() ?? null,
      receipts: this.#receipts,
      earned: String(this.#earned),
      ...this.#why,
    })
  }
}
