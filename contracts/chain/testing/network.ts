import type { Address, Transaction } from '@ton/core'
import { ContractsError } from '../../errors.ts'
import { genesis, type TvmState } from '../local/state.ts'
import { type ChainTransaction, LocalTvm } from '../local/tvm.ts'
import type { NetworkPrices } from '../prices.ts'
import type { TonNetwork } from '../toncenter/networks.ts'
import { LOCAL_GLOBAL_ID } from '../types.ts'
import type { FakeClock } from './clock.ts'

/** A masterchain block, as far as clients of toncenter's can see it. */
export interface FakeBlock {
  seqno: number
  /** Unix seconds. */
  time: number
  state: TvmState
}

/** The network that the fakes serve, named so that no test can take it for a public one. */
export const FAKE_NETWORK: TonNetwork = {
  name: 'the fake network',
  globalId: LOCAL_GLOBAL_ID,
  zeroState: {
    rootHash: Buffer.alloc(32, 1).toString('base64'),
    fileHash: Buffer.alloc(32, 2).toString('base64'),
  },
}

const FIRST_SEQNO = 72_712_993

/**
 * A network that several providers look at: the local TVM with blocks in between. An accepted message works in the
 * next block only, as out there.
 */
export class FakeNetwork {
  readonly blocks: FakeBlock[] = []
  /** By raw address, oldest first. */
  readonly transactions = new Map<string, Transaction[]>()
  private readonly clock: FakeClock
  private readonly tvm: LocalTvm
  private readonly pending = new Map<string, Buffer>()
  private tail: Promise<unknown> = Promise.resolve()

  private constructor(tvm: LocalTvm, clock: FakeClock) {
    this.tvm = tvm
    this.clock = clock
    this.append()
  }

  static async create(clock: FakeClock): Promise<FakeNetwork> {
    return new FakeNetwork(await LocalTvm.create(genesis()), clock)
  }

  /** The fee parameters that it runs on. */
  get prices(): NetworkPrices {
    return this.tvm.prices
  }

  /** Chain time, Unix seconds. */
  get time(): number {
    return Math.floor(this.clock.ms / 1000)
  }

  /** The block that is `lag` blocks behind the newest one. */
  block(lag = 0): FakeBlock {
    const block = this.blocks.at(-1 - lag) ?? this.blocks[0]
    if (!block) throw new Error('there is a first block always')
    return block
  }

  /** The machine as of a block: for its accounts and get methods. */
  at(block: FakeBlock): Promise<LocalTvm> {
    return LocalTvm.create(block.state)
  }

  /**
   * A node's check of an external message against the newest state; what passes waits for the next block.
   * @throws ContractsError ERR_CHAIN_REJECTED
   */
  submit(boc: Buffer): Promise<void> {
    return this.exclusive(async () => {
      const key = boc.toString('base64')
      if (this.pending.has(key)) return
      await this.tvm.external(boc, this.time)
      this.pending.set(key, boc)
    })
  }

  /** Makes the next block. */
  advance(): Promise<void> {
    return this.exclusive(async () => {
      const messages = [...this.pending.values()]
      this.pending.clear()
      for (const boc of messages) {
        try {
          this.adopt(await this.tvm.external(boc, this.time))
        } catch (error) {
          // Another message came first and made this one void: blocks leave such out.
          if (!(error instanceof ContractsError) || error.code !== 'ERR_CHAIN_REJECTED') throw error
        }
      }
      this.append()
    })
  }

  fund(address: Address, amount: bigint): Promise<void> {
    return this.exclusive(async () => {
      this.adopt(await this.tvm.gift(address, amount, this.time))
      this.append()
    })
  }

  private adopt(batch: { next: TvmState; transactions: ChainTransaction[] }): void {
    this.tvm.commit(batch.next)
    for (const { account, transaction } of batch.transactions) {
      const key = account.toRawString()
      this.transactions.set(key, [...(this.transactions.get(key) ?? []), transaction])
    }
  }

  private append(): void {
    this.blocks.push({
      seqno: FIRST_SEQNO + this.blocks.length,
      time: this.time,
      state: this.tvm.current,
    })
  }

  private exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work, work)
    this.tail = result.catch(() => undefined)
    return result
  }
}
