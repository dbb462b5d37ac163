import type { Address, MessageRelaxed } from '@ton/core'
import { type Chain, type MessageSender, pauseOf } from '../../contracts/index.ts'
import { FundError } from './errors.ts'
import { orderOf, type PaymentOrder } from './order.ts'

/** How long a person has to pay, s. */
export const DEFAULT_PATIENCE = 600
/** Blocks are final some seconds after a wallet has sent; s. */
const GRACE = 60

export interface AskedWalletOptions {
  /** Of the person's wallet. */
  address: Address
  globalId: number
  /** Shows the order to the person. */
  show: (order: PaymentOrder) => Promise<void> | void
  /** Told once, when the wallet has sent something since it was asked: a sign for who waits, and proof of nothing. */
  onSent?: () => void
  /** Time to pay, s. */
  patience?: number
  /** Between two looks at the chain; for tests. */
  pause?: () => Promise<void>
  /** Milliseconds that only grow; for tests. */
  monotonic?: () => number
}

/**
 * A wallet whose key is elsewhere: instead of sending, it shows a person what to send. `ChannelClient` works with it as
 * with any other, and believes only what the chain shows.
 */
export class AskedWallet implements MessageSender {
  readonly address: Address
  /** One look a second, and some for what was sent in the last moment. */
  readonly looks: number
  readonly #options: AskedWalletOptions
  readonly #patience: number
  readonly #monotonic: () => number
  /** What the wallet held when it was asked, nanotons; until it has sent something. */
  #asked: { chain: Chain; balance: bigint } | undefined
  /** When nobody needs to wait any more, in monotonic ms. */
  #end = Number.POSITIVE_INFINITY

  constructor(options: AskedWalletOptions) {
    this.address = options.address
    this.#options = options
    this.#patience = options.patience ?? DEFAULT_PATIENCE
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.looks = this.#patience + GRACE
  }

  /** @throws FundError ERR_FUND_ORDER for several messages at once, which a link cannot carry */
  async send(chain: Chain, messages: MessageRelaxed[]): Promise<void> {
    const [message, ...more] = messages
    if (!message || more.length > 0) throw new FundError('ERR_FUND_ORDER', 'message: one at a time')
    const { address: from, globalId } = { ...this.#options }
    const expires = (await chain.now()) + this.#patience
    const { balance } = await chain.account(from)
    await this.#options.show(orderOf(message, { from, globalId, expires }))
    this.#asked = { chain, balance }
    this.#end = this.#monotonic() + 1000 * this.looks
  }

  /**
   * The pause of a `ChannelClient` that waits for this wallet: tells, too, when the wallet has sent something, and ends
   * the waiting in time where looks at the chain are slow.
   *
   * @throws FundError ERR_FUND_UNPAID
   */
  readonly pause = async (): Promise<void> => {
    await pauseOf(this.#options)
    if (this.#monotonic() > this.#end)
      throw new FundError('ERR_FUND_UNPAID', `no such payment has arrived within ${this.#patience} s`)
    if (!this.#asked || !(await this.#hasSent(this.#asked))) return
    this.#asked = undefined
    this.#options.onSent?.()
  }

  async #hasSent({ chain, balance }: { chain: Chain; balance: bigint }): Promise<boolean> {
    try {
      return (await chain.account(this.address)).balance < balance
    } catch {
      // The look that follows says what the chain has to say: a failure here must not end the waiting.
      return false
    }
  }
}
