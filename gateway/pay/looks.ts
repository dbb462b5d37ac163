import { Allowance, networkOf, rateLimited, unavailable } from '../../worker/protocol/index.ts'

export interface LooksOptions {
  /** Looks at the chain that one address may cause in a minute. */
  perMinute: number
  /** Monotonic ms. */
  monotonic: () => number
}

/** Looks under way at once, and those that may wait for their turn: a provider has few requests a second for us. */
const AT_ONCE = 4
const MOST_WAITING = 32
/** What all addresses together get, as a multiple of what one gets. */
const GLOBAL_SHARE = 10

/**
 * Looks at the chain that strangers cause, as anybody can make up a channel: few at once, so many a minute for each
 * address and for all together.
 */
export class ChainLooks {
  readonly #each: Allowance
  readonly #all: Allowance
  readonly #waiting: (() => void)[] = []
  #underWay = 0

  constructor({ perMinute, monotonic: now }: LooksOptions) {
    this.#each = new Allowance({ burst: perMinute, perMinute, now })
    const all = perMinute * GLOBAL_SHARE
    this.#all = new Allowance({ burst: all, perMinute: all, now })
  }

  /**
   * @param caller address of whoever caused it
   * @throws ApiError 429 beyond the caller's share, 503 when too many wait; what `look` throws
   */
  async run<T>(caller: string, look: () => Promise<T>): Promise<T> {
    this.#demandShare(networkOf(caller))
    await this.#turn()
    try {
      return await look()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#underWay -= 1
    }
  }

  #demandShare(caller: string): void {
    const wait = this.#each.take(caller)
    if (wait > 0) throw tooMany(wait)
    const common = this.#all.take()
    if (common === 0) return
    this.#each.giveBack(caller)
    throw tooMany(common)
  }

  async #turn(): Promise<void> {
    if (this.#underWay < AT_ONCE) {
      this.#underWay += 1
      return
    }
    if (this.#waiting.length >= MOST_WAITING)
      throw unavailable('Too many channels are being looked up. Try again shortly.', 'server_busy', 1)
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

function tooMany(waitMs: number) {
  const seconds = Math.ceil(waitMs / 1000)
  return rateLimited(
    `Too many channels were to be looked up on the chain. Retry in ${seconds} s, with a channel that is open and funded.`,
    seconds,
    'channel_lookups',
  )
}
