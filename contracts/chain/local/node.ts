import type { Address, TupleItem, TupleReader } from '@ton/core'
import { ContractsError } from '../../errors.ts'
import type { NetworkPrices } from '../prices.ts'
import { type AccountSnapshot, LOCAL_GLOBAL_ID } from '../types.ts'
import { GENESIS_SUPPLY, genesis, type TvmState, totalSupply } from './state.ts'
import { StateFile } from './state-file.ts'
import { type ChainTransaction, LocalTvm } from './tvm.ts'

/** Longest jump of advanceTime, in seconds: two years. */
export const MAX_ADVANCE = 63_072_000

/**
 * The local chain as one object: the TVM, its clock and its file. Every change is durable before the call that made
 * it resolves, and changes happen one after another.
 */
export class LocalNode {
  private readonly tvm: LocalTvm
  private readonly file: StateFile
  private readonly clock: () => number
  private offset: number
  private tail: Promise<unknown> = Promise.resolve()

  private constructor(tvm: LocalTvm, file: StateFile, offset: number, clock: () => number) {
    this.tvm = tvm
    this.file = file
    this.offset = offset
    this.clock = clock
  }

  /**
   * Opens the chain that lives in `dir`, or starts a new one there.
   * @param clock wall time in milliseconds
   * @throws ContractsError ERR_CHAIN_STATE when the saved state is damaged or belongs to another network
   */
  static async open(dir: string, clock: () => number = Date.now): Promise<LocalNode> {
    const file = await StateFile.open(dir)
    const saved = await file.load()
    if (saved && saved.globalId !== LOCAL_GLOBAL_ID) {
      throw new ContractsError(
        'ERR_CHAIN_STATE',
        `state.json: global_id ${saved.globalId} is not the local chain's`,
      )
    }
    const state = saved?.state ?? genesis()
    if (totalSupply(state) !== GENESIS_SUPPLY) {
      throw new ContractsError('ERR_CHAIN_STATE', 'state.json: the balances do not add up to the supply')
    }
    const node = new LocalNode(await LocalTvm.create(state), file, saved?.offset ?? 0, clock)
    if (!saved) await node.save(state)
    return node
  }

  readonly globalId = LOCAL_GLOBAL_ID

  /** Chain time, Unix seconds. Never runs backwards, whatever the machine's clock does. */
  now(): number {
    return Math.max(Math.floor(this.clock() / 1000) + this.offset, this.tvm.current.time)
  }

  account(address: Address): AccountSnapshot {
    return this.tvm.account(address)
  }

  get(address: Address, method: string, args: TupleItem[]): Promise<TupleReader> {
    return this.tvm.get(address, method, args, this.now())
  }

  /** The fee parameters that this chain runs on. */
  get prices(): NetworkPrices {
    return this.tvm.prices
  }

  send(boc: Uint8Array): Promise<ChainTransaction[]> {
    return this.exclusive(async () => this.adopt(await this.tvm.external(boc, this.now())))
  }

  fund(to: Address, amount: bigint): Promise<ChainTransaction[]> {
    return this.exclusive(async () => this.adopt(await this.tvm.gift(to, amount, this.now())))
  }

  /** Moves the chain's clock forward by `seconds`; durable like everything else. */
  advanceTime(seconds: number): Promise<number> {
    if (!Number.isSafeInteger(seconds) || seconds < 1 || seconds > MAX_ADVANCE) {
      throw new ContractsError('ERR_CHAIN_REQUEST', `seconds: a whole number from 1 to ${MAX_ADVANCE}`)
    }
    return this.exclusive(async () => {
      const before = this.offset
      // Counted from the chain's own time, which may be ahead of the machine's clock.
      this.offset = this.now() + seconds - Math.floor(this.clock() / 1000)
      try {
        await this.save(this.tvm.current)
      } catch (error) {
        this.offset = before
        throw error
      }
      return this.now()
    })
  }

  /** Nanotons by where they are; `total` equals `genesis` always. */
  audit(): { genesis: bigint; total: bigint; faucet: bigint; burned: bigint } {
    const state = this.tvm.current
    return { genesis: GENESIS_SUPPLY, total: totalSupply(state), faucet: state.faucet, burned: state.burned }
  }

  /** Resolves when the changes under way are done. */
  async close(): Promise<void> {
    await this.tail.catch(() => undefined)
  }

  private async adopt(batch: { next: TvmState; transactions: ChainTransaction[] }) {
    await this.save(batch.next)
    this.tvm.commit(batch.next)
    return batch.transactions
  }

  private save(state: TvmState): Promise<void> {
    return this.file.save({ globalId: LOCAL_GLOBAL_ID, offset: this.offset, state })
  }

  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work, work)
    this.tail = result.catch(() => undefined)
    return result
  }
}
