/** A jetton of the tests' own on a {@link MemoryChain}, and a jetton channel with two parties that hold some. */

import { randomBytes } from 'node:crypto'
import { type Address, beginCell, type Cell, contractAddress, internal, type MessageRelaxed } from '@ton/core'
import { committedCode } from '../../code.ts'
import { type MemoryChain, type Sender, TestChannel } from '../../testing.ts'
import type { Wallet } from '../../wallet/wallet.ts'
import { JettonChannel } from '../jetton-channel.ts'
import { type JettonChannelParams, jettonWalletAddress, parseJettonChannelData } from '../params.ts'
import masterJson from './master.code.json' with { type: 'json' }
import walletJson from './wallet.code.json' with { type: 'json' }

const walletCode = committedCode(walletJson, 'wallet.code.json')
const masterCode = committedCode(masterJson, 'master.code.json')

const MINT = 0x4a540010
const LOCK = 0x4a540011
const TON = 1_000_000_000n

/** Status bits of a wallet: may not send, may not receive. */
export const LOCKED = { out: 1, in: 2 } as const

/** A jetton whose master obeys `admin`. */
export class TestJetton {
  readonly chain: MemoryChain
  readonly admin: Sender
  readonly walletCode: Cell = walletCode()
  readonly master: Address
  private readonly init: { code: Cell; data: Cell }

  constructor(chain: MemoryChain, admin: Sender) {
    this.chain = chain
    this.admin = admin
    const data = beginCell().storeAddress(admin.address).storeRef(this.walletCode).endCell()
    this.init = { code: masterCode(), data }
    this.master = contractAddress(0, this.init)
  }

  static async create(chain: MemoryChain): Promise<TestJetton> {
    return new TestJetton(chain, await chain.wallet())
  }

  walletOf(owner: Address): Address {
    return jettonWalletAddress(owner, this)
  }

  /** Jettons of `owner`, 0 where there is no wallet. */
  async balance(owner: Address): Promise<bigint> {
    const { data } = await this.chain.account(this.walletOf(owner))
    return data ? data.beginParse().skip(4).loadCoins() : 0n
  }

  /** New jettons for `to`, with `forwardTon` nanotons of notification if any. */
  mint(to: Address, amount: bigint, forwardTon = 0n): Promise<void> {
    const body = beginCell()
      .storeUint(MINT, 32)
      .storeAddress(to)
      .storeCoins(amount)
      .storeCoins(forwardTon)
      .storeCoins(TON / 5n)
      .endCell()
    return this.toMaster(body)
  }

  /** Sets the status bits of `owner`'s wallet, as an issuer can. */
  lock(owner: Address, status: number): Promise<void> {
    const body = beginCell().storeUint(LOCK, 32).storeAddress(owner).storeUint(status, 4).endCell()
    return this.toMaster(body)
  }

  private toMaster(body: Cell): Promise<void> {
    const message = internal({ to: this.master, value: TON / 2n, bounce: true, body, init: this.init })
    return this.admin.send(this.chain, [message])
  }
}

/** Two parties with tons, a payer with jettons too, and a jetton channel that is not opened yet. */
export class TestJettonChannel {
  readonly chain: MemoryChain
  readonly jetton: TestJetton
  readonly base: TestChannel
  readonly params: JettonChannelParams
  readonly channel: JettonChannel

  constructor(jetton: TestJetton, base: TestChannel, overrides: Partial<JettonChannelParams> = {}) {
    this.chain = jetton.chain
    this.jetton = jetton
    const { master, walletCode } = jetton
    this.params = { ...base.params, salt: randomBytes(32), master, walletCode, ...overrides }
    this.channel = new JettonChannel(this.params)
    this.base = base
  }

  /** The parties hold 1,000 and 0 jettons of 10^6 units. */
  static async create(
    chain: MemoryChain,
    overrides: Partial<JettonChannelParams> = {},
  ): Promise<TestJettonChannel> {
    const jetton = await TestJetton.create(chain)
    const test = new TestJettonChannel(jetton, await TestChannel.create(chain, overrides), overrides)
    await jetton.mint(test.payer.address, 1_000_000_000n)
    return test
  }

  get payer(): Wallet {
    return this.base.payer
  }

  get payee(): Wallet {
    return this.base.payee
  }

  voucher(ceiling: bigint, globalId?: number): Buffer {
    return this.base.voucher(ceiling, globalId, this.channel.address)
  }

  release(amount: bigint, globalId?: number): Buffer {
    return this.base.release(amount, globalId, this.channel.address)
  }

  /** Sends one message from a wallet and returns the channel's first transaction that it led to. */
  async from(wallet: Wallet, message: MessageRelaxed) {
    await wallet.send(this.chain, [message])
    return this.chain.transactionOf(this.channel.address)
  }

  /** What the contract holds now; undefined when it is not there. */
  async state(): Promise<ReturnType<typeof parseJettonChannelData> | undefined> {
    const { data } = await this.chain.account(this.channel.address)
    return data ? parseJettonChannelData(data) : undefined
  }

  /** Jettons of payer, payee and channel. */
  async holdings(): Promise<{ payer: bigint; payee: bigint; channel: bigint }> {
    return {
      payer: await this.jetton.balance(this.payer.address),
      payee: await this.jetton.balance(this.payee.address),
      channel: await this.jetton.balance(this.channel.address),
    }
  }
}
