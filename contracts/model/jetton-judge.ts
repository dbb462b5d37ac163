/** Messages to a jetton channel, drawn at random, and what it has to do with each, without TVM. */

import fc from 'fast-check'
import type { JETTON_CHANNEL_EXIT } from '../errors.ts'
import { FORWARD_TON } from '../jetton/messages.ts'
import type { JettonChannelState } from '../jetton/params.ts'
import { TEST_START } from '../testing.ts'

export const USD = 1_000_000n
export const CHALLENGE = 3600
export const OPEN_UNTIL = TEST_START + 600
/** How long the contract waits for bounces after the last order of a close. */
const BOUNCE_GRACE = 86_400

type Party = 'payer' | 'payee' | 'stranger'
type Exit = keyof typeof JETTON_CHANNEL_EXIT

export interface JettonMove {
  kind:
    | 'deposit'
    | 'settle'
    | 'coopClose'
    | 'sweep'
    | 'startClose'
    | 'finishClose'
    | 'retry'
    | 'open'
    | 'notification'
    | 'bounce'
    | 'stray'
    | 'lock'
    | 'wait'
  from: Party
  amount: bigint
  ceiling: bigint
  forged: boolean
  /** Nanotons that a deposit's notification brings. */
  forwardTon: bigint
  locked: boolean
  seconds: number
}

const amount = fc.oneof(
  { weight: 5, arbitrary: fc.bigInt(0n, 30n * USD) },
  { weight: 1, arbitrary: fc.constantFrom(0n, 1n, 2n ** 120n - 1n) },
)
const rarely = <T>(usual: T, ...rare: T[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...rare) })

const kind: fc.Arbitrary<JettonMove['kind']> = fc.oneof(
  { weight: 5, arbitrary: fc.constant('deposit' as const) },
  { weight: 6, arbitrary: fc.constant('settle' as const) },
  { weight: 3, arbitrary: fc.constantFrom('lock' as const, 'wait', 'wait') },
  { weight: 2, arbitrary: fc.constantFrom('startClose' as const, 'coopClose', 'sweep', 'open') },
  { weight: 4, arbitrary: fc.constantFrom('finishClose' as const, 'finishClose', 'retry') },
  { weight: 1, arbitrary: fc.constantFrom('notification' as const, 'bounce', 'stray') },
)

export const jettonMove: fc.Arbitrary<JettonMove> = kind.chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    from: rarely<Party>(kind === 'settle' ? 'payee' : 'payer', 'payer', 'payee', 'stranger'),
    amount,
    ceiling: amount,
    forged: rarely(false, true),
    // In full, too little for the way back, and so little that the channel is never told.
    forwardTon: fc.constantFrom(FORWARD_TON, FORWARD_TON, 3_000_000n, 1n),
    locked: fc.boolean(),
    seconds: fc.constantFrom(60, 599, 601, 3599, 3600, BOUNCE_GRACE, BOUNCE_GRACE, 2_600_000),
  }),
)

/** Nothing wrong in it. */
export const PLAIN: JettonMove = {
  kind: 'open',
  from: 'payer',
  amount: 20n * USD,
  ceiling: 0n,
  forged: false,
  forwardTon: FORWARD_TON,
  locked: false,
  seconds: BOUNCE_GRACE,
}

export const FRESH: JettonChannelState = {
  deposited: 0n,
  settled: 0n,
  unpaidPayee: 0n,
  unpaidPayer: 0n,
  closeAt: 0,
  finished: false,
}

/** What comes of a message: a refusal, or a new state (undefined: destroyed) and orders to the jetton wallet. */
export type Verdict =
  | { exit: Exit }
  | { exit: 'OK'; next: JettonChannelState | undefined; orders?: { to: 'payer' | 'payee'; amount: bigint }[] }

const ok = (next: JettonChannelState | undefined, ...orders: { to: 'payer' | 'payee'; amount: bigint }[]) =>
  ({ exit: 'OK', next, orders: orders.filter((order) => order.amount > 0n) }) as const

/** The verdict on a move at `now` (Unix seconds), by a channel in this state. */
export function judge(move: JettonMove, state: JettonChannelState, now: number): Verdict {
  switch (move.kind) {
    case 'settle':
      return judgeSettle(move, state)
    case 'coopClose':
      return judgeCoopClose(move, state, now)
    case 'startClose':
      if (move.from !== 'payer') return { exit: 'NOT_PAYER' }
      if (state.closeAt !== 0) return { exit: 'CLOSING' }
      return ok({ ...state, closeAt: Math.max(now + CHALLENGE, OPEN_UNTIL + 1) })
    case 'finishClose':
      return judgeFinishClose(state, now)
    case 'retry':
      return judgeRetry(state, now)
    case 'sweep':
      return judgeSweep(move, state, now)
    case 'open':
      return state.deposited === 0n && now > OPEN_UNTIL ? { exit: 'OPEN_EXPIRED' } : ok(state)
    case 'notification':
    case 'bounce':
      // From anyone but the own wallet: believed by nobody.
      return ok(state)
    default:
      return { exit: 'UNKNOWN_OP' }
  }
}

function judgeSettle({ from, amount, ceiling, forged }: JettonMove, state: JettonChannelState): Verdict {
  if (from !== 'payee') return { exit: 'NOT_PAYEE' }
  if (amount <= state.settled) return { exit: 'NOT_ABOVE_SETTLED' }
  if (amount > state.deposited) return { exit: 'ABOVE_DEPOSIT' }
  if (amount > ceiling) return { exit: 'ABOVE_CEILING' }
  if (forged) return { exit: 'BAD_SIGNATURE' }
  return ok({ ...state, settled: amount }, { to: 'payee', amount: amount - state.settled })
}

function judgeCoopClose(
  { from, amount, forged }: JettonMove,
  state: JettonChannelState,
  now: number,
): Verdict {
  if (from !== 'payer') return { exit: 'NOT_PAYER' }
  if (amount < state.settled) return { exit: 'NOT_ABOVE_SETTLED' }
  if (amount > state.deposited) return { exit: 'ABOVE_DEPOSIT' }
  if (forged) return { exit: 'BAD_SIGNATURE' }
  const closeAt = Math.max(now + BOUNCE_GRACE, OPEN_UNTIL + 1)
  return ok(
    { ...state, settled: amount, deposited: amount, closeAt, finished: true },
    { to: 'payee', amount: amount - state.settled },
    { to: 'payer', amount: state.deposited - amount },
  )
}

function judgeFinishClose(state: JettonChannelState, now: number): Verdict {
  if (state.closeAt === 0) return { exit: 'NOT_CLOSING' }
  if (now < state.closeAt) return { exit: 'TOO_EARLY' }
  if (state.finished) {
    return state.unpaidPayee > 0n || state.unpaidPayer > 0n ? { exit: 'STILL_OWED' } : ok(undefined)
  }
  const next = { ...state, deposited: state.settled, closeAt: now + BOUNCE_GRACE, finished: true }
  return ok(next, { to: 'payer', amount: state.deposited - state.settled })
}

function judgeRetry(state: JettonChannelState, now: number): Verdict {
  const closeAt = state.finished ? Math.max(state.closeAt, now + BOUNCE_GRACE) : state.closeAt
  if (state.unpaidPayee > 0n) {
    return ok({ ...state, closeAt, unpaidPayee: 0n }, { to: 'payee', amount: state.unpaidPayee })
  }
  if (state.unpaidPayer === 0n) return { exit: 'NOTHING_OWED' }
  return ok({ ...state, closeAt, unpaidPayer: 0n }, { to: 'payer', amount: state.unpaidPayer })
}

function judgeSweep({ from }: JettonMove, state: JettonChannelState, now: number): Verdict {
  if (from !== 'payer') return { exit: 'NOT_PAYER' }
  if (state.closeAt === 0) {
    if (state.deposited > 0n) return { exit: 'NOT_CLOSING' }
    if (now <= OPEN_UNTIL) return { exit: 'TOO_EARLY' }
  } else if (!state.finished || now < state.closeAt) return { exit: 'TOO_EARLY' }
  return state.unpaidPayee > 0n || state.unpaidPayer > 0n ? { exit: 'STILL_OWED' } : ok(state)
}
