import type { Address, MessageRelaxed } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import type { WaitOptions } from '../wallet/wait.ts'
import type { MessageSender } from '../wallet/wallet.ts'
import { Channel } from './channel.ts'
import {
  absent,
  type ChannelExpectations,
  type CheckedChannel,
  checkChannel,
  lookUp,
  readChannel,
  readChannelState,
  requireClaim,
} from './check.ts'
import { RENT_RESERVE } from './messages.ts'
import type { ChannelParams, ChannelState } from './params.ts'
import { closing, effect, requireOver, requireRelease, requireSafeToOpen, requireSender } from './verbs.ts'

/**
 * The verbs of a channel. Each looks at the chain first, sends, and believes nothing until it has read the effect back.
 * All but `topUp` may be repeated safely: done once, they do nothing more. They work, too, on a channel whose rent has
 * eaten into the deposit.
 */
export class ChannelClient {
  readonly channel: Channel
  private readonly chain: Chain
  private readonly wait: WaitOptions

  constructor(options: { chain: Chain; params: ChannelParams } & WaitOptions) {
    this.channel = new Channel(options.params)
    this.chain = options.chain
    this.wait = options.pause ? { pause: options.pause } : {}
  }

  /** See {@link checkChannel}. */
  static check(params: ChannelParams, chain: Chain, expected?: ChannelExpectations): Promise<CheckedChannel> {
    return checkChannel(params, chain, expected)
  }

  get address(): Address {
    return this.channel.address
  }

  /** See {@link readChannel}. */
  state(): Promise<ChannelState | undefined> {
    return readChannel(this.channel.params, this.chain)
  }

  /** Deploys the channel with a first deposit of `amount` nanotons; `wallet` pays, and need not be the payer's. */
  async open(wallet: MessageSender, amount: bigint): Promise<ChannelState> {
    const before = await this.look()
    if (before && before.deposited >= amount) return before
    if (before && before.deposited > 0n) {
      throw new ContractsError('ERR_CHANNEL_EXISTS', 'the channel is open with a smaller deposit; top it up')
    }
    requireSafeToOpen(this.channel.params, await this.chain.now())
    return this.present(wallet, this.channel.deploy(amount), (state) => state.deposited >= amount)
  }

  /**
   * Raises the deposit by `amount` nanotons, and fills up the reserve for rent. Not to be repeated without a look at
   * the state.
   */
  async topUp(wallet: MessageSender, amount: bigint): Promise<ChannelState> {
    const before = await lookUp(this.channel.params, this.chain)
    if (!before) throw absent()
    const { state, balance } = before
    if (state.closeAt !== 0) throw closing()
    const wanted = state.deposited + amount
    const message = this.channel.topUp(amount, missing(balance - (state.deposited - state.settled)))
    return this.present(wallet, message, (state) => state.deposited >= wanted)
  }

  /**
   * Takes `amount` nanotons in all under a voucher for `ceiling`; `wallet` is the payee's.
   * @throws ContractsError before anything is sent when the contract would refuse
   */
  async settle(
    wallet: MessageSender,
    amount: bigint,
    ceiling: bigint,
    signature: Uint8Array,
  ): Promise<ChannelState> {
    const { params } = this.channel
    requireSender(wallet, params.payee, 'payee')
    const before = await this.require()
    if (before.settled === amount) return before
    requireClaim(params, before, this.chain.globalId, wallet.address, { amount, ceiling, signature })
    const message = this.channel.settle(amount, ceiling, signature)
    return this.present(wallet, message, (state) => state.settled >= amount)
  }

  /** Starts the challenge period; `wallet` is the payer's. */
  async startClose(wallet: MessageSender): Promise<ChannelState> {
    requireSender(wallet, this.channel.params.payer, 'payer')
    const before = await this.require()
    if (before.closeAt !== 0) return before
    return this.present(wallet, this.channel.startClose(), (state) => state.closeAt !== 0)
  }

  /** Ends a channel whose challenge period is over; anyone may. Resolves when the contract is gone. */
  async finishClose(wallet: MessageSender): Promise<void> {
    const before = await this.look()
    if (!before) return
    if (before.closeAt === 0) throw new ContractsError('ERR_CHANNEL_NOT_CLOSING', 'start closing first')
    requireOver(before.closeAt, await this.chain.now())
    await this.effect(wallet, this.channel.finishClose(), (state) => state === undefined)
  }

  /**
   * Closes at once under the payee's release of `amount` nanotons in all; `wallet` is the payer's. Before openUntil an
   * empty contract stays behind, which anyone's FinishClose removes later.
   * @returns the empty contract's state, or undefined when the contract is gone
   */
  async coopClose(
    wallet: MessageSender,
    amount: bigint,
    release: Uint8Array,
  ): Promise<ChannelState | undefined> {
    const { payeeKey, payer } = this.channel.params
    requireSender(wallet, payer, 'payer')
    const before = await this.look()
    if (!before) return undefined
    const terms = { globalId: this.chain.globalId, channel: this.address, amount }
    requireRelease(payeeKey, terms, release, before)
    const message = this.channel.coopClose(amount, release)
    return this.effect(wallet, message, (state) => state === undefined || isTombstone(state))
  }

  private look(): Promise<ChannelState | undefined> {
    return readChannelState(this.channel.params, this.chain)
  }

  private async require(): Promise<ChannelState> {
    const state = await this.look()
    if (!state) throw absent()
    return state
  }

  private async present(
    wallet: MessageSender,
    message: MessageRelaxed,
    done: (state: ChannelState) => boolean,
  ) {
    const state = await this.effect(wallet, message, (seen) => seen !== undefined && done(seen))
    if (!state) throw new ContractsError('ERR_CHANNEL_ABSENT', 'the channel was closed meanwhile')
    return state
  }

  private effect(
    wallet: MessageSender,
    message: MessageRelaxed,
    done: (state: ChannelState | undefined) => boolean,
  ): Promise<ChannelState | undefined> {
    const { chain, wait } = this
    return effect({ chain, wait, look: () => this.look() }, wallet, message, done)
  }
}

/** What a top-up has to bring so that the reserve for rent is whole again. */
function missing(reserve: bigint): bigint {
  return reserve < RENT_RESERVE ? RENT_RESERVE - reserve : 0n
}

/** What a cooperative close before openUntil leaves: closing, with nothing in it. */
export function isTombstone(state: ChannelState): boolean {
  return state.closeAt !== 0 && state.deposited === state.settled
}
