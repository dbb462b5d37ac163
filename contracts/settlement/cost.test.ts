import { readFileSync } from 'node:fs'
import { internal } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { type NetworkPrices, PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { recordedGas } from '../gas.ts'
import { MemoryChain } from '../testing.ts'
import { settleCost } from './cost.ts'
import { manyChannels } from './testing.ts'

const TON = 1_000_000_000n

/** What a batch really costs all accounts, per settle. */
async function measured(prices: NetworkPrices, batch: number): Promise<bigint> {
  const chain = await MemoryChain.create({ prices })
  const { payee, claims, channels } = await manyChannels(chain, batch)
  // The wallet's own deployment is not the settlement's cost.
  await payee.send(chain, [internal({ to: payee.address, value: 1n, bounce: false })])
  const before = chain.burned()
  const messages = channels.map((channel, index) => {
    const { amount, ceiling, signature } = claims[index] ?? expect.fail()
    return channel.settle(amount, ceiling, signature)
  })
  await payee.send(chain, messages)
  expect(chain.last.every(({ success }) => success)).toBe(true)
  return (chain.burned() - before + BigInt(batch - 1)) / BigInt(batch)
}

describe('what settling costs', () => {
  it.each([1, 10, 100, 250])(
    'in a batch of %i is what the network takes, at both sets of prices',
    async (batch) => {
      for (const prices of [PRICES_2026_06, PRICES_2025]) {
        const real = await measured(prices, batch)
        const told = settleCost(prices, batch)
        // Nanotons: the network rounds each message's fee up on its own.
        expect(told - real).toBeLessThanOrEqual(2n)
        expect(real - told).toBeLessThanOrEqual(2n)
      }
    },
    60_000,
  )

  it('stands on the recorded gas of the channel', () => {
    const row = recordedGas().find(({ operation }) => operation === 'settle, amount < ceiling')
    expect(row?.channelGas).toBe(4062)
    expect(Number(settleCost(PRICES_2026_06, 1)) / (row?.nanotons ?? 0)).toBeCloseTo(1, 2)
    expect(Number(settleCost(PRICES_2025, 1)) / (row?.nanotonsBefore2026 ?? 0)).toBeCloseTo(1, 2)
  })

  it('is what the README says', () => {
    const ton = (nanotons: bigint) => (Number(nanotons) / 1e9).toFixed(6)
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    for (const batch of [1, 10, 100, 250]) {
      const cost = settleCost(PRICES_2026_06, batch)
      const least = (Number(cost) / 1e7).toFixed(4)
      const row = [batch, ton(cost), ton(settleCost(PRICES_2025, batch)), least]
      expect(readme).toMatch(new RegExp(`^\\| ${row.join(' +\\| ')} +\\|$`, 'm'))
    }
  })

  it('falls with the batch, by a third at most', () => {
    const one = settleCost(PRICES_2026_06, 1)
    const full = settleCost(PRICES_2026_06, 255)
    expect(full).toBeLessThan(one)
    expect(full * 3n).toBeGreaterThan((one * 3n * 60n) / 100n)
    expect(one).toBeLessThan(TON / 1000n)
  })

  it.each([0, 256, 1.5, Number.NaN])('refuses a batch of %d', (batch) => {
    expect(() => settleCost(PRICES_2026_06, batch)).toThrow(
      expect.objectContaining({ code: 'ERR_SETTLE_BATCH' }),
    )
  })
})
