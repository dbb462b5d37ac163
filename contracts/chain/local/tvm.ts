/**
 * A TON network of one process: the real TVM and transaction executor (the emulator inside @ton/sandbox) over a table
 * of accounts. Work happens in batches: one outer message and everything that follows from it either becomes the new
 * state as a whole or leaves no trace.
 */

import {
  Address,
  beginCell,
  Cell,
  loadShardAccount,
  loadTransaction,
  type Message,
  parseTuple,
  storeMessage,
  type Transaction,
  type TupleItem,
  TupleReader,
} from '@ton/core'
import { defaultConfig, Executor } from '@ton/sandbox'
import { ContractsError } from '../../errors.ts'
import { parseExternal } from '../external.ts'
import { type NetworkPrices, networkConfig, PRICES_2026_06 } from '../prices.ts'
import { type AccountSnapshot, LOCAL_GLOBAL_ID } from '../types.ts'
import { emptyAccount, internalMessage, maxLt, methodId } from './messages.ts'
import { assertConserved, feesOf, type TvmState } from './state.ts'

export interface TvmOptions {
  prices?: NetworkPrices
  globalId?: number
}

/** Where gifts of the faucet come from: an address without key or code. */
export const FAUCET_ADDRESS = new Address(0, Buffer.alloc(32, 0xfa))

/** One for the process: it holds no state of a chain, and making one takes a while. */
let executor: Promise<Executor> | undefined

const configs = new Map<NetworkPrices, Map<number, string>>()

/** Building a configuration takes a quarter of a second: once for each network is enough. */
function configOf(prices: NetworkPrices, globalId: number): string {
  const known = configs.get(prices) ?? new Map<number, string>()
  configs.set(prices, known)
  const config = known.get(globalId) ?? networkConfig(defaultConfig, prices, globalId)
  known.set(globalId, config)
  return config
}

const MAX_TRANSACTIONS_PER_BATCH = 2000
const LT_STEP = 1_000_000n
/** What providers let a get method use. */
const GET_GAS_LIMIT = 1_000_000n

/** A wallet's or contract's transaction as the tests look at it. */
export interface ChainTransaction {
  account: Address
  transaction: Transaction
  success: boolean
  /** Exit code of the compute phase, undefined when it was skipped. */
  exitCode: number | undefined
  actionCode: number | undefined
  gasUsed: bigint
}

export class LocalTvm {
  private readonly executor: Executor
  private readonly config: string
  /** The fee parameters that are in the configuration. */
  readonly prices: NetworkPrices
  private state: TvmState

  private constructor(executor: Executor, config: string, prices: NetworkPrices, state: TvmState) {
    this.executor = executor
    this.config = config
    this.prices = prices
    this.state = state
  }

  static async create(state: TvmState, options: TvmOptions = {}): Promise<LocalTvm> {
    const prices = options.prices ?? PRICES_2026_06
    const config = configOf(prices, options.globalId ?? LOCAL_GLOBAL_ID)
    executor ??= Executor.create()
    return new LocalTvm(await executor, config, prices, state)
  }

  /** The present state; a batch replaces it, it is never changed in place. */
  get current(): TvmState {
    return this.state
  }

  account(address: Address): AccountSnapshot {
    const boc = this.state.accounts.get(address.toRawString())
    const shard = boc === undefined ? undefined : loadShardAccount(Cell.fromBase64(boc).beginParse())
    if (!shard?.account) {
      return { state: 'none', balance: 0n, code: null, data: null, lastLt: shard?.lastTransactionLt ?? 0n }
    }
    const { state, balance } = shard.account.storage
    const active = state.type === 'active' ? state.state : undefined
    return {
      state: state.type,
      balance: balance.coins,
      code: active?.code ?? null,
      data: active?.data ?? null,
      lastLt: shard.lastTransactionLt,
    }
  }

  /** Runs a get method at time `now` (Unix seconds), for no more than `gasLimit`. */
  async get(
    address: Address,
    method: string | number,
    args: TupleItem[],
    now: number,
    gasLimit = GET_GAS_LIMIT,
  ): Promise<TupleReader> {
    const account = this.account(address)
    if (!account.code || !account.data) {
      throw new ContractsError('ERR_CHAIN_GET_METHOD', `${address.toString()} has no code to run`)
    }
    const { output } = await this.executor.runGetMethod({
      code: account.code,
      data: account.data,
      methodId: typeof method === 'number' ? method : methodId(method),
      stack: args,
      config: this.config,
      verbosity: 'short',
      address,
      unixTime: now,
      balance: account.balance,
      randomSeed: Buffer.alloc(32),
      gasLimit,
      debugEnabled: false,
    })
    if (!output.success)
      throw new ContractsError('ERR_CHAIN_GET_METHOD', `get method failed: ${output.error}`)
    if (output.vm_exit_code !== 0 && output.vm_exit_code !== 1) {
      throw new ContractsError('ERR_CHAIN_GET_METHOD', `get method exited with ${output.vm_exit_code}`)
    }
    return new TupleReader(parseTuple(Cell.fromBase64(output.stack)))
  }

  /**
   * Runs one external message and all that follows from it.
   * @returns the next state, not yet in force: hand it to {@link commit} once it is durable
   * @throws ContractsError ERR_CHAIN_REJECTED when the message is malformed or the account does not accept it
   */
  async external(
    boc: Uint8Array,
    now: number,
  ): Promise<{ next: TvmState; transactions: ChainTransaction[] }> {
    const message = parseExternal(boc)
    return this.batch(message, { ...this.state, accounts: new Map(this.state.accounts) }, now)
  }

  /** A gift of the faucet: a plain, unbounceable transfer of `amount` nanotons. */
  gift(
    to: Address,
    amount: bigint,
    now: number,
  ): Promise<{ next: TvmState; transactions: ChainTransaction[] }> {
    return this.internal(internalMessage(FAUCET_ADDRESS, to, amount, this.state.lt, now), now)
  }

  /** Runs an internal message from anyone and all that follows from it. What it brings is the faucet's. */
  async internal(
    message: Message,
    now: number,
  ): Promise<{ next: TvmState; transactions: ChainTransaction[] }> {
    const amount = message.info.type === 'internal' ? message.info.value.coins : 0n
    if (amount <= 0n || amount > this.state.faucet) {
      throw new ContractsError('ERR_CHAIN_FAUCET', `the faucet holds ${this.state.faucet} nanotons`)
    }
    const draft = { ...this.state, accounts: new Map(this.state.accounts) }
    draft.faucet -= amount
    return this.batch(message, draft, now)
  }

  /** Puts a computed state in force. */
  commit(next: TvmState): void {
    this.state = next
  }

  private async batch(first: Message, draft: TvmState, now: number) {
    const transactions: ChainTransaction[] = []
    const touched = new Set<string>()
    draft.time = Math.max(now, draft.time)
    const queue = [first]
    for (let message = queue.shift(); message; message = queue.shift()) {
      if (message.info.type === 'external-out') continue
      if (transactions.length >= MAX_TRANSACTIONS_PER_BATCH) {
        throw new ContractsError('ERR_CHAIN_REJECTED', 'the message sets off too many transactions')
      }
      const done = await this.transaction(message, message.info.dest, draft)
      transactions.push(done)
      touched.add(message.info.dest.toRawString())
      queue.push(...done.transaction.outMessages.values())
    }
    assertConserved(this.state, draft, touched)
    return { next: draft, transactions }
  }

  private async transaction(message: Message, account: Address, draft: TvmState): Promise<ChainTransaction> {
    draft.lt += LT_STEP
    const key = account.toRawString()
    const emulation = await this.executor.runTransaction({
      config: this.config,
      libs: null,
      verbosity: 'short',
      shardAccount: draft.accounts.get(key) ?? emptyAccount(account),
      now: draft.time,
      lt: draft.lt,
      randomSeed: Buffer.alloc(32),
      ignoreChksig: false,
      debugEnabled: false,
      message: beginCell().store(storeMessage(message)).endCell(),
    })
    const { result } = emulation
    if (!result.success) {
      const exit = result.vmResults ? ` (exit code ${result.vmResults.vmExitCode})` : ''
      throw new ContractsError('ERR_CHAIN_REJECTED', `the account did not accept the message${exit}`)
    }
    draft.accounts.set(key, result.shardAccount)
    const transaction = loadTransaction(Cell.fromBase64(result.transaction).beginParse())
    draft.lt = maxLt(draft.lt, transaction)
    draft.burned += feesOf(transaction)
    return describe(account, transaction)
  }
}

function describe(account: Address, transaction: Transaction): ChainTransaction {
  const { description } = transaction
  if (description.type !== 'generic') {
    throw new ContractsError('ERR_CHAIN_INTERNAL', `unexpected transaction of type ${description.type}`)
  }
  const compute = description.computePhase.type === 'vm' ? description.computePhase : undefined
  return {
    account,
    transaction,
    success: compute?.success === true && description.actionPhase?.success === true,
    exitCode: compute?.exitCode,
    actionCode: description.actionPhase?.resultCode,
    gasUsed: compute?.gasUsed ?? 0n,
  }
}
