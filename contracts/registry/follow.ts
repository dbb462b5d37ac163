/** Keeps a registry's snapshot current while a process runs. */

import { ContractsError } from '../errors.ts'
import { type ReaderOptions, RegistryReader } from './reader.ts'
import type { RegistrySnapshot } from './state.ts'
import { registryView } from './view.ts'

export interface FollowOptions extends ReaderOptions {
  /** Seconds between two looks. */
  everySeconds: number
  /** How long, in seconds, what was read last is relied on while looks fail. */
  outageSeconds: number
  /** Called after a look that changed what is relied on, or whether anything is. */
  onChange: () => void
  /** A look failed; it is tried again. */
  onWarning: (message: string, error: unknown) => void
  /** Milliseconds; monotonic. */
  monotonic?: () => number
  /** Calls `fn` once after `ms`; the result cancels it. */
  after?: (ms: number, fn: () => void) => () => void
}

/**
 * What ends a start: the settings are wrong, or somebody shows an old or a second registry. Where that was a provider
 * which lags, starting again cures it.
 */
const FATAL: readonly string[] = [
  'ERR_REGISTRY_ABSENT',
  'ERR_REGISTRY_CODE',
  'ERR_REGISTRY_DATA',
  'ERR_REGISTRY_ENTRY',
  'ERR_REGISTRY_MARK',
  'ERR_REGISTRY_ROLLBACK',
  'ERR_REGISTRY_FORK',
]

/** What ends the trust in what was read before, whatever its age. */
const ENDS: readonly string[] = ['ERR_REGISTRY_EXPIRED', 'ERR_REGISTRY_FORK']

/**
 * Looks at a registry now and then. While looks fail (an outage, a provider that lags and so shows an old version) it
 * stands by what it read last for `outageSeconds`; then, or once that has expired, it stands by nothing.
 */
export class RegistryFollower {
  readonly #options: FollowOptions
  readonly #reader: RegistryReader
  readonly #monotonic: () => number
  readonly #after: (ms: number, fn: () => void) => () => void
  #last: { snapshot: RegistrySnapshot; at: number } | undefined
  #view: { of: RegistrySnapshot; data: ReturnType<typeof registryView> } | undefined
  /** Why nothing that was read holds any more. */
  #ended: ContractsError | undefined
  #told: string | undefined
  #cancel: () => void = () => {}
  #closed = false

  constructor(options: FollowOptions) {
    this.#options = options
    this.#reader = new RegistryReader(options)
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#after = options.after ?? unheld
  }

  /**
   * The first look; more follow by themselves. One that time can cure (an outage, an expired snapshot) is no failure.
   * @throws ContractsError `ERR_REGISTRY_…` for a registry that is not there, not one, or older than it was
   */
  async start(): Promise<void> {
    const error = await this.#look()
    if (error instanceof ContractsError && FATAL.includes(error.code)) throw error
    this.#told = this.#state()
    this.#schedule()
  }

  /** Looks now. Never throws: what failed is told to `onWarning`, and who could not hear of a change hears of it again. */
  async look(): Promise<void> {
    await this.#look()
    const state = this.#state()
    if (state === this.#told || this.#closed) return
    try {
      this.#options.onChange()
      this.#told = state
    } catch (error) {
      this.#options.onWarning('what the registry says now could not be followed', error)
    }
  }

  /**
   * What to rely on now.
   * @throws ContractsError ERR_REGISTRY_EXPIRED, ERR_REGISTRY_FORK, ERR_REGISTRY_STALE
   */
  require(): RegistrySnapshot {
    if (this.#ended) throw this.#ended
    const { outageSeconds, clock = wallClock } = this.#options
    const last = this.#last
    if (!last || this.#monotonic() - last.at > outageSeconds * 1000) {
      throw new ContractsError(
        'ERR_REGISTRY_STALE',
        `registry: not read for ${outageSeconds} s, and older than that it is not relied on`,
      )
    }
    if (clock() >= last.snapshot.expiresAt) {
      throw new ContractsError(
        'ERR_REGISTRY_EXPIRED',
        'registry: the snapshot has expired; its owners have to renew it',
      )
    }
    return last.snapshot
  }

  /** The same as plain data, for who judges evidence by it. @throws ContractsError as {@link require} */
  view(): ReturnType<typeof registryView> {
    const of = this.require()
    if (this.#view?.of !== of) this.#view = { of, data: registryView(of, this.#options) }
    return this.#view.data
  }

  /** Which registry this is; the address raw. */
  get name(): { globalId: number; address: string } {
    const { globalId, address } = this.#options
    return { globalId, address: address.toRawString() }
  }

  /** Looks no more. */
  close(): void {
    this.#closed = true
    this.#cancel()
  }

  async #look(): Promise<unknown> {
    try {
      const at = this.#monotonic()
      const snapshot = await this.#reader.read()
      this.#last = { snapshot, at }
      this.#ended = undefined
      return undefined
    } catch (error) {
      if (error instanceof ContractsError && ENDS.includes(error.code)) this.#ended = error
      this.#options.onWarning('the registry could not be read', error)
      return error
    }
  }

  /** What a listener has to hear of when it changes. */
  #state(): string {
    try {
      return this.require().hash
    } catch (error) {
      return error instanceof ContractsError ? error.code : 'unknown'
    }
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancel = this.#after(this.#options.everySeconds * 1000, () => {
      void this.look().finally(() => this.#schedule())
    })
  }
}

const wallClock = (): number => Math.floor(Date.now() / 1000)

/** A timer that keeps no process alive. */
function unheld(ms: number, fn: () => void): () => void {
  const timer = setTimeout(fn, ms)
  timer.unref()
  return () => clearTimeout(timer)
}
