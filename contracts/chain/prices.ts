/**
 * Network fee parameters as numbers; `price-cells.ts` has their encoding. `PRICES_2026_06` are mainnet's values of
 * June 2026; `PRICES_2025` those before the cut of May 2026, six times higher, kept so that tests can show that
 * nothing depends on low fees.
 */

import { beginCell, Cell, Dictionary } from '@ton/core'
import { priceParameters } from './price-cells.ts'

/** Storage prices from `since` (Unix seconds) on; nanotons per 65,536 s, scaled by 2^-16 as TON counts them. */
export interface StoragePrices {
  since: number
  bit: bigint
  cell: bigint
  masterchainBit: bigint
  masterchainCell: bigint
}

/** Gas prices of one chain; `price` is nanotons per gas unit times 65,536. */
export interface GasPrices {
  flatLimit: bigint
  flatPrice: bigint
  price: bigint
  limit: bigint
  specialLimit: bigint
  credit: bigint
  blockLimit: bigint
  freezeDueLimit: bigint
  deleteDueLimit: bigint
}

/** Message forwarding prices; `bit` and `cell` are nanotons times 65,536. */
export interface ForwardPrices {
  lump: bigint
  bit: bigint
  cell: bigint
  ihrFactor: number
  firstFraction: number
  nextFraction: number
}

export interface NetworkPrices {
  storage: StoragePrices[]
  masterchainGas: GasPrices
  gas: GasPrices
  masterchainForward: ForwardPrices
  forward: ForwardPrices
}

/** What an account of the basechain pays: config parameters 18, 21 and 25. Wallets and channels live there. */
export type FeePrices = Pick<NetworkPrices, 'storage' | 'gas' | 'forward'>

const MASTERCHAIN_GAS: GasPrices = {
  flatLimit: 100n,
  flatPrice: 1_000_000n,
  price: 655_360_000n,
  limit: 1_000_000n,
  specialLimit: 70_000_000n,
  credit: 10_000n,
  blockLimit: 2_500_000n,
  freezeDueLimit: 100_000_000n,
  deleteDueLimit: 1_000_000_000n,
}

const GAS: GasPrices = {
  flatLimit: 100n,
  flatPrice: 6667n,
  price: 4_369_067n,
  limit: 1_000_000n,
  specialLimit: 1_000_000n,
  credit: 10_000n,
  blockLimit: 10_000_000n,
  freezeDueLimit: 100_000_000n,
  deleteDueLimit: 1_000_000_000n,
}

const MASTERCHAIN_FORWARD: ForwardPrices = {
  lump: 10_000_000n,
  bit: 655_360_000n,
  cell: 65_536_000_000n,
  ihrFactor: 98_304,
  firstFraction: 21_845,
  nextFraction: 21_845,
}

const FORWARD: ForwardPrices = {
  ...MASTERCHAIN_FORWARD,
  lump: 66_667n,
  bit: 4_369_067n,
  cell: 436_906_667n,
}

const STORAGE_2020: StoragePrices = {
  since: 0,
  bit: 1n,
  cell: 500n,
  masterchainBit: 1000n,
  masterchainCell: 500_000n,
}

/** Mainnet, June 2026. */
export const PRICES_2026_06: NetworkPrices = {
  storage: [
    STORAGE_2020,
    { since: 1_777_500_000, bit: 0n, cell: 135n, masterchainBit: 1000n, masterchainCell: 500_000n },
  ],
  masterchainGas: MASTERCHAIN_GAS,
  gas: GAS,
  masterchainForward: MASTERCHAIN_FORWARD,
  forward: FORWARD,
}

/** Mainnet before May 2026. */
export const PRICES_2025: NetworkPrices = {
  storage: [STORAGE_2020],
  masterchainGas: MASTERCHAIN_GAS,
  gas: { ...GAS, flatPrice: 40_000n, price: 26_214_400n },
  masterchainForward: MASTERCHAIN_FORWARD,
  forward: { ...FORWARD, lump: 400_000n, bit: 26_214_400n, cell: 2_621_440_000n },
}

/**
 * A network configuration: `base` (base64 BoC) with other prices and another global_id.
 * @returns base64 BoC
 */
export function networkConfig(base: string, prices: NetworkPrices, globalId: number): string {
  const config = Cell.fromBase64(base)
    .beginParse()
    .loadDictDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell())
  for (const [parameter, cell] of priceParameters(prices)) config.set(parameter, cell)
  config.set(19, beginCell().storeInt(globalId, 32).endCell())
  return beginCell().storeDictDirect(config).endCell().toBoc().toString('base64')
}
