import type { Address, MessageRelaxed } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { ContractsError } from '../errors.ts'
import { checkVoucherKey } from '../voucher/keys.ts'
import { type ReleaseTerms, verifyRelease } from '../voucher/voucher.ts'
import { defaultPause, type WaitOptions, type Wallet } from '../wallet/wallet.ts'
import { Channel } from './channel.ts'
import {
  absent,
  type ChannelExpectations,
  type CheckedChannel,
  checkChannel,
  MAX_CHALLENGE_SECONDS,
  readChannel,
  readChannelState,
  requireClaim,
} from './check.ts'
import type { ChannelParams, ChannelState } from './params.ts'

const LOOKS = 30

/**
 * The verbs of a channel. Each looks at the chain first, sends, and believes nothing until it has read the effect back.
 * All but `topUp` may be repeated safely: done once, they do nothing more.
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
  async open(wallet: Wallet, amount: bigint): Promise<ChannelState> {
    const before = await this.state()
    if (before && before.deposited >= amount) return before
    if (before && before.deposited > 0n) {
      throw new ContractsError('ERR_CHANNEL_EXISTS', 'the channel is open with a smaller deposit; top it up')
    }
    requireSafeToOpen(this.channel.params, await this.chain.now())
    return this.present(wallet, this.channel.deploy(amount), (state) => state.deposited >= amount)
  }

  /** Raises the deposit by `amount` nanotons. Not to be repeated without a look at the state. */
  async topUp(wallet: Wallet, amount: bigint): Promise<ChannelState> {
    const before = await this.require()
    if (before.closeAt !== 0) throw closing()
    const wanted = before.deposited + amount
    return this.present(wallet, this.channel.topUp(amount), (state) => state.deposited >= wanted)
  }

  /**
   * Takes `amount` nanotons in all under a voucher for `ceiling`; `wallet` is the payee's.
   * @throws ContractsError before anything is sent when the contract would refuse
   */
  async settle(
    wallet: Wallet,
    amount: bigint,
    ceiling: bigint,
    signature: Uint8Array,
  ): Promise<ChannelState> {
    const { params } = this.channel
    requireSender(wallet, params.payee, 'payee')
    const before = await readChannelState(params, this.chain)
    if (before?.settled === amount) return before
    requireClaim(params, before, this.chain.globalId, wallet.address, { amount, ceiling, signature })
    const message = this.channel.settle(amount, ceiling, signature)
    return this.present(wallet, message, (state) => state.settled >= amount)
  }

  /** Starts the challenge period; `wallet` is the payer's. */
  async startClose(wallet: Wallet): Promise<ChannelState> {
    requireSender(wallet, this.channel.params.payer, 'payer')
    const before = await this.require()
    if (before.closeAt !== 0) return before
    return this.present(wallet, this.channel.startClose(), (state) => state.closeAt !== 0)
  }

  /** Ends a channel whose challenge period is over; anyone may. Resolves when the contract is gone. */
  async finishClose(wallet: Wallet): Promise<void> {
    const before = await this.state()
    if (!before) return
    if (before.closeAt === 0) throw new ContractsError('ERR_CHANNEL_NOT_CLOSING', 'start closing first')
    const now = await this.chain.now()
    if (now < before.closeAt) {
      throw new ContractsError(
        'ERR_CHANNEL_TOO_EARLY',
        `the challenge period has ${before.closeAt - now} s to go`,
      )
    }
    await this.effect(wallet, this.channel.finishClose(), (state) => state === undefined)
  }

  /**
   * Closes at once under the payee's release of `amount` nanotons in all; `wallet` is the payer's. Before openUntil an
   * empty contract stays behind, which anyone's FinishClose removes later.
   * @returns the empty contract's state, or undefined when the contract is gone
   */
  async coopClose(wallet: Wallet, amount: bigint, release: Uint8Array): Promise<ChannelState | undefined> {
    const { params, address } = this.channel
    requireSender(wallet, params.payer, 'payer')
    const before = await this.state()
    if (!before) return undefined
    if (amount < before.settled) {
      throw new ContractsError(
        'ERR_CHANNEL_NOT_ABOVE_SETTLED',
        `amount: ${before.settled} is settled already`,
      )
    }
    if (amount > before.deposited)
      throw new ContractsError('ERR_CHANNEL_ABOVE_DEPOSIT', 'amount: above the deposit')
    const terms: ReleaseTerms = { globalId: this.chain.globalId, channel: address, amount }
    if (!verifyRelease(params.payeeKey, terms, release)) {
      throw new ContractsError('ERR_CHANNEL_BAD_SIGNATURE', 'release: the signature is not of the payee key')
    }
    const message = this.channel.coopClose(amount, release)
    return this.effect(wallet, message, (state) => state === undefined || isTombstone(state))
  }

  private async require(): Promise<ChannelState> {
    const state = await this.state()
    if (!state) throw absent()
    return state
  }

  private async present(wallet: Wallet, message: MessageRelaxed, done: (state: ChannelState) => boolean) {
    const state = await this.effect(wallet, message, (seen) => seen !== undefined && done(seen))
    if (!state) throw new ContractsError('ERR_CHANNEL_ABSENT', 'the channel was closed meanwhile')
    return state
  }

  private async effect(
    wallet: Wallet,
    message: MessageRelaxed,
    done: (state: ChannelState | undefined) => boolean,
  ): Promise<ChannelState | undefined> {
    await wallet.send(this.chain, [message], this.wait)
    for (let look = 0; look < (this.chain.instant === true ? 1 : LOOKS); look++) {
      if (look > 0) await (this.wait.pause ?? defaultPause)()
      const state = await this.state()
      if (done(state)) return state
    }
    throw new ContractsError(
      'ERR_CHANNEL_UNCONFIRMED',
      'the message was sent, but the channel does not show its effect; look at the state before trying again',
    )
  }
}

/** What the payer must not bind its money to. */
function requireSafeToOpen(params: ChannelParams, now: number): void {
  if (now > params.openUntil) {
    throw new ContractsError(
      'ERR_CHANNEL_OPEN_EXPIRED',
      'openUntil has passed; open a channel with a new salt',
    )
  }
  if (params.openUntil > now + MAX_CHALLENGE_SECONDS) {
    throw new ContractsError(
      'ERR_CHANNEL_REFUSED',
      'openUntil: at most 30 days ahead, as no close finishes before it',
    )
  }
  if (params.challengeSeconds > MAX_CHALLENGE_SECONDS) {
    throw new ContractsError('ERR_CHANNEL_REFUSED', `challengeSeconds: at most ${MAX_CHALLENGE_SECONDS}`)
  }
  checkVoucherKey(params.voucherKey)
  checkVoucherKey(params.payeeKey)
}

/** What a cooperative close before openUntil leaves: closing, with nothing in it. */
export function isTombstone(state: ChannelState): boolean {
  return state.closeAt !== 0 && state.deposited === state.settled
}

function closing(): ContractsError {
  return new ContractsError('ERR_CHANNEL_CLOSING', 'the channel is closing and takes no more deposits')
}

function requireSender(wallet: Wallet, address: Address, role: string): void {
  if (wallet.address.equals(address)) return
  throw new ContractsError('ERR_CHANNEL_WRONG_WALLET', `wallet: only the ${role} of the channel may do this`)
}
