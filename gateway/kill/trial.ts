/** @module One trial: load, a kill at a random moment, a restart, and then everything is compared. */

import type { Random } from '../../worker/model/corpus/random.ts'
import { openChannel } from '../pay/testing/stranger.ts'
import type { Seen } from './asked.ts'
import { type Books, readBooks, readEarnings } from './books.ts'
import { type Aftermath, check, type Verdict } from './check.ts'
import { byKey, type Customer, PayingCustomer } from './customers.ts'
import { ask, Load } from './load.ts'
import { Network, pause, type RoleName } from './network.ts'
import { type KillPoint, POINTS_OF, type PointName, SLOW } from './points.ts'

/** Clients with the same API key, and such as pay each request by a signature of their own. */
const BY_KEY = 4
const PAYING = 2
/** How long everything may take to be settled after a restart, in ms; what is open then is a defect. */
const SETTLE_MS = 60_000
/** After a kill of both, nobody comes back for a request of which the worker kept nothing. */
const ABANDON_SECONDS = 2

/** What is killed, and when. */
export interface Plan {
  readonly victims: readonly RoleName[]
  /** Tokens that the clients together have received by then. */
  readonly afterTokens: number
  /** Milliseconds after that. */
  readonly afterMs: number
  /** A point of the first victim's code instead of a random moment. */
  readonly at?: KillPoint
  /** Channels are being settled on chain at the kill. */
  readonly settling: boolean
  /** The gateway is killed once more, so many ms after its restart began. */
  readonly againMs?: number
}

/** Draws a plan. @param point kills come at this point of the code only */
export function planOf(random: Random, point?: PointName): Plan {
  if (point !== undefined) {
    const [victim = 'gateway'] = (['gateway', 'worker'] as const).filter((role) => comesBy(role, point))
    const settling = point.startsWith('settle')
    const plan = { victims: [victim], settling, afterTokens: 0, afterMs: 0 }
    return { ...plan, at: momentAt(point, random) }
  }
  const victims = random.pick<RoleName[]>([
    ['gateway'],
    ['gateway'],
    ['gateway'],
    ['worker'],
    ['worker'],
    ['worker'],
    ['gateway', 'worker'],
    ['gateway', 'chain'],
  ])
  const settling = random.below(4) === 0
  const plan = { victims, settling, afterTokens: random.below(800), afterMs: random.below(40) }
  if (victims.length === 1 && random.below(2) === 0)
    return { ...plan, at: pointOf(victims[0], settling, random) }
  const again = victims[0] === 'gateway' && random.below(6) === 0
  return { ...plan, ...(again && { againMs: random.below(1500) }) }
}

function pointOf(victim: RoleName | undefined, settling: boolean, random: Random): KillPoint {
  const points = POINTS_OF[victim === 'worker' ? 'worker' : 'gateway'].filter(
    (point) => settling || !point.startsWith('settle'),
  )
  return momentAt(random.pick(points), random)
}

const comesBy = (role: keyof typeof POINTS_OF, point: PointName) =>
  (POINTS_OF[role] as readonly PointName[]).includes(point)

/** How many calls of a point may be waited for, where it is not a dozen: paid requests are few, grants many. */
const FEWER_OR_MORE: Partial<Record<PointName, number>> = { use: 4, accept: 4, grant: 40 }

function momentAt(point: PointName, random: Random): KillPoint {
  const calls = point.startsWith('settle') ? 1 : (FEWER_OR_MORE[point] ?? 12)
  const moments = ['before', 'after', 'slow'] as const
  const when = random.pick(SLOW.includes(point) ? moments : moments.slice(0, 2))
  return { point, when, call: 1 + random.below(calls) }
}

/** A network that goes through one trial after the other; its books are remembered from each to the next. */
export class Stand implements AsyncDisposable {
  readonly network: Network
  /** One for each client. */
  readonly #customers: readonly Customer[]
  readonly #ofNumber0: bigint
  #books: Books

  private constructor(network: Network, customers: readonly Customer[], books: Books, ofNumber0: bigint) {
    this.network = network
    this.#customers = customers
    this.#books = books
    this.#ofNumber0 = ofNumber0
  }

  static async open(): Promise<Stand> {
    const network = await Network.start()
    try {
      const keyed = byKey(await network.apiKey())
      await askFirst(network, keyed, 0)
      const [row] = (await readBooks(network.dir)).requests.values()
      const ofNumber0 = row?.maxCharge ?? 0n
      const customers: Customer[] = Array.from({ length: BY_KEY }, () => keyed)
      for (let number = 1; number <= PAYING; number++) {
        const payer = await openChannel(await network.localChain(), network.origin)
        const paying = new PayingCustomer(payer, ofNumber0)
        await askFirst(network, paying, number)
        customers.push(paying)
      }
      return new Stand(network, customers, await readBooks(network.dir), ofNumber0)
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
  }

  /** @throws Error when a process does not come back */
  async trial(plan: Plan, random: Random): Promise<Verdict> {
    const load = new Load({
      origin: this.network.origin,
      clients: this.#customers,
      random,
    })
    await this.#untilKilled(plan, load)
    const killedAt = Date.now()
    const asked = load.stop()
    await this.#restart(plan)
    const seen = await asked
    const replays = await this.#replay(seen)
    return await this.#compare({ seen, replays, killedAt }, plan.victims.includes('gateway'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]()
  }

  async #untilKilled({ victims, at, settling, afterTokens, afterMs }: Plan, load: Load): Promise<void> {
    const { network } = this
    const [victim = 'gateway'] = victims
    if (at) network.killAt(victim, at)
    const moment = load.received(afterTokens)
    if (settling) void network.channel('settle').catch(() => {})
    if (at) await Promise.race([network.gone(victim), load.received(MOST_TOKENS), load.over])
    else {
      await Promise.race([moment, load.over])
      await new Promise((resolve) => setTimeout(resolve, afterMs))
    }
    await Promise.all(victims.map((role) => network.kill(role)))
  }

  async #restart({ victims, againMs }: Plan): Promise<void> {
    const { network } = this
    const options = victims.includes('worker') ? { abandonSeconds: ABANDON_SECONDS } : {}
    if (victims.includes('chain')) await network.start('chain')
    if (victims.includes('worker')) await network.start('worker')
    if (victims.includes('gateway')) {
      if (againMs !== undefined) await this.#interrupted(againMs)
      await network.start('gateway', options)
    }
    await network.joined()
  }

  /** A start of the gateway that does not live long; it may be serving by its end, or not. */
  async #interrupted(afterMs: number): Promise<void> {
    const { network } = this
    const started = network.start('gateway').catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    await network.kill('gateway')
    await started
  }

  /** Sends every payment of the trial once more, as somebody would who has captured it. */
  async #replay(seen: readonly Seen[]): Promise<Seen[]> {
    const replays: Seen[] = []
    for (const { asked, payment } of seen) {
      if (!payment) continue
      const captured = { pay: () => ({ headers: { 'payment-signature': payment.header }, payment }) }
      const { leavesAfter: _, ...stays } = asked
      replays.push(await ask(this.network.origin, captured, stays))
    }
    return replays
  }

  async #compare(
    watched: Pick<Aftermath, 'seen' | 'replays' | 'killedAt'>,
    gatewayKilled: boolean,
  ): Promise<Verdict> {
    const { network } = this
    const difference = await this.#settled()
    const after = await readBooks(network.dir)
    const before = this.#books
    this.#books = after
    const earnings = readEarnings(network.dir)
    const ofNumber0 = this.#ofNumber0
    const faults = network.takeFaults()
    const signed = new Map(
      this.#customers.flatMap((each) =>
        each instanceof PayingCustomer ? [[each.channel, each.ceiling] as const] : [],
      ),
    )
    return check({
      ...watched,
      signed,
      ofNumber0,
      before,
      after,
      earnings,
      difference,
      gatewayKilled,
      faults,
    })
  }

  /** Waits until nothing is reserved and no receipt waits, and returns what the chain's balances differ by. */
  async #settled(): Promise<string | undefined> {
    const until = performance.now() + SETTLE_MS
    for (;;) {
      const { channels, balances } = await this.network.channel('status')
      const open =
        channels.some(({ reserved }) => reserved !== '0') || readEarnings(this.network.dir).waiting > 0
      if (!open || performance.now() > until) return balances.difference
      await pause()
    }
  }
}

/** Asks once while nothing is wrong yet. @throws Error when there is no answer */
async function askFirst(network: Network, customer: Customer, number: number): Promise<void> {
  const asked = { number, script: { tokens: 1, everyMs: 0 }, stream: false }
  const { end, said } = await ask(network.origin, customer, asked)
  if (end !== 'done') throw new Error(`the network does not answer (${said})\n${network.log}`)
}

/** A point that is not come by until then is not on the way of this load. */
const MOST_TOKENS = 3000
