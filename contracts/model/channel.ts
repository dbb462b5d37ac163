/** The TON channel as it should be: what it answers to any message, what it holds and whom it pays, to the nanoton. */

import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import {
  Address,
  beginCell,
  external,
  internal,
  type MessageRelaxed,
  storeMessage,
  type Transaction,
} from '@ton/core'
import fc from 'fast-check'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import type { NetworkPrices } from '../chain/prices.ts'
import type { AccountSnapshot } from '../chain/types.ts'
import { Channel } from '../channel/channel.ts'
import { OP, RENT_RESERVE } from '../channel/messages.ts'
import { type ChannelState, parseChannelData } from '../channel/params.ts'
import { type ChannelExitName, ContractsError, channelExitName } from '../errors.ts'
import { MemoryChain, TEST_START } from '../testing.ts'
import { privateKeyFromSeed, rawPublicKey } from '../voucher/keys.ts'
import { signRelease, signVoucher } from '../voucher/voucher.ts'
import type { Subject, Tally } from './run.ts'

const KINDS = ['topUp', 'settle', 'startClose', 'finishClose', 'coopClose'] as const
const FORGERIES = ['none', 'key', 'channel', 'network', 'purpose', 'bit'] as const
const PARTIES = ['payer', 'payee', 'stranger'] as const

/** An amount: near one that the channel knows, where the bounds are, or anywhere. */
interface Amount {
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

const TON = 1_000_000_000n
const CHALLENGE = 3600
const OPEN_FOR = 600
const YEAR = 31_557_600
/** The gas that the contract asks a message to bring. */
const NEEDED_GAS = { topUp: 7000n, settle: 6000n, startClose: 7000n, finishClose: 8000n, coopClose: 8000n }
/** With so much above a claim, rent cannot make a cooperative close fail. */
const SLACK = TON / 20n

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

const keys = {
  voucher: privateKeyFromSeed(Buffer.alloc(32, 1)),
  payee: privateKeyFromSeed(Buffer.alloc(32, 2)),
}
const parties = {
  payer: new Address(0, Buffer.alloc(32, 0xa1)),
  payee: new Address(0, Buffer.alloc(32, 0xa2)),
  stranger: new Address(0, Buffer.alloc(32, 0xa3)),
}

/** One channel on a chain of its own, and what is known of it. */
interface World {
  chain: MemoryChain
  prices: NetworkPrices
  channel: Channel
  /** Undefined: there is no contract. */
  state: ChannelState | undefined
}

const FRESH: ChannelState = { deposited: 0n, settled: 0n, closeAt: 0 }

/** What the contract is to do with a message. */
interface Verdict {
  exit: ChannelExitName | 'OK'
  /** After a message that it takes; undefined when it destroys itself. */
  next?: ChannelState | undefined
  /** What it holds afterwards, in nanotons. */
  keeps?: bigint
  /** Whom it pays, and at least how much. */
  pays?: Partial<Record<'payer' | 'payee' | 'sender', bigint>>
}

/** What the contract sees of the money: all that it holds, and what the message brought. */
interface Money {
  balance: bigint
  value: bigint
}

function gasFee({ gas }: NetworkPrices, amount: bigint): bigint {
  if (amount <= gas.flatLimit) return gas.flatPrice
  return gas.flatPrice + (((amount - gas.flatLimit) * gas.price + 0xffffn) >> 16n)
}

/** The most that a message can name. */
const MOST = 2n ** 120n - 1n

const least = (a: bigint, b: bigint) => (a < b ? a : b)

function amountOf({ at, plus }: Amount, state: ChannelState): bigint {
  const base = at === 'zero' ? 0n : at === 'most' ? MOST : state[at]
  const sum = base + plus
  return sum < 0n ? 0n : least(sum, MOST)
}

const refuse = (exit: ChannelExitName): Verdict => ({ exit })

function judge(move: ChannelMove, state: ChannelState, money: Money, world: World): Verdict {
  const needed = move.kind in NEEDED_GAS ? NEEDED_GAS[move.kind as keyof typeof NEEDED_GAS] : 0n
  const asked = { amount: amountOf(move.amount, state), fee: gasFee(world.prices, needed) }
  switch (move.kind) {
    case 'topUp':
      return judgeTopUp(asked, state, money, world)
    case 'settle':
      return judgeSettle(move, asked, state, money)
    case 'startClose': {
      if (move.from !== 'payer') return refuse('NOT_PAYER')
      if (state.closeAt !== 0) return refuse('CLOSING')
      if (money.value < asked.fee) return refuse('LOW_VALUE')
      const closeAt = Math.max(world.chain.time + CHALLENGE, TEST_START + OPEN_FOR + 1)
      return {
        exit: 'OK',
        next: { ...state, closeAt },
        keeps: money.balance - money.value,
        pays: { sender: 0n },
      }
    }
    case 'finishClose': {
      if (state.closeAt === 0) return refuse('NOT_CLOSING')
      if (world.chain.time < state.closeAt) return refuse('TOO_EARLY')
      if (money.value < asked.fee) return refuse('LOW_VALUE')
      const rest = money.balance - money.value
      const pays = move.from === 'payer' ? { payer: rest } : { payer: rest, sender: 0n }
      return { exit: 'OK', next: undefined, keeps: 0n, pays }
    }
    case 'coopClose':
      return judgeCoopClose(move, asked, state, money, world)
    default:
      return refuse('UNKNOWN_OP')
  }
}

type Asked = { amount: bigint; fee: bigint }

function judgeTopUp({ amount, fee }: Asked, state: ChannelState, money: Money, world: World): Verdict {
  if (amount === 0n) return refuse('ZERO_AMOUNT')
  if (state.closeAt !== 0) return refuse('CLOSING')
  if (state.deposited === 0n && world.chain.time > TEST_START + OPEN_FOR) return refuse('OPEN_EXPIRED')
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
  world: World,
): Verdict {
  if (move.from !== 'payer') return refuse('NOT_PAYER')
  if (amount < state.settled) return refuse('NOT_ABOVE_SETTLED')
  if (amount > state.deposited) return refuse('ABOVE_DEPOSIT')
  if (move.forged !== 'none') return refuse('BAD_SIGNATURE')
  if (money.value < fee) return refuse('LOW_VALUE')
  const claim = amount - state.settled
  const tombstone = { deposited: amount, settled: amount, closeAt: TEST_START + OPEN_FOR + 1 }
  const next = world.chain.time > TEST_START + OPEN_FOR ? undefined : tombstone
  return { exit: 'OK', next, keeps: 0n, pays: claim > 0n ? { payee: claim, payer: 0n } : { payer: 0n } }
}

/** A signature as the move wants it: right, or wrong in one respect. */
function signature(move: ChannelMove, value: bigint, purpose: 'voucher' | 'release', world: World): Buffer {
  const { forged } = move
  const other: KeyObject = purpose === 'voucher' ? keys.payee : keys.voucher
  const key = forged === 'key' ? other : purpose === 'voucher' ? keys.voucher : keys.payee
  const channel = forged === 'channel' ? parties.stranger : world.channel.address
  const globalId = forged === 'network' ? -239 : world.chain.globalId
  const voucher = (purpose === 'voucher') !== (forged === 'purpose')
  const bytes = voucher
    ? signVoucher(key, { globalId, channel, ceiling: value })
    : signRelease(key, { globalId, channel, amount: value })
  if (forged === 'bit') bytes[40] = (bytes[40] ?? 0) ^ 4
  return bytes
}

function bodyOf(move: ChannelMove, world: World): MessageRelaxed {
  const { channel } = world
  const state = world.state ?? FRESH
  const amount = amountOf(move.amount, state)
  const ceiling = amountOf(move.ceiling, state)
  switch (move.kind) {
    case 'topUp':
      return move.init ? channel.deploy(amount) : channel.topUp(amount)
    case 'settle':
      return channel.settle(amount, ceiling, signature(move, ceiling, 'voucher', world))
    case 'coopClose':
      return channel.coopClose(amount, signature(move, amount, 'release', world))
    case 'startClose':
      return channel.startClose()
    case 'finishClose':
      return channel.finishClose()
    default: {
      // What is no message of the channel's: nothing at all, and a settle in the form of a bounce.
      const settle = beginCell()
        .storeUint(0xffffffff, 32)
        .storeUint(OP.settle, 32)
        .storeCoins(amount)
        .endCell()
      const body = move.kind === 'bounced' ? settle : beginCell().endCell()
      return internal({ to: channel.address, value: TON / 50n, body })
    }
  }
}

/** The message of a move, bringing what the move says. */
function messageOf(move: ChannelMove, world: World): MessageRelaxed {
  const message = bodyOf(move, world)
  if (message.info.type !== 'internal') throw new Error('internal messages only')
  const wanted = move.gas === undefined ? message.info.value.coins : gasFee(world.prices, move.gas)
  const info = { ...message.info, bounce: move.bounce, value: { coins: least(wanted, 20n * TON) } }
  return { ...message, info, init: move.init ? world.channel.init : null }
}

function moneyOf(before: AccountSnapshot, { description }: Transaction): Money {
  if (description.type !== 'generic') throw new Error('no ordinary transaction')
  const brought = description.creditPhase?.credit.coins ?? 0n
  const rent = description.storagePhase?.storageFeesCollected ?? 0n
  const balance = before.balance - rent + brought
  return { balance, value: least(brought, balance) }
}

function outcomeOf({ success, exitCode }: { success: boolean; exitCode: number | undefined }): string {
  if (success) return 'OK'
  if (exitCode === undefined) return 'not run'
  if (exitCode === 0) return 'cannot pay'
  return channelExitName(exitCode) ?? `TVM ${exitCode}`
}

/** Nanotons that a transaction pays to each address. */
function paidBy(transaction: Transaction): Map<string, bigint> {
  const paid = new Map<string, bigint>()
  for (const { info } of transaction.outMessages.values()) {
    if (info.type !== 'internal') continue
    const to = info.dest.toRawString()
    paid.set(to, (paid.get(to) ?? 0n) + info.value.coins)
  }
  return paid
}

/** Every party gets its own and nobody else gets anything. */
function checkPayments(verdict: Verdict, move: ChannelMove, money: Money, transaction: Transaction): void {
  const paid = paidBy(transaction)
  for (const [role, least] of Object.entries(verdict.pays ?? {})) {
    const to = parties[role === 'sender' ? move.from : (role as 'payer' | 'payee')].toRawString()
    const got = paid.get(to) ?? 0n
    assert.ok(got >= least, `${role} got ${got} of ${least}`)
    // What strayed into the channel is nobody's: the next top-up's sender gets it.
    const bounded = role === 'payee' || (role === 'sender' && move.kind !== 'topUp')
    if (bounded) assert.ok(got <= least + money.value, `${role} got ${got}, more than ${least}`)
    paid.delete(to)
  }
  assert.equal(paid.size, 0, 'money went to somebody else')
}

/** Outcomes that the model leaves open: which check a starving message gets to, and what rent leaves for fees. */
function permitted(verdict: Verdict, move: ChannelMove, money: Money, world: World): string[] {
  const starved = money.value < gasFee(world.prices, 9000n)
  if (starved) return [verdict.exit, 'TVM -14', 'not run']
  const tight = verdict.exit === 'OK' && move.kind === 'coopClose'
  return tight && money.balance < (verdict.pays?.payee ?? 0n) + SLACK ? ['OK', 'cannot pay'] : [verdict.exit]
}

async function internalMove(move: ChannelMove, world: World, tally: Tally): Promise<void> {
  const { chain, channel } = world
  const before = await chain.account(channel.address)
  await chain.deliver(parties[move.from], messageOf(move, world))
  const done = chain.transactionOf(channel.address)
  const outcome = outcomeOf(done)
  tally.count(move.kind, outcome)
  const state = world.state ?? (move.init ? FRESH : undefined)
  const money = moneyOf(before, done.transaction)
  const after = await chain.account(channel.address)
  const verdict = state && judge(move, state, money, world)
  assert.ok(
    (verdict ? permitted(verdict, move, money, world) : ['not run']).includes(outcome),
    `${outcome}, not ${verdict?.exit}`,
  )
  if (verdict && outcome === 'OK') {
    world.state = verdict.next
    assert.equal(after.balance, verdict.keeps, 'what it keeps')
    checkPayments(verdict, move, money, done.transaction)
  } else {
    // A refused message that brings the code leaves a shell, in which there is nothing.
    if (after.state === 'active') world.state ??= FRESH
    assert.ok(after.balance >= money.balance - money.value, 'a refusal cost the channel money')
    const sent = paidBy(done.transaction)
    if (sent.size > 0) assert.equal(after.balance, money.balance - money.value, 'a refusal left money')
    assert.ok([...sent.keys()].every((to) => to === parties[move.from].toRawString()))
  }
}

async function externalMove(move: ChannelMove, world: World, tally: Tally): Promise<void> {
  const body = bodyOf({ ...move, kind: 'settle' }, world).body
  const message = external({ to: world.channel.address, body })
  const boc = beginCell().store(storeMessage(message)).endCell().toBoc()
  await assert.rejects(world.chain.send(boc), (error) => error instanceof ContractsError)
  tally.count('external', 'rejected')
}

async function step(move: ChannelMove, world: World, tally: Tally): Promise<void> {
  const { chain, channel } = world
  if (move.kind === 'wait') {
    chain.time += move.seconds
    return
  }
  await (move.kind === 'external' ? externalMove : internalMove)(move, world, tally)
  const { state, data } = await chain.account(channel.address)
  assert.equal(state === 'active', world.state !== undefined, `the account is ${state}`)
  if (!data || !world.state) return
  const { deposited, settled, closeAt } = parseChannelData(data)
  assert.deepEqual({ deposited, settled, closeAt }, world.state)
}

const PLAIN: ChannelMove = {
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

/** From wherever a sequence led, the payer can leave on its own. */
async function leave(world: World, tally: Tally): Promise<void> {
  if (!world.state) return
  if (world.state.closeAt === 0) await step({ ...PLAIN, kind: 'startClose' }, world, tally)
  world.chain.time = Math.max(world.chain.time, world.state.closeAt)
  await step({ ...PLAIN, kind: 'finishClose' }, world, tally)
  assert.equal(world.state, undefined)
}

const opening = rarely({ ...PLAIN, init: true }, { ...PLAIN, kind: 'wait' as const, seconds: 1 })

/** The TON channel, message by message. */
export const channelSubject: Subject<ChannelMove> = {
  name: 'channel',
  sequences: fc
    .tuple(opening, fc.array(move, { minLength: 10, maxLength: 40 }))
    .map(([first, rest]) => [first, ...rest]),
  async play(moves, prices, tally) {
    const chain = await MemoryChain.create({ prices })
    const channel = new Channel({
      payer: parties.payer,
      payee: parties.payee,
      voucherKey: rawPublicKey(keys.voucher),
      payeeKey: rawPublicKey(keys.payee),
      challengeSeconds: CHALLENGE,
      openUntil: TEST_START + OPEN_FOR,
      salt: Buffer.alloc(32, 9),
    })
    const world: World = { chain, prices, channel, state: undefined }
    for (const next of moves) await step(next, world, tally)
    await leave(world, tally)
    assert.equal(chain.total(), GENESIS_SUPPLY)
  },
}
