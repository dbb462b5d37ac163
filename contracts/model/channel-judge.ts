/** What a TON channel has to do with a message, without TVM. */

import { least } from '../amount.ts'
import type { NetworkPrices } from '../chain/prices.ts'
import { RENT_RESERVE } from '../channel/messages.ts'
import type { ChannelState } from '../channel/params.ts'
import type { ChannelExitName } from '../errors.ts'
import { type Amount, type ChannelMove, TON } from './channel-moves.ts'

/** Seconds between StartClose and FinishClose. */
export const CHALLENGE = 3600
/** The gas that the contract asks a message to bring. */
const NEEDED_GAS = { topUp: 7000n, settle: 6000n, startClose: 7000n, finishClose: 8000n, coopClose: 8000n }
/** With so much above a claim, rent cannot make a cooperative close fail. */
const SLACK = TON / 20n

/** Before the first deposit. */
export const FRESH: ChannelState = { deposited: 0n, settled: 0n, closeAt: 0 }

/** What the verdict depends on beside state and money. Times are Unix seconds. */
export interface Circumstances {
  prices: NetworkPrices
  now: number
  openUntil: number
}

/** What the contract is to do with a message. */
export interface Verdict {
  exit: ChannelExitName | 'OK'
  /** After a message that it takes; undefined when it destroys itself. */
  next?: ChannelState | undefined
  /** What it holds afterwards, in nanotons. */
  keeps?: bigint
  /** Whom it pays, and at least how much. */
  pays?: Partial<Record<'payer' | 'payee' | 'sender', bigint>>
}

/** What the contract sees of the money: all that it holds, and what the message brought. */
export interface Money {
  balance: bigint
  value: bigint
}

/** Nanotons for so much gas. */
export function gasFee({ gas }: NetworkPrices, amount: bigint): bigint {
  if (amount <= gas.flatLimit) return gas.flatPrice
  return gas.flatPrice + (((amount - gas.flatLimit) * gas.price + 0xffffn) >> 16n)
}

/** The most that a message can name. */
const MOST = 2n ** 120n - 1n

/** The amount that a move means, given what the channel holds. */
export function amountOf({ at, plus }: Amount, state: ChannelState): bigint {
  const base = at === 'zero' ? 0n : at === 'most' ? MOST : state[at]
  const sum = base + plus
  return sum < 0n ? 0n : least(sum, MOST)
}

const refuse = (exit: ChannelExitName): Verdict => ({ exit })

/** The verdict on a move, by a channel in this state. */
export function judge(move: ChannelMove, state: ChannelState, money: Money, at: Circumstances): Verdict {
  const needed = move.kind in NEEDED_GAS ? NEEDED_GAS[move.kind as keyof typeof NEEDED_GAS] : 0n
  const asked = { amount: amountOf(move.amount, state), fee: gasFee(at.prices, needed) }
  switch (move.kind) {
    case 'topUp':
      return judgeTopUp(asked, state, money, at)
    case 'settle':
      return judgeSettle(move, asked, state, money)
    case 'startClose': {
      if (move.from !== 'payer') return refuse('NOT_PAYER')
      if (state.closeAt !== 0) return refuse('CLOSING')
      if (money.value < asked.fee) return refuse('LOW_VALUE')
      const closeAt = Math.max(at.now + CHALLENGE, at.openUntil + 1)
      return {
        exit: 'OK',
        next: { ...state, closeAt },
        keeps: money.balance - money.value,
        pays: { sender: 0n },
      }
    }
    case 'finishClose': {
      if (state.closeAt === 0) return refuse('NOT_CLOSING')
      if (at.now < state.closeAt) return refuse('TOO_EARLY')
      if (money.value < asked.fee) return refuse('LOW_VALUE')
      const rest = money.balance - money.value
      const pays = move.from === 'payer' ? { payer: rest } : { payer: rest, sender: 0n }
      return { exit: 'OK', next: undefined, keeps: 0n, pays }
    }
    case 'coopClose':
      return judgeCoopClose(move, asked, state, money, at)
    default:
      return refuse('UNKNOWN_OP')
  }
}

type Asked = { amount: bigint; fee: bigint }

function judgeTopUp({ amount, fee }: Asked, state: ChannelState, money: Money, at: Circumstances): Verdict {
  if (amount === 0n) return refuse('ZERO_AMOUNT')
  if (state.closeAt !== 0) return refuse('CLOSING')
  if (state.deposited === 0n && at.now > at.openUntil) return refuse('OPEN_EXPIRED')
  const next = { ...state, deposited: state.deposited + amount }
  const keeps = next.deposited - next.settled + RENT_RESERVE
  if (money.balance < keeps + fee || money.value < amount) return refuse('LOW_VALUE')
  return { exit: 'OK', next, keeps, pays: { sender: 0n } }
}

function judgeSettle(move: ChannelMove, { amount, fee }: Asked, state: ChannelState, money: Money): Verdict {
  const claim = amount - state.settled
  const remaining = state.deposited - amount
  if (move.from !== 'payee') return refuse('NOT_PAYEE')
  if (claim <= 0n) return refuse('NOT_ABOVE_SETTLED')
  if (remaining < 0n) return refuse('ABOVE_DEPOSIT')
  if (amount > amountOf(move.ceiling, state)) return refuse('ABOVE_CEILING')
  if (move.forged !== 'none') return refuse('BAD_SIGNATURE')
  if (money.value < fee) return refuse('LOW_VALUE')
  const before = money.balance - money.value
  const payout = least(before - remaining, claim)
  if (payout <= 0n) return refuse('RENT_DUE')
  return { exit: 'OK', next: { ...state, settled: amount }, keeps: before - payout, pays: { payee: payout } }
}

function judgeCoopClose(
  move: ChannelMove,
  { amount, fee }: Asked,
  state: ChannelState,
  money: Money,
  at: Circumstances,
): Verdict {
  if (move.from !== 'payer') return refuse('NOT_PAYER')
  if (amount < state.settled) return refuse('NOT_ABOVE_SETTLED')
  if (amount > state.deposited) return refuse('ABOVE_DEPOSIT')
  if (move.forged !== 'none') return refuse('BAD_SIGNATURE')
  if (money.value < fee) return refuse('LOW_VALUE')
  const claim = amount - state.settled
  const tombstone = { deposited: amount, settled: amount, closeAt: at.openUntil + 1 }
  const next = at.now > at.openUntil ? undefined : tombstone
  return { exit: 'OK', next, keeps: 0n, pays: claim > 0n ? { payee: claim, payer: 0n } : { payer: 0n } }
}

/** Outcomes that the model leaves open: which check a starving message gets to, and what rent leaves for fees. */
export function permitted(
  verdict: Verdict,
  move: ChannelMove,
  money: Money,
  prices: NetworkPrices,
): string[] {
  const starved = money.value < gasFee(prices, 9000n)
  if (starved) return [verdict.exit, 'TVM -14', 'not run']
  const tight = verdict.exit === 'OK' && move.kind === 'coopClose'
  return tight && money.balance < (verdict.pays?.payee ?? 0n) + SLACK ? ['OK', 'cannot pay'] : [verdict.exit]
}
