/**
 * What settling costs, from the network's fee parameters. Gas and message sizes are properties of our contract and of
 * the W5R1 wallet: they are constants here, and a test holds the sum against real transactions, to the nanoton, at
 * two sets of prices.
 */

import type { FeePrices, ForwardPrices, GasPrices } from '../chain/prices.ts'
import { ContractsError } from '../errors.ts'

/** Most messages that a W5R1 wallet sends at once. */
export const MAX_BATCH = 255

/** Gas of the wallet: for an external message, and for each message in it. */
const WALLET_GAS = { base: 4222, each: 717 }
/** Gas of the channel for one settle (contracts/gas.json). */
const CHANNEL_GAS = 4062
/** Gas of the wallet when the claim arrives. */
const RECEIPT_GAS = 546
/** A settle's body, with amounts up to 1,099 TON. */
const BODY = { bits: 632, cells: 1 }
/** What each settle adds to the wallet's external message: action, message and body. */
const EXTERNAL_EACH = { bits: 1088, cells: 3 }
/** The end of its list of actions. */
const EXTERNAL_BASE = { bits: 0, cells: 1 }
const NOTHING = { bits: 0, cells: 0 }

interface Size {
  bits: number
  cells: number
}

/** Prices are counted in 1/65,536 nanotons and rounded up, as the network does. */
function scaled(amount: bigint): bigint {
  return (amount + 0xffffn) >> 16n
}

function gasFee(prices: GasPrices, gas: number): bigint {
  const beyond = BigInt(gas) - prices.flatLimit
  return prices.flatPrice + (beyond > 0n ? scaled(beyond * prices.price) : 0n)
}

function forwardFee(prices: ForwardPrices, { bits, cells }: Size): bigint {
  return prices.lump + scaled(BigInt(bits) * prices.bit + BigInt(cells) * prices.cell)
}

/**
 * What one settle costs all accounts together (channel and wallet, with every message in between) when a W5R1 wallet
 * sends `batch` of them at once. Rent is not in it: it falls due anyway.
 *
 * @param batch 1 to 255
 * @returns nanotons, rounded up
 */
export function settleCost(prices: FeePrices, batch: number): bigint {
  if (!Number.isInteger(batch) || batch < 1 || batch > MAX_BATCH) {
    throw new ContractsError('ERR_SETTLE_BATCH', `batch: a whole number from 1 to ${MAX_BATCH}`)
  }
  const { gas, forward } = prices
  const external = {
    bits: EXTERNAL_BASE.bits + batch * EXTERNAL_EACH.bits,
    cells: EXTERNAL_BASE.cells + batch * EXTERNAL_EACH.cells,
  }
  const shared = forwardFee(forward, external) + gasFee(gas, WALLET_GAS.base + batch * WALLET_GAS.each)
  const each =
    forwardFee(forward, BODY) +
    gasFee(gas, CHANNEL_GAS) +
    forwardFee(forward, NOTHING) +
    gasFee(gas, RECEIPT_GAS)
  return (shared + BigInt(batch) * each + BigInt(batch - 1)) / BigInt(batch)
}
