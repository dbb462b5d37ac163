/**
 * A chain inside the test's own process: the same TVM as the local chain's, without a file and with a clock that the
 * test moves. Also ready-made parties and channels.
 */

import type { KeyObject } from 'node:crypto'
import { randomBytes } from 'node:crypto'
import type { Address, MessageRelaxed, TupleItem, TupleReader } from '@ton/core'
import { genesis, totalSupply } from './chain/local/state.ts'
import { type ChainTransaction, LocalTvm, type TvmOptions } from './chain/local/tvm.ts'
import type { FeePrices } from './chain/prices.ts'
import { type AccountSnapshot, type Chain, LOCAL_GLOBAL_ID } from './chain/types.ts'
import { Channel } from './channel/channel.ts'
import type { ChannelParams } from './channel/params.ts'
import { generateKey, rawPublicKey } from './voucher/keys.ts'
import { signRelease, signVoucher } from './voucher/voucher.ts'
import { Wallet } from './wallet/wallet.ts'

/** First moment of a {@link MemoryChain}: 2026-06-15, after the prices of June 2026 came into force. */
export const TEST_START = 1_781_481_600

export class MemoryChain implements Chain {
  readonly globalId: number
  readonly instant = true
  /** Chain time, Unix seconds; tests move it. */
  time = TEST_START
  /** Transactions of the last batch, in order. */
  last: ChainTransaction[] = []
  private readonly tvm: LocalTvm

  private constructor(tvm: LocalTvm, globalId: number) {
    this.tvm = tvm
    this.globalId = globalId
  }

  static async create(options: TvmOptions = {}): Promise<MemoryChain> {
    const tvm = await LocalTvm.create(genesis(), options)
    return new MemoryChain(tvm, options.globalId ?? LOCAL_GLOBAL_ID)
  }

  async now(): Promise<number> {
    return this.time
  }

  async account(address: Address): Promise<AccountSnapshot> {
    return this.tvm.account(address)
  }

  async send(boc: Uint8Array): Promise<void> {
    this.adopt(await this.tvm.external(boc, this.time))
  }

  get(address: Address, method: string, args: TupleItem[] = [], gasLimit?: bigint): Promise<TupleReader> {
    return this.tvm.get(address, method, args, this.time, gasLimit)
  }

  async prices(): Promise<FeePrices> {
    return this.tvm.prices
  }

  async fund(address: Address, amount: bigint): Promise<void> {
    this.adopt(await this.tvm.gift(address, amount, this.time))
  }

  /**
   * Delivers a message as if `from` had sent it; what it brings is the faucet's. For parties without a wallet, whose
   * messages come in any order and bring what they like.
   */
  async deliver(from: Address, message: MessageRelaxed): Promise<void> {
    const { info } = message
    if (info.type !== 'internal') throw new Error('internal messages only')
    const sent = { ...message, info: { ...info, src: from, createdAt: this.time } }
    this.adopt(await this.tvm.internal(sent, this.time))
  }

  /** A funded wallet with a new key. */
  async wallet(amount = 1_000_000_000_000n): Promise<Wallet> {
    const wallet = Wallet.fromSeed(randomBytes(32), this.globalId)
    await this.fund(wallet.address, amount)
    return wallet
  }

  /** All nanotons there are, wherever they are. */
  total(): bigint {
    return totalSupply(this.tvm.current)
  }

  burned(): bigint {
    return this.tvm.current.burned
  }

  /** The last batch's first transaction of `address`. */
  transactionOf(address: Address): ChainTransaction {
    const found = this.last.find((entry) => entry.account.equals(address))
    if (!found) throw new Error(`no transaction of ${address.toString()} in the last batch`)
    return found
  }

  private adopt(batch: Awaited<ReturnType<LocalTvm['gift']>>): void {
    this.tvm.commit(batch.next)
    this.last = batch.transactions
  }
}

/** Who can send: a {@link Wallet}, or a {@link Bystander}. */
export interface Sender {
  readonly address: Address
  send(chain: MemoryChain, messages: MessageRelaxed[]): Promise<void>
}

/** Somebody without a wallet contract, whose messages are delivered as they are. */
export class Bystander implements Sender {
  readonly address: Address

  constructor(address: Address) {
    this.address = address
  }

  async send(chain: MemoryChain, messages: MessageRelaxed[]): Promise<void> {
    for (const message of messages) await chain.deliver(this.address, message)
  }
}

/** Two funded parties, their keys, and a channel that is not opened yet. */
export class TestChannel {
  readonly chain: MemoryChain
  readonly payer: Wallet
  readonly payee: Wallet
  readonly voucherKey: KeyObject
  readonly payeeKey: KeyObject
  readonly params: ChannelParams
  readonly channel: Channel

  constructor(
    chain: MemoryChain,
    payer: Wallet,
    payee: Wallet,
    voucherKey: KeyObject,
    payeeKey: KeyObject,
    overrides: Partial<ChannelParams> = {},
  ) {
    this.chain = chain
    this.payer = payer
    this.payee = payee
    this.voucherKey = voucherKey
    this.payeeKey = payeeKey
    this.params = {
      payer: payer.address,
      payee: payee.address,
      voucherKey: rawPublicKey(voucherKey),
      payeeKey: rawPublicKey(payeeKey),
      challengeSeconds: 3600,
      openUntil: chain.time + 600,
      salt: randomBytes(32),
      ...overrides,
    }
    this.channel = new Channel(this.params)
  }

  static async create(chain: MemoryChain, overrides: Partial<ChannelParams> = {}): Promise<TestChannel> {
    const payer = await chain.wallet()
    return new TestChannel(chain, payer, await chain.wallet(), generateKey(), generateKey(), overrides)
  }

  voucher(ceiling: bigint, globalId = this.chain.globalId, channel = this.channel.address): Buffer {
    return signVoucher(this.voucherKey, { globalId, channel, ceiling })
  }

  release(amount: bigint, globalId = this.chain.globalId, channel = this.channel.address): Buffer {
    return signRelease(this.payeeKey, { globalId, channel, amount })
  }

  /** Sends one message from a wallet and returns the channel's transaction. */
  async from(wallet: Wallet, message: MessageRelaxed): Promise<ChainTransaction> {
    await wallet.send(this.chain, [message])
    return this.chain.transactionOf(this.channel.address)
  }
}
