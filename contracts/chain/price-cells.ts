/** Fee parameters as TON config cells (block.tlb: StoragePrices, GasLimitsPrices, MsgForwardPrices), both ways. */

import { beginCell, type Cell, Dictionary, type DictionaryValue, type Slice } from '@ton/core'
import { ContractsError } from '../errors.ts'
import type { FeePrices, ForwardPrices, GasPrices, NetworkPrices, StoragePrices } from './prices.ts'

/** The config parameters that {@link readPrices} needs. */
export const FEE_PARAMETERS = [18, 21, 25] as const

const STORAGE_TAG = 0xcc
const GAS_FLAT_TAG = 0xd1
/** With a special limit; 0xdd is the older layout without one. */
const GAS_EXT_TAG = 0xde
const GAS_TAG = 0xdd
const FORWARD_TAG = 0xea

const storageEntry: DictionaryValue<StoragePrices> = {
  serialize(entry, builder) {
    builder.storeUint(STORAGE_TAG, 8).storeUint(entry.since, 32)
    builder.storeUint(entry.bit, 64).storeUint(entry.cell, 64)
    builder.storeUint(entry.masterchainBit, 64).storeUint(entry.masterchainCell, 64)
  },
  parse(slice) {
    requireTag(slice, STORAGE_TAG, 'storage prices')
    return {
      since: slice.loadUint(32),
      bit: slice.loadUintBig(64),
      cell: slice.loadUintBig(64),
      masterchainBit: slice.loadUintBig(64),
      masterchainCell: slice.loadUintBig(64),
    }
  },
}

function storageCell(prices: StoragePrices[]): Cell {
  const dictionary = Dictionary.empty(Dictionary.Keys.Uint(32), storageEntry)
  for (const entry of prices) dictionary.set(entry.since, entry)
  return beginCell().storeDictDirect(dictionary).endCell()
}

function gasCell(prices: GasPrices): Cell {
  const builder = beginCell()
    .storeUint(GAS_FLAT_TAG, 8)
    .storeUint(prices.flatLimit, 64)
    .storeUint(prices.flatPrice, 64)
  builder.storeUint(GAS_EXT_TAG, 8)
  for (const value of [
    prices.price,
    prices.limit,
    prices.specialLimit,
    prices.credit,
    prices.blockLimit,
    prices.freezeDueLimit,
    prices.deleteDueLimit,
  ]) {
    builder.storeUint(value, 64)
  }
  return builder.endCell()
}

function forwardCell(prices: ForwardPrices): Cell {
  return beginCell()
    .storeUint(FORWARD_TAG, 8)
    .storeUint(prices.lump, 64)
    .storeUint(prices.bit, 64)
    .storeUint(prices.cell, 64)
    .storeUint(prices.ihrFactor, 32)
    .storeUint(prices.firstFraction, 16)
    .storeUint(prices.nextFraction, 16)
    .endCell()
}

/** The prices as TON config parameters 18, 20, 21, 24 and 25. */
export function priceParameters(prices: NetworkPrices): Map<number, Cell> {
  return new Map([
    [18, storageCell(prices.storage)],
    [20, gasCell(prices.masterchainGas)],
    [21, gasCell(prices.gas)],
    [24, forwardCell(prices.masterchainForward)],
    [25, forwardCell(prices.forward)],
  ])
}

function requireTag(slice: Slice, wanted: number, what: string): void {
  const tag = slice.loadUint(8)
  if (tag !== wanted)
    throw new RangeError(`${what}: tag ${tag.toString(16)}, ${wanted.toString(16)} expected`)
}

function parseStorage(cell: Cell): StoragePrices[] {
  const entries = cell.beginParse().loadDictDirect(Dictionary.Keys.Uint(32), storageEntry).values()
  if (entries.length === 0) throw new RangeError('storage prices: none')
  return entries.toSorted((a, b) => a.since - b.since)
}

function parseGas(cell: Cell): GasPrices {
  const slice = cell.beginParse()
  requireTag(slice, GAS_FLAT_TAG, 'gas prices')
  const flat = { flatLimit: slice.loadUintBig(64), flatPrice: slice.loadUintBig(64) }
  const tag = slice.loadUint(8)
  if (tag !== GAS_EXT_TAG && tag !== GAS_TAG) throw new RangeError(`gas prices: tag ${tag.toString(16)}`)
  const price = slice.loadUintBig(64)
  const limit = slice.loadUintBig(64)
  const specialLimit = tag === GAS_EXT_TAG ? slice.loadUintBig(64) : limit
  return {
    ...flat,
    price,
    limit,
    specialLimit,
    credit: slice.loadUintBig(64),
    blockLimit: slice.loadUintBig(64),
    freezeDueLimit: slice.loadUintBig(64),
    deleteDueLimit: slice.loadUintBig(64),
  }
}

function parseForward(cell: Cell): ForwardPrices {
  const slice = cell.beginParse()
  requireTag(slice, FORWARD_TAG, 'forward prices')
  return {
    lump: slice.loadUintBig(64),
    bit: slice.loadUintBig(64),
    cell: slice.loadUintBig(64),
    ihrFactor: slice.loadUint(32),
    firstFraction: slice.loadUint(16),
    nextFraction: slice.loadUint(16),
  }
}

/**
 * Reads what an account of the basechain pays from config parameters.
 *
 * @param cells those of {@link FEE_PARAMETERS}, by number
 * @throws ContractsError ERR_CHAIN_REPLY naming the parameter that is missing or has another layout
 */
export function readPrices(cells: ReadonlyMap<number, Cell>): FeePrices {
  const read = <T>(parameter: (typeof FEE_PARAMETERS)[number], parse: (cell: Cell) => T): T => {
    const cell = cells.get(parameter)
    try {
      if (cell) return parse(cell)
    } catch (cause) {
      const message = `config parameter ${parameter}: its layout is not known to this version`
      throw new ContractsError('ERR_CHAIN_REPLY', message, { cause })
    }
    throw new ContractsError('ERR_CHAIN_REPLY', `config parameter ${parameter}: missing`)
  }
  return { storage: read(18, parseStorage), gas: read(21, parseGas), forward: read(25, parseForward) }
}
