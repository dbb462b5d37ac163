import { existsSync, readFileSync } from 'node:fs'
import { beginCell, Cell, Dictionary } from '@ton/core'
import { defaultConfig } from '@ton/sandbox'
import { describe, expect, it } from 'vitest'
import { FEE_PARAMETERS, priceParameters, readPrices } from './price-cells.ts'
import { networkConfig, PRICES_2025, PRICES_2026_06 } from './prices.ts'

const REFERENCE = new URL('../../../shared/ton/prices-2026-06.json', import.meta.url)

function parameters(config: string): Dictionary<number, Cell> {
  return Cell.fromBase64(config)
    .beginParse()
    .loadDictDirect(Dictionary.Keys.Int(32), Dictionary.Values.Cell())
}

describe('prices', () => {
  it('of June 2026 are byte for byte those of the reference', (context) => {
    if (!existsSync(REFERENCE)) {
      console.warn('prices: ../shared/ton/prices-2026-06.json is not here; the comparison is skipped')
      context.skip()
    }
    const reference = JSON.parse(readFileSync(REFERENCE, 'utf8')) as Record<string, string>
    const ours = priceParameters(PRICES_2026_06)
    expect([...ours.keys()].map(String).sort()).toEqual(Object.keys(reference).sort())
    for (const [parameter, cell] of ours) {
      expect(cell.hash()).toEqual(Cell.fromBase64(reference[parameter] ?? '').hash())
    }
  })

  it('are read back as they were written, and another layout is refused by its number', () => {
    for (const prices of [PRICES_2026_06, PRICES_2025]) {
      const { storage, gas, forward } = prices
      expect(readPrices(priceParameters(prices))).toEqual({ storage, gas, forward })
    }
    const cells = priceParameters(PRICES_2026_06)
    const refused = (number: number, cell: Cell | undefined) => {
      const changed = new Map(cells)
      if (cell) changed.set(number, cell)
      else changed.delete(number)
      expect(() => readPrices(changed)).toThrow(
        expect.objectContaining({ code: 'ERR_CHAIN_REPLY', message: expect.stringContaining(`${number}`) }),
      )
    }
    for (const number of FEE_PARAMETERS) {
      refused(number, undefined)
      refused(number, Cell.EMPTY)
      refused(number, beginCell().storeUint(0, 600).endCell())
    }
  })

  it('before are byte for byte those that the sandbox brings', () => {
    const bundled = parameters(defaultConfig)
    for (const [parameter, cell] of priceParameters(PRICES_2025)) {
      expect(cell.hash()).toEqual(bundled.get(parameter)?.hash())
    }
  })

  it('and the global_id are all that changes in a configuration', () => {
    const before = parameters(defaultConfig)
    const after = parameters(networkConfig(defaultConfig, PRICES_2026_06, -217))
    expect(after.get(19)?.beginParse().loadInt(32)).toBe(-217)
    const changed = after.keys().filter((key) => !after.get(key)?.equals(before.get(key) ?? Cell.EMPTY))
    expect(changed.sort((a, b) => a - b)).toEqual([18, 19, 21, 25])
    expect(after.size).toBe(before.size)
  })
})
