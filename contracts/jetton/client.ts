import type { Address, MessageRelaxed } from '@ton/core'
import type { Chain } from '../chain/types.ts'
import { absent, requireClaim } from '../channel/check.ts'
import {
  closing,
  effect,
  requireOver,
  requireRelease,
  requireSafeToOpen,
  requireSender,
} from '../channel/verbs.ts'
import { ContractsError } from '../errors.ts'
import type { WaitOptions } from '../wallet/wait.ts'
import type { Wallet } from '../wallet/wallet.ts'
import {
  type CheckedJettonChannel,
  checkJettonChannel,
  type JettonChannelExpectations,
  readJettonChannel,
  readJettonWallet,
  requireUnlocked,
} from './check.ts'
import { JettonChannel, requireSameWallet } from './jetton-channel.ts'
import type { JettonChannelParams, JettonChannelState } from './params.ts'

/**
 * The verbs of a jetton channel. Each looks at the chain first, sends, and believes nothing until it has read the
 * effect back. All but `deposit` may be repeated safely. What is read back is that the channel has ordered a transfer;
 * one that bounces shows some seconds later, in `unpaidPayee` or `unpaidPayer`, and is for `retry`.
 */
export class JettonChannelClient {
  readonly channel: JettonChannel
  private readonly chain: Chain
  private readonly wait: WaitOptions

  constructor(options: { chain: Chain; params: JettonChannelParams } & WaitOptions) {
    this.channel = new JettonChannel(options.params)
    this.chain = options.chain
    this.wait = options.pause ? { pause: options.pause } : {}
  }

  /** See {@link checkJettonChannel}. */
  static check(
    params: JettonChannelParams,
    chain: Chain,
    expected: JettonChannelExpectations,
  ): Promise<CheckedJettonChannel> {
    return checkJettonChannel(params, chain, expected)
  }

  get address(): Address {
    return this.channel.address
  }

  /** See {@link readJettonChannel}. */
  state(): Promise<JettonChannelState | undefined> {
    return readJettonChannel(this.channel.params, this.chain)
  }

  /** Deploys the channel, empty; `wallet` pays, and need not be the payer's. Then comes {@link deposit}. */
  async open(wallet: Wallet): Promise<JettonChannelState> {
    const before = await this.state()
    if (before) return before
    const { params } = this.channel
    requireSafeToOpen(params, await this.chain.now())
    await requireSameWallet(params, this.chain)
    return this.present(wallet, this.channel.open(), () => true)
  }

  /**
   * Sends `amount` jettons of `wallet`'s into the open channel. Not to be repeated without a look at the state.
   * @throws ContractsError ERR_WALLET_FUNDS, ERR_JETTON_LOCKED and ERR_CHANNEL_* before anything is sent
   */
  async deposit(wallet: Wallet, amount: bigint): Promise<JettonChannelState> {
    const { params } = this.channel
    const before = await this.require()
    if (before.closeAt !== 0) throw closing()
    if (before.deposited === 0n) requireSafeToOpen(params, await this.chain.now())
    const own = await readJettonWallet(wallet.address, params, this.chain)
    requireUnlocked(own.locked.out, "the sender's jetton wallet")
    if (own.balance < amount) {
      throw new ContractsError('ERR_WALLET_FUNDS', `amount: the wallet holds ${own.balance} jettons`)
    }
    const wanted = before.deposited + amount
    const message = this.channel.deposit(wallet.address, amount)
    return this.present(wallet, message, ({ deposited }) => deposited >= wanted)
  }

  /**
   * Takes `amount` in all under a voucher for `ceiling`; `wallet` is the payee's. Refuses while the payee's jetton
   * wallet may not receive: such a transfer comes back to the channel's wallet, which tells no one.
   * @throws ContractsError before anything is sent when the contract would refuse
   */
  async settle(
    wallet: Wallet,
    amount: bigint,
    ceiling: bigint,
    signature: Uint8Array,
  ): Promise<JettonChannelState> {
    const { params } = this.channel
    const { chain, address } = this
    requireSender(wallet, params.payee, 'payee')
    const before = await this.require()
    if (before.settled === amount) return before
    requireClaim(params, before, chain.globalId, wallet.address, { amount, ceiling, signature }, address)
    const own = await readJettonWallet(wallet.address, params, chain)
    requireUnlocked(own.locked.in, "the payee's jetton wallet")
    const message = this.channel.settle(amount, ceiling, signature)
    return this.present(wallet, message, ({ settled }) => settled >= amount)
  }

  /** Starts the challenge period; `wallet` is the payer's. */
  async startClose(wallet: Wallet): Promise<JettonChannelState> {
    requireSender(wallet, this.channel.params.payer, 'payer')
    const before = await this.require()
    if (before.closeAt !== 0) return before
    return this.present(wallet, this.channel.startClose(), ({ closeAt }) => closeAt !== 0)
  }

  /**
   * The next step of an end whose time has come; anyone may. The first orders what is left for the payer, the second,
   * a day later, removes the contract.
   * @returns the state after the first step, undefined when the contract is gone
   */
  async finishClose(wallet: Wallet): Promise<JettonChannelState | undefined> {
    const before = await this.state()
    if (!before) return undefined
    if (before.closeAt === 0) throw new ContractsError('ERR_CHANNEL_NOT_CLOSING', 'start closing first')
    requireOver(before.closeAt, await this.chain.now())
    if (before.finished && isOwing(before)) {
      throw new ContractsError('ERR_CHANNEL_STILL_OWED', 'a transfer has bounced: retry it first')
    }
    const { finished } = before
    return this.effect(wallet, this.channel.finishClose(), (seen) => !seen || (!finished && seen.finished))
  }

  /** Closes at once under the payee's release of `amount` in all; `wallet` is the payer's. */
  async coopClose(wallet: Wallet, amount: bigint, release: Uint8Array): Promise<JettonChannelState> {
    const { payeeKey, payer } = this.channel.params
    requireSender(wallet, payer, 'payer')
    const before = await this.require()
    if (before.finished) return before
    const terms = { globalId: this.chain.globalId, channel: this.address, amount }
    requireRelease(payeeKey, terms, release, before)
    return this.present(wallet, this.channel.coopClose(amount, release), ({ finished }) => finished)
  }

  /** Orders one transfer that bounced again, the payee's first; anyone may. */
  async retry(wallet: Wallet): Promise<JettonChannelState> {
    const before = await this.require()
    if (!isOwing(before)) return before
    const field = before.unpaidPayee > 0n ? 'unpaidPayee' : 'unpaidPayer'
    return this.present(wallet, this.channel.retry(), (seen) => seen[field] < before[field])
  }

  /**
   * Fetches all jettons that the channel was never told of; `wallet` is the payer's. Only when all is wound up.
   * @returns how many there were
   */
  async sweep(wallet: Wallet): Promise<bigint> {
    const { params } = this.channel
    requireSender(wallet, params.payer, 'payer')
    const before = await this.state()
    const over = before
      ? before.closeAt !== 0 && before.finished
      : (await this.chain.now()) > params.openUntil
    if (!over) throw new ContractsError('ERR_CHANNEL_NOT_CLOSING', 'sweep: close the channel first')
    if (before) requireOver(before.closeAt, await this.chain.now())
    if (before && isOwing(before)) {
      throw new ContractsError('ERR_CHANNEL_STILL_OWED', 'a transfer has bounced: retry it first')
    }
    const look = () => readJettonWallet(this.address, params, this.chain)
    const { balance, locked } = await look()
    requireUnlocked(locked.out, "the channel's jetton wallet")
    if (balance === 0n) return 0n
    const { chain, wait } = this
    await effect({ chain, wait, look }, wallet, this.channel.sweep(balance), (seen) => seen.balance < balance)
    return balance
  }

  private async require(): Promise<JettonChannelState> {
    const state = await this.state()
    if (!state) throw absent()
    return state
  }

  private async present(
    wallet: Wallet,
    message: MessageRelaxed,
    done: (state: JettonChannelState) => boolean,
  ): Promise<JettonChannelState> {
    const state = await this.effect(wallet, message, (seen) => seen !== undefined && done(seen))
    if (!state) throw new ContractsError('ERR_CHANNEL_ABSENT', 'the channel was removed meanwhile')
    return state
  }

  private effect(
    wallet: Wallet,
    message: MessageRelaxed,
    done: (state: JettonChannelState | undefined) => boolean,
  ): Promise<JettonChannelState | undefined> {
    const { chain, wait } = this
    return effect({ chain, wait, look: () => this.state() }, wallet, message, done)
  }
}

/** Whether a transfer has bounced and waits for `retry`. */
function isOwing({ unpaidPayee, unpaidPayer }: JettonChannelState): boolean {
  return unpaidPayee > 0n || unpaidPayer > 0n
}
