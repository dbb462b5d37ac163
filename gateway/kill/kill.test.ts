import { expect, it } from 'vitest'
import { runTrials } from './run.ts'

it('20 kills of gateway, worker and chain: nothing is lost, doubled, left open or billed beyond what arrived', async () => {
  const seed = Math.trunc(Date.now() / 1000)
  const { failures, counts } = await runTrials({ trials: 20, seed, fresh: 10, side: 2 })
  // The seed is for `npm run kill -- --seed`.
  expect({ seed, failures }).toEqual({ seed, failures: [] })
  expect(counts.acknowledged).toBeGreaterThan(0)
  expect(counts.cutBilled).toBeGreaterThan(0)
}, 600_000)
