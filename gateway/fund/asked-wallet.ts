import type { Address, MessageRelaxed } from '@ton/core'
import type { Chain, MessageSender } from '../../contracts/index.ts'
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
  /** Time to pay, s. */
  patience?: number
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

  constructor(options: AskedWalletOptions) {
    this.address = options.address
    this.#options = options
    this.#patience = options.patience ?? DEFAULT_PATIENCE
    this.looks = this.#patience + GRACE
  }

  /** @throws FundError ERR_FUND_ORDER for several messages at once, which a link cannot carry */
  async send(chain: Chain, messages: MessageRelaxed[]): Promise<void> {
    const [message, ...more] = messages
    if (!message || more.length > 0) throw new FundError('ERR_FUND_ORDER', 'message: one at a time')
    const { address: from, globalId } = { ...this.#options }
    const expires = (await chain.now()) + this.#patience
    await this.#options.show(orderOf(message, { from, globalId, expires }))
  }
}
