/** When a payee takes its money: pure. Amounts are nanotons. */

/** What an operator decides. */
export interface SettlePolicy {
  /** Most of a claim that its fees may come to, in basis points: 100 is 1 %. */
  overheadBps: number
  /** Most that may stand unsettled on one channel, whatever the fees. */
  riskCap: bigint
  /** Longest that a charge may stand unsettled, in seconds. */
  maxAgeSeconds: number
}

/** 1 % of fees at most, 1 TON at risk, a day. */
export const DEFAULT_SETTLE_POLICY: SettlePolicy = {
  overheadBps: 100,
  riskCap: 1_000_000_000n,
  maxAgeSeconds: 86_400,
}

/** One channel as its payee sees it. All amounts are cumulative, since the channel opened. */
export interface Settleable {
  /** Paid out on chain. */
  settled: bigint
  /** What may be taken now: charged, and covered by a voucher and the deposit. */
  claim: bigint
  deposited: bigint
  /** The payer has started to close. */
  closing: boolean
  /** When the oldest charge that is not settled was made, Unix seconds; undefined when that is not known. */
  oldestUnsettledAt: number | undefined
}

export type SettleReason = 'value' | 'age' | 'risk' | 'closing' | 'full'

/**
 * Why a channel should be settled now, or undefined when waiting is better.
 *
 * Waiting costs nothing but risk, since one settle takes everything that was charged before it. So: when fees are a
 * small enough part of the claim (`value`), when too much stands open (`risk`) or for too long (`age`), and when the
 * deposit is used up, so that the claim will not grow (`full`); but never while the claim is below 1.5 times its cost.
 * On a channel that is closing there is no later: everything that brings more than it costs is taken (`closing`).
 *
 * @param now Unix seconds, by the same clock as `oldestUnsettledAt`
 * @param cost of this settle, {@link settleCost}
 */
export function whySettle(
  channel: Settleable,
  now: number,
  cost: bigint,
  policy: SettlePolicy,
): SettleReason | undefined {
  const { settled, claim, deposited, closing, oldestUnsettledAt } = channel
  const gain = claim - settled
  if (closing) return gain > cost ? 'closing' : undefined
  if (gain <= 0n || gain * 2n < cost * 3n) return undefined
  if (gain * BigInt(policy.overheadBps) >= cost * 10_000n) return 'value'
  if (gain >= policy.riskCap) return 'risk'
  if (claim >= deposited) return 'full'
  if (oldestUnsettledAt === undefined) return undefined
  // A time of the future means that the clock was set back: nobody knows how old it is, so it is old.
  const age = now - oldestUnsettledAt
  return age >= policy.maxAgeSeconds || age < 0 ? 'age' : undefined
}
