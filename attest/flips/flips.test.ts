import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { haveVectors } from '../tdx/testing.ts'
import { accepts, MASKS, someFlips, undetected } from './judge.ts'
import { collateralTargets, quoteTarget, realPairs } from './targets.ts'

const SEED = 20_261_123
const ONE_IN = 100

const pairs = haveVectors() ? realPairs() : []

describe.skipIf(pairs.length === 0)('flipped bytes of real evidence', () => {
  it.each(pairs.map((pair) => [pair.name, pair] as const))(
    '%s is accepted untouched',
    async (_name, pair) => {
      expect(await accepts(pair)).toBe(true)
    },
  )

  // Two quotes share one collateral: flipping it once is enough.
  const [first, second, third] = pairs
  const targets = [
    ...pairs.map(quoteTarget),
    ...[first, third].flatMap((pair) => (pair === undefined ? [] : collateralTargets(pair))),
  ]
  it.each(targets.map((target) => [`${target.name} (${target.pair.name})`, target] as const))(
    '%s: every structural byte and a hundredth of the rest',
    async (_name, target) => {
      const flips = someFlips(target, ONE_IN, SEED)
      expect(flips.length).toBeGreaterThanOrEqual(target.structure.size)
      expect(await undetected(target, flips)).toEqual([])
    },
  )

  it('shares the collateral of the second pair', () => expect(second?.collateral).toEqual(first?.collateral))
})

it('the committed report of all flips says none went undetected', () => {
  const report = JSON.parse(readFileSync(new URL('./report.json', import.meta.url), 'utf8'))
  expect(report.masks).toEqual(MASKS.map((mask) => mask.toString(16).padStart(2, '0')).join(' '))
  expect(report.undetected).toBe(0)
  expect(report.flips).toBeGreaterThan(100_000)
})
