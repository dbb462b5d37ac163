import type { Address } from '@ton/core'
import { fromBase64 } from '../../attest/bytes.ts'
import {
  ATTACH,
  type Chain,
  channelParamsFromJson,
  LiveFees,
  type LocalChain,
  larger,
  least,
  readChannelState,
  type SettleClaim,
  type SettlePolicy,
  settleBatch,
  type Wallet,
  whySettle,
} from '../../contracts/index.ts'
import type { Clock } from '../clock.ts'
import { codeOf, type Log } from '../log.ts'
import type { ChannelBook } from './book.ts'
import { withPurse } from './purse.ts'
import { planWithdrawal, withdraw } from './withdraw.ts'

/** Milliseconds between two looks at all channels; a payer that starts to close has to wait an hour or more. */
const LOOK_MS = 15_000
/** Before an end it is worth a tenth of a claim to have it. */
const LEAVING_BPS = 1_000
/** What the faucet of a local chain gives a wallet that cannot pay for a settle, and a sweep leaves: enough for many. */
const GIFT = 10n * ATTACH

export interface CollectorOptions {
  /** A local chain has a faucet. */
  chain: Chain & Partial<Pick<LocalChain, 'fund'>>
  /** The payee's. */
  wallet: Wallet
  /** The folder of the wallet's key: see `withPurse`. */
  purse: string
  /** Every channel that has ever paid. */
  books: () => Iterable<ChannelBook>
  policy: SettlePolicy
  /** The owner, to whom all but some for fees is sent when the wallet holds more than `above` nanotons. */
  sweep?: { to: Address; above: bigint }
  clock: Clock
  log: Log
}

interface Due {
  book: ChannelBook
  claim: SettleClaim
  reason: string
}

/**
 * Takes what gateways have promised onto the worker's wallet: when it is worth the fees or has stood open for too long,
 * at once when a gateway starts to close its channel, whether there is a link to it or not. All that it decides by is
 * in the file and on the chain, so it may be killed at any point and goes on from there.
 */
export class Collector {
  readonly #options: CollectorOptions
  readonly #fees: LiveFees
  #round: Promise<void> | undefined
  #cancelTimer: () => void = () => {}
  #closed = false
  /** What was last told to be in the way, so that it is told once. */
  #told: string | undefined

  constructor(options: CollectorOptions) {
    this.#options = options
    this.#fees = new LiveFees(options.chain, () => options.clock.monotonic())
  }

  /** Looks now, and again and again until `close`. */
  start(): void {
    void this.collect().then(() => {
      if (!this.#closed) this.#cancelTimer = this.#options.clock.after(LOOK_MS, () => this.start())
    })
  }

  /** One look at every channel, settling what is due; what is in the way is logged. Never rejects. */
  collect(policy = this.#options.policy): Promise<void> {
    this.#round ??= this.#collect(policy)
      .then(() => this.#tell(undefined))
      .catch((error: unknown) => this.#tell(codeOf(error)))
      .finally(() => {
        this.#round = undefined
      })
    return this.#round
  }

  /**
   * Stops looking. What is worth ten times its fees is settled first, within `ms`; the vouchers of the rest stay in the
   * file.
   */
  async close(ms: number): Promise<void> {
    this.#closed = true
    this.#cancelTimer()
    const { policy, clock } = this.#options
    const last = async () => {
      await this.#round
      await this.collect({ ...policy, overheadBps: Math.max(policy.overheadBps, LEAVING_BPS) })
    }
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const cancel = clock.after(ms, resolve)
    await Promise.race([last(), late])
    cancel()
  }

  /** What goes wrong with one channel keeps the others from nothing; the first error is thrown at the end. */
  async #collect(policy: SettlePolicy): Promise<void> {
    const errors: unknown[] = []
    const due: Due[] = []
    for (const book of this.#options.books()) {
      const found = await this.#look(book, policy).catch((error: unknown) => void errors.push(error))
      if (found) due.push(found)
    }
    if (due.length > 0) errors.push(...(await this.#settle(due)))
    await this.#sweep().catch((error: unknown) => void errors.push(error))
    if (errors.length > 0) throw errors[0]
  }

  async #settle(due: Due[]): Promise<unknown[]> {
    const { chain, wallet, purse, log } = this.#options
    const claims = due.map(({ claim }) => claim)
    const outcomes = await withPurse(purse, async () => {
      await this.#fill()
      return await settleBatch(chain, wallet, claims)
    })
    return due.flatMap(({ book, claim, reason }, index) => {
      const { state, error } = outcomes[index] ?? {}
      if (state) this.#note(book, state)
      if (error) return [error]
      log.info({ channel: book.account.address, code: reason, settled: String(claim.amount) }, 'settled')
      return []
    })
  }

  async #sweep(): Promise<void> {
    const { chain, wallet, purse, sweep, log } = this.#options
    if (!sweep || (await wallet.balance(chain)) <= larger(sweep.above, 2n * GIFT)) return
    await withPurse(purse, async () => {
      const plan = await planWithdrawal(chain, wallet, { to: sweep.to, keep: GIFT })
      await withdraw(chain, wallet, plan)
      log.info({ owner: sweep.to.toString(), nanotons: String(plan.amount) }, 'sent to the owner')
    })
  }

  /** What is to be claimed from a channel now. */
  async #look(book: ChannelBook, policy: SettlePolicy): Promise<Due | undefined> {
    const { chain, wallet, clock } = this.#options
    const before = book.account
    // Nothing can come of a channel that is gone, unless a provider was wrong about it.
    if (before.params === '' || (before.state === 'gone' && before.ceiling <= before.settled))
      return undefined
    const params = channelParamsFromJson(JSON.parse(before.params))
    const state = await readChannelState(params, chain)
    this.#note(book, state)
    if (!state || !params.payee.equals(wallet.address)) return undefined
    const { ceiling, signature, deposited, settled, unsettledSince } = book.account
    const amount = least(ceiling, deposited)
    const reason = whySettle(
      {
        ...{ settled, claim: amount, deposited, closing: state.closeAt !== 0 },
        oldestUnsettledAt: unsettledSince === 0 ? undefined : Math.floor(unsettledSince / 1000),
      },
      Math.floor(clock.now() / 1000),
      await this.#cost(state.closeAt !== 0),
      policy,
    )
    if (!reason || signature === '') return undefined
    return { book, reason, claim: { params, amount, ceiling, signature: fromBase64(signature) } }
  }

  #note(book: ChannelBook, seen: Awaited<ReturnType<typeof readChannelState>>): void {
    const { address, state: before, deposited, settled } = book.account
    const state = seen === undefined ? 'gone' : seen.closeAt === 0 ? 'open' : 'closing'
    book.see({ deposited: seen?.deposited ?? deposited, settled: seen?.settled ?? settled, state })
    if (state === before || state === 'open') return
    const what = state === 'gone' ? 'a channel is gone' : 'a gateway closes its channel'
    this.#options.log.warn({ channel: address, unsettled: String(book.unsettled) }, what)
  }

  /** What a settle costs now. Fees that nobody knows never keep what a closing channel owes from being taken. */
  async #cost(closing: boolean): Promise<bigint> {
    try {
      return await this.#fees.settleCost()
    } catch (error) {
      if (!closing) throw error
      return 0n
    }
  }

  /** A new wallet holds nothing, and has to attach something to its first claim. */
  async #fill(): Promise<void> {
    const { chain, wallet } = this.#options
    if (chain.fund && (await wallet.balance(chain)) < 2n * ATTACH) await chain.fund(wallet.address, GIFT)
  }

  #tell(code: string | undefined): void {
    const { log, wallet } = this.#options
    if (code !== undefined && code !== this.#told) {
      const cure = code === 'ERR_WALLET_FUNDS' ? ': send it 0.1 TON for fees' : ''
      log.warn({ code, wallet: wallet.address.toString() }, `what is earned cannot be taken now${cure}`)
    }
    this.#told = code
  }
}
