import { expect, it } from 'vitest'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { settleCost } from './cost.ts'
import { LiveFees } from './fees.ts'

it('reads the fees of the chain again after ten minutes, and does not guess them meanwhile', async () => {
  let now = 0
  let prices: (() => typeof PRICES_2025) | undefined = () => PRICES_2025
  const read = async () => (prices ? prices() : Promise.reject(new Error('away')))
  const fees = new LiveFees({ prices: read }, () => now)
  expect(await fees.settleCost()).toBe(settleCost(PRICES_2025, 1))
  prices = () => PRICES_2026_06
  now = 599_999
  expect(await fees.settleCost()).toBe(settleCost(PRICES_2025, 1))
  now = 600_000
  expect(await fees.settleCost()).toBe(settleCost(PRICES_2026_06, 1))
  prices = undefined
  expect(await fees.settleCost()).toBe(settleCost(PRICES_2026_06, 1))
  now = 1_200_000
  await expect(fees.settleCost()).rejects.toThrow('away')
})
