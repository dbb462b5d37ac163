import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { DUST, type TreasuryTerms } from './terms.ts'

/** How often it is noted who is here, in ms: a crash loses no more of what was counted. */
const COUNT_EVERY_MS = 600_000
/** To make room, a channel that has earned nothing ends after this: whoever restarts a machine is back sooner. */
const EARLY_SECONDS = 3600
/** A voucher for more than this, in nanotons, is what a worker takes before it ends properly: here it had no time to. */
const LEFT_BEHIND = 10_000_000n
/** So much longer its channel stays. */
const LEFT_BEHIND_TIMES = 4

export interface IdleChannelsOptions {
  ledger: Ledger
  terms: TreasuryTerms
  /** Milliseconds that only grow. */
  monotonic: () => number
  /** Ids of the channels of workers that are here, and of requests that are not settled yet. */
  inUse: () => ReadonlySet<string>
}

/**
 * Decides which workers' channels end since nobody uses them: joining costs a worker nothing, and each new key has a
 * channel that holds a deposit of ours. The time is counted while this gateway runs, by a clock that nobody sets, and is
 * kept in the ledger. So neither a wrong date nor a gateway that was off makes a channel look left; a worker can come
 * whenever time counts.
 *
 * A decision is a state in the ledger, from which on its worker would get another channel. `ChannelDesk.sync` does the
 * rest, and goes on with it after a crash. What vouchers promise can be taken until the challenge period is over.
 */
export class IdleChannels {
  readonly #options: IdleChannelsOptions
  #countedAt: number
  /** The channel that ends for the sake of a worker that found no room. */
  readonly #roomFor = new Map<string, string>()

  constructor(options: IdleChannelsOptions) {
    this.#options = options
    this.#countedAt = options.monotonic()
  }

  /** Counts the time that has passed, and lets the channels end whose time is over. To be called again and again. */
  async count(): Promise<void> {
    const { monotonic, ledger, inUse } = this.#options
    const passed = monotonic() - this.#countedAt
    if (passed < COUNT_EVERY_MS) return
    this.#countedAt = monotonic()
    // A machine that stood still was not here for workers to come to.
    const seconds = Math.floor(Math.min(passed, 2 * COUNT_EVERY_MS) / 1000)
    const used = inUse()
    for (const record of (await ledger.channels()).filter(isHeld)) {
      const idleSeconds = used.has(record.id) ? 0 : record.idleSeconds + seconds
      if (idleSeconds !== record.idleSeconds) await ledger.setIdle(record.id, idleSeconds)
      if (this.#isOver({ ...record, idleSeconds })) await ledger.setChannelState(record.id, 'closing')
    }
  }

  /** A worker was told of this channel: its time begins anew. */
  async touch({ id, idleSeconds }: ChannelRecord): Promise<void> {
    if (idleSeconds > 0) await this.#options.ledger.setIdle(id, 0)
  }

  /**
   * Lets one channel end for a worker that finds no room; the worker has to come again when its deposit is back. Only
   * one that was left and never earned anything: however many keys a stranger has, it pushes nobody out who has worked.
   *
   * @param newcomer names the worker: one channel at a time ends for it, however often it comes
   * @returns whether one ends for it
   */
  async makeRoom(newcomer: string): Promise<boolean> {
    const { ledger, inUse } = this.#options
    const channels = await ledger.channels()
    const closing = new Set(channels.filter(({ state }) => state === 'closing').map(({ id }) => id))
    for (const [name, id] of this.#roomFor) if (!closing.has(id)) this.#roomFor.delete(name)
    if (this.#roomFor.has(newcomer)) return true
    const used = inUse()
    const [longest] = channels
      .filter(isHeld)
      .filter(({ charged, idleSeconds }) => charged < DUST && idleSeconds >= EARLY_SECONDS)
      // Counting notices who has come within minutes only.
      .filter(({ id }) => !used.has(id))
      .sort((a, b) => b.idleSeconds - a.idleSeconds)
    if (!longest) return false
    await ledger.setChannelState(longest.id, 'closing')
    this.#roomFor.set(newcomer, longest.id)
    return true
  }

  #isOver({ charged, ceiling, settled, idleSeconds }: ChannelRecord): boolean {
    // What is earned and not promised yet could not be taken any more.
    if (charged > ceiling) return false
    const times = ceiling - settled > LEFT_BEHIND ? LEFT_BEHIND_TIMES : 1
    return idleSeconds >= times * this.#options.terms.workerIdleSeconds
  }
}

/** A worker's channel that holds a deposit, and that no person has to decide on. */
function isHeld({ role, state, frozen, deposited }: ChannelRecord): boolean {
  return role === 'worker' && state === 'open' && frozen === null && deposited > 0n
}
