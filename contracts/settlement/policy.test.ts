import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTLE_POLICY, type Settleable, type SettlePolicy, whySettle } from './policy.ts'

const COST = 1_000_000n
const NOW = 1_800_000_000
const policy: SettlePolicy = { overheadBps: 100, riskCap: 1_000_000_000n, maxAgeSeconds: 3600 }
const channel = (change: Partial<Settleable>): Settleable => ({
  settled: 10_000_000n,
  claim: 10_000_000n,
  deposited: 10_000_000_000n,
  closing: false,
  oldestUnsettledAt: NOW,
  ...change,
})
const why = (change: Partial<Settleable>, now = NOW) => whySettle(channel(change), now, COST, policy)

describe('a channel is settled', () => {
  it.each([
    ['when fees are a small enough part of it', 'value', { claim: 110_000_000n }, { claim: 109_999_999n }],
    [
      'once it is old',
      'age',
      { claim: 20_000_000n, oldestUnsettledAt: NOW - 3600 },
      { claim: 20_000_000n, oldestUnsettledAt: NOW - 3599 },
    ],
    [
      'when the deposit is used up',
      'full',
      { claim: 20_000_000n, deposited: 20_000_000n },
      { claim: 20_000_000n, deposited: 20_000_001n },
    ],
    [
      'when it is closing and brings more than it costs',
      'closing',
      { claim: 11_000_001n, closing: true },
      { claim: 11_000_000n, closing: true },
    ],
  ] as const)('%s, and not a nanoton before', (_name, reason, at, before) => {
    expect(why(at)).toBe(reason)
    expect(why({ ...before, closing: false })).not.toBe(reason)
    expect(why(before)).toBeUndefined()
  })

  it('when more than the cap is open, though fees are dear', () => {
    const capped = (claim: bigint) =>
      whySettle(channel({ claim }), NOW, COST, { ...policy, riskCap: 50_000_000n })
    expect(capped(60_000_000n)).toBe('risk')
    expect(capped(59_999_999n)).toBeUndefined()
  })

  it('never for less than 1.5 times its cost, nor for nothing', () => {
    const old = { oldestUnsettledAt: 0, deposited: 11_499_999n }
    expect(why({ ...old, claim: 11_499_999n })).toBeUndefined()
    expect(why({ ...old, claim: 11_500_000n })).toBe('full')
    expect(why({ ...old, claim: 10_000_000n })).toBeUndefined()
    expect(whySettle(channel({ claim: 10_000_000n, closing: true }), NOW, 0n, policy)).toBeUndefined()
    expect(whySettle(channel({ oldestUnsettledAt: 0 }), NOW, 0n, policy)).toBeUndefined()
  })

  it('at once when the clock was set back, as its age is then unknown; not when nothing is known of it', () => {
    expect(why({ claim: 20_000_000n, oldestUnsettledAt: NOW + 1 })).toBe('age')
    expect(why({ claim: 20_000_000n, oldestUnsettledAt: undefined })).toBeUndefined()
  })

  it('never at a loss, and always in the end: any channel, price and policy', () => {
    const amount = fc.bigInt({ min: 0n, max: 2n ** 62n })
    const anything = fc.record({ settled: amount, claim: amount, deposited: amount, closing: fc.boolean() })
    fc.assert(
      fc.property(anything, amount, fc.nat(), (some, cost, age) => {
        const seen = { ...some, oldestUnsettledAt: NOW - age }
        const reason = whySettle(seen, NOW, cost, DEFAULT_SETTLE_POLICY)
        const gain = some.claim - some.settled
        if (reason !== undefined) expect(gain > cost || (gain === cost && cost === 0n)).toBe(true)
        // Whoever waits a day with a claim that pays for itself is paid.
        if (gain > 0n && gain >= cost * 2n && age >= 86_400) expect(reason).toBeDefined()
      }),
    )
  })
})
