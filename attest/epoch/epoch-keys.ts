/** The succession of epochs in one process (DESIGN section 3, "Epoch keys"). */

import { ChrysalisError } from '../errors.ts'
import { Epoch } from './epoch.ts'
import { generateKemKeyPair, type KemKeyPair } from './kem.ts'
import { DEFAULT_REPLAY_LIMITS, type ReplayLimits, UsedRequests } from './replay.ts'

/** The longest life of an epoch key in ms. */
export const MAX_LIFETIME_MS = 600_000
/** Senders stop this long before notAfter, in ms. */
export const SENDER_MARGIN_MS = 30_000

const MAX_TIMER_MS = 5_000

/** Runs `callback` once after `ms`; the result cancels it. */
export type Timer = (callback: () => void, ms: number) => () => void

export interface EpochKeysOptions {
  /** Wall clock, ms: only for the dates in the claims. */
  readonly now: () => number
  /** Monotonic clock, ms: what lifetimes run on. */
  readonly monotonic: () => number
  /** At most 600 000. */
  readonly lifetimeMs?: number
  /** How long before the end the next epoch is made. */
  readonly earlyMs?: number
  /** How long after the end requests are still opened. */
  readonly graceMs?: number
  readonly replay?: ReplayLimits
  /** Told when making the next epoch failed (it is tried again at the next tick) or a listener threw. */
  readonly onError?: (error: unknown) => void
  /** Default: an unreferenced setTimeout. */
  readonly timer?: Timer
  /** Replaces key generation, in tests. */
  readonly generate?: () => Promise<KemKeyPair>
}

/** When an epoch was born on the two clocks. */
interface Life {
  readonly epoch: Epoch
  readonly born: number
}

/** An unreferenced setTimeout. */
export const nodeTimer: Timer = (callback, ms) => {
  const handle = setTimeout(callback, ms)
  handle.unref()
  return () => clearTimeout(handle)
}

/**
 * Makes epoch keys, publishes the next one early, and erases each with its replay set `graceMs` after its end.
 * An epoch is over as soon as either clock says so: neither a stopped monotonic clock (a suspended machine) nor a
 * wall clock that was set back lengthens a life.
 */
export class EpochKeys {
  readonly #options: Required<Omit<EpochKeysOptions, 'onError'>>
  readonly #onError: (error: unknown) => void
  readonly #usedRequests: UsedRequests
  readonly #listeners = new Set<(epoch: Epoch) => void>()
  #lives: Life[] = []
  #rotating: Promise<void> | undefined
  #cancelTimer: () => void = () => {}
  #closed = false

  private constructor(options: EpochKeysOptions) {
    this.#options = {
      lifetimeMs: MAX_LIFETIME_MS,
      earlyMs: 120_000,
      graceMs: 60_000,
      replay: DEFAULT_REPLAY_LIMITS,
      timer: nodeTimer,
      generate: generateKemKeyPair,
      ...options,
    }
    this.#onError = options.onError ?? (() => {})
    const { lifetimeMs, earlyMs, graceMs, replay, monotonic } = this.#options
    if (!(lifetimeMs > 0 && lifetimeMs <= MAX_LIFETIME_MS)) {
      throw new ChrysalisError(
        'ERR_EPOCH_TIMES',
        `lifetimeMs is ${lifetimeMs}: choose 1 to ${MAX_LIFETIME_MS}`,
      )
    }
    if (!(earlyMs > 0 && earlyMs < lifetimeMs)) {
      throw new ChrysalisError(
        'ERR_EPOCH_TIMES',
        `earlyMs is ${earlyMs}: choose more than 0 and less than lifetimeMs`,
      )
    }
    if (!(graceMs >= 0)) {
      throw new ChrysalisError('ERR_EPOCH_TIMES', `graceMs is ${graceMs}: choose 0 or more`)
    }
    this.#usedRequests = new UsedRequests({
      capacity: replay.capacity * 2,
      keepMs: lifetimeMs + graceMs,
      monotonic,
    })
  }

  /** Makes the first epoch. @throws ChrysalisError ERR_EPOCH_TIMES on impossible times */
  static async create(options: EpochKeysOptions): Promise<EpochKeys> {
    const keys = new EpochKeys(options)
    try {
      await keys.tick()
    } catch (error) {
      keys.close()
      throw error
    }
    return keys
  }

  /** The newest epoch: the one to make evidence for. The one before it still opens. */
  current(): Epoch {
    const newest = this.#lives.at(-1)
    if (newest === undefined)
      throw new ChrysalisError('ERR_EPOCH_NONE', 'no epoch is live: the keys are closed')
    return newest.epoch
  }

  /** The epoch with this id (hex) while requests to it are opened, else `undefined`. */
  find(id: string): Epoch | undefined {
    const life = this.#lives.find((candidate) => candidate.epoch.id === id)
    return life === undefined || this.#over(life) ? undefined : life.epoch
  }

  /** Calls `listener` with each new epoch once it is current; the result unsubscribes. */
  onRotate(listener: (epoch: Epoch) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Erases what is over and makes the next epoch when it is due. The timer calls this; tests may. */
  async tick(): Promise<void> {
    if (this.#closed) return
    this.#cancelTimer()
    this.#eraseOver()
    try {
      if (this.#nextDue()) {
        this.#rotating ??= this.#rotate()
        await this.#rotating
      }
    } finally {
      this.#rotating = undefined
      this.#schedule()
    }
  }

  /** Erases every key and stops. */
  close(): void {
    this.#closed = true
    this.#cancelTimer()
    for (const { epoch } of this.#lives) epoch.erase()
    this.#lives = []
    this.#usedRequests.clear()
  }

  async #rotate(): Promise<void> {
    const keyPair = await this.#options.generate()
    if (this.#closed) return
    const { now, monotonic, lifetimeMs, replay } = this.#options
    const notBefore = now()
    const epoch = new Epoch({
      keyPair,
      notBefore,
      notAfter: notBefore + lifetimeMs,
      replay,
      usedRequests: this.#usedRequests,
    })
    this.#lives.push({ epoch, born: monotonic() })
    for (const listener of this.#listeners) this.#tell(listener, epoch)
  }

  // A listener that throws must not stop the succession.
  #tell(listener: (epoch: Epoch) => void, epoch: Epoch): void {
    try {
      listener(epoch)
    } catch (error) {
      this.#onError(error)
    }
  }

  #remaining(life: Life): number {
    const { now, monotonic, lifetimeMs } = this.#options
    return Math.min(life.born + lifetimeMs - monotonic(), life.epoch.notAfter - now())
  }

  #over(life: Life): boolean {
    return life.epoch.erased || this.#remaining(life) + this.#options.graceMs <= 0
  }

  #nextDue(): boolean {
    const newest = this.#lives.at(-1)
    return newest === undefined || this.#remaining(newest) <= this.#options.earlyMs
  }

  #eraseOver(): void {
    this.#lives = this.#lives.filter((life) => {
      if (!this.#over(life)) return true
      life.epoch.erase()
      return false
    })
  }

  // Short steps, because a timer stops while a machine sleeps and the wall clock does not.
  #schedule(): void {
    if (this.#closed) return
    const waits = this.#lives.map((life) => this.#remaining(life) + this.#options.graceMs)
    const newest = this.#lives.at(-1)
    if (newest !== undefined) waits.push(this.#remaining(newest) - this.#options.earlyMs)
    const wait = Math.max(100, Math.min(MAX_TIMER_MS, ...waits))
    this.#cancelTimer()
    this.#cancelTimer = this.#options.timer(() => {
      this.tick().catch(this.#onError)
    }, wait)
  }
}
