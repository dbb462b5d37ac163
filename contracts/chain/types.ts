import type { Address, Cell, TupleItem, TupleReader } from '@ton/core'
import type { FeePrices } from './prices.ts'

/** One account at one moment. Amounts are nanotons. */
export interface AccountSnapshot {
  state: 'none' | 'uninit' | 'active' | 'frozen'
  balance: bigint
  code: Cell | null
  data: Cell | null
  /** Logical time of the last transaction; grows with every transaction of the account. */
  lastLt: bigint
}

/** What the rest of Chrysalis needs from a TON network. */
export interface Chain {
  /** Config parameter 19: -239 mainnet, -3 testnet, {@link LOCAL_GLOBAL_ID} the local chain. */
  readonly globalId: number
  /** True where an accepted message and all that follows from it are done when `send` resolves. */
  readonly instant?: boolean
  /** Time of the chain, Unix seconds. */
  now(): Promise<number>
  account(address: Address): Promise<AccountSnapshot>
  /**
   * Hands in an external message (BoC). Resolving means accepted, never that the wished effect took place: read the
   * state back.
   * @throws ContractsError ERR_CHAIN_REJECTED when the destination refused it, ERR_CHAIN_UNREACHABLE
   */
  send(boc: Uint8Array): Promise<void>
  /** Runs a get method. @throws ContractsError ERR_CHAIN_GET_METHOD */
  get(address: Address, method: string, args?: TupleItem[]): Promise<TupleReader>
  /** What the basechain charges now. Changes by votes of validators: worth keeping for minutes, not for days. */
  prices(): Promise<FeePrices>
}

/**
 * global_id of the local chain: a private number, so that nothing signed for a demonstration (voucher, release, W5
 * wallet message) is valid on a public network, whatever key it was signed with.
 */
export const LOCAL_GLOBAL_ID = -217
