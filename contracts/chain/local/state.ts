/** The accounts and money of the local chain, and the sum that proves that none is lost. */

import { Cell, loadShardAccount, type Transaction } from '@ton/core'
import { ContractsError } from '../../errors.ts'

/** Everything that has to survive a restart. Accounts are base64 BoCs of ShardAccount, keyed by raw address. */
export interface TvmState {
  accounts: Map<string, string>
  lt: bigint
  /** Unix seconds of the newest transaction: time never runs backwards. */
  time: number
  /** Nanotons not given out yet. */
  faucet: bigint
  /** Nanotons paid to the network as fees. */
  burned: bigint
}

/** Nanotons that the local chain starts with: a thousand million TON. */
export const GENESIS_SUPPLY = 1_000_000_000n * 1_000_000_000n

/** A fresh state: everything still in the faucet. */
export function genesis(): TvmState {
  return { accounts: new Map(), lt: 0n, time: 0, faucet: GENESIS_SUPPLY, burned: 0n }
}

/** Nanotons that a transaction took from accounts for good. */
export function feesOf(transaction: Transaction): bigint {
  let fees = transaction.totalFees.coins
  for (const message of transaction.outMessages.values()) {
    // A message's forward fee leaves its sender and reaches no account: the network keeps it.
    if (message.info.type === 'internal') fees += message.info.forwardFee + message.info.ihrFee
  }
  return fees
}

function balanceOf(boc: string | undefined): bigint {
  if (boc === undefined) return 0n
  return loadShardAccount(Cell.fromBase64(boc).beginParse()).account?.storage.balance.coins ?? 0n
}

/**
 * Sum of all balances, fees and the faucet: equal to {@link GENESIS_SUPPLY} at all times.
 * @returns nanotons
 */
export function totalSupply(state: TvmState): bigint {
  let sum = state.faucet + state.burned
  for (const boc of state.accounts.values()) sum += balanceOf(boc)
  return sum
}

/** @throws ContractsError ERR_CHAIN_INTERNAL when a batch made or lost money; only `touched` accounts are read */
export function assertConserved(before: TvmState, after: TvmState, touched: Set<string>): void {
  let difference = after.faucet - before.faucet + after.burned - before.burned
  for (const key of touched) {
    difference += balanceOf(after.accounts.get(key)) - balanceOf(before.accounts.get(key))
  }
  if (difference === 0n) return
  throw new ContractsError('ERR_CHAIN_INTERNAL', `nanotons are not conserved: off by ${difference}`)
}
