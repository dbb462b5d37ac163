/** Messages to a TON channel, drawn at random: mostly sensible, wrong in one respect often enough. */

import fc from 'fast-check'

const KINDS = ['topUp', 'settle', 'startClose', 'finishClose', 'coopClose'] as const
const FORGERIES = ['none', 'key', 'channel', 'network', 'purpose', 'bit'] as const
const PARTIES = ['payer', 'payee', 'stranger'] as const

/** An amount: near one that the channel knows, where the bounds are, or anywhere. */
export interface Amount {
  at: 'zero' | 'settled' | 'deposited' | 'most'
  plus: bigint
}

export interface ChannelMove {
  kind: (typeof KINDS)[number] | 'stray' | 'bounced' | 'external' | 'wait'
  from: (typeof PARTIES)[number]
  amount: Amount
  ceiling: Amount
  forged: (typeof FORGERIES)[number]
  /** Brings the price of so much gas, instead of what the wrapper attaches. */
  gas: bigint | undefined
  bounce: boolean
  /** Brings the contract's code, too. */
  init: boolean
  seconds: number
}

export const TON = 1_000_000_000n
const YEAR = 31_557_600
const amount: fc.Arbitrary<Amount> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ at: fc.constant('zero' as const), plus: fc.bigInt(0n, 4n * TON) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      at: fc.constantFrom('zero' as const, 'settled', 'deposited'),
      plus: fc.bigInt(-1n, 2n),
    }),
  },
  { weight: 1, arbitrary: fc.record({ at: fc.constant('most' as const), plus: fc.bigInt(-2n, 0n) }) },
)
const rarely = <T>(usual: T, ...rare: T[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...rare) })

const kind: fc.Arbitrary<ChannelMove['kind']> = fc.oneof(
  { weight: 4, arbitrary: fc.constant('topUp' as const) },
  { weight: 8, arbitrary: fc.constant('settle' as const) },
  { weight: 1, arbitrary: fc.constant('startClose' as const) },
  { weight: 2, arbitrary: fc.constant('finishClose' as const) },
  { weight: 1, arbitrary: fc.constant('coopClose' as const) },
  { weight: 1, arbitrary: fc.constantFrom('stray' as const, 'bounced', 'external') },
  { weight: 3, arbitrary: fc.constant('wait' as const) },
)

/** Who does a thing: mostly the one who may. */
function partyFor(of: ChannelMove['kind']): fc.Arbitrary<ChannelMove['from']> {
  return rarely(of === 'settle' ? 'payee' : 'payer', ...PARTIES)
}

const move: fc.Arbitrary<ChannelMove> = kind.chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    from: partyFor(kind),
    amount,
    ceiling: amount,
    forged: rarely('none' as const, ...FORGERIES),
    gas: fc.oneof(
      { weight: 9, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.bigInt(0n, 9000n) },
    ),
    bounce: rarely(true, false),
    init: rarely(false, true),
    seconds: fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(1, 599, 600, 601, 3599, 3600, 3601) },
      { weight: 1, arbitrary: fc.constantFrom(YEAR / 12, YEAR, 3 * YEAR) },
    ),
  }),
)

/** A top-up of 2 TON with nothing wrong in it. */
export const PLAIN: ChannelMove = {
  kind: 'topUp',
  from: 'payer',
  amount: { at: 'zero', plus: 2n * TON },
  ceiling: { at: 'zero', plus: 0n },
  forged: 'none',
  gas: undefined,
  bounce: true,
  init: false,
  seconds: 0,
}

/** A channel that is opened, mostly, and what happens to it. */
export const channelMoves: fc.Arbitrary<ChannelMove[]> = fc
  .tuple(
    rarely({ ...PLAIN, init: true }, { ...PLAIN, kind: 'wait' as const, seconds: 1 }),
    fc.array(move, { minLength: 10, maxLength: 40 }),
  )
  .map(([first, rest]) => [first, ...rest])
