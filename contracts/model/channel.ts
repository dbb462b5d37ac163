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
import { least } from '../amount.ts'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import type { NetworkPrices } from '../chain/prices.ts'
import type { AccountSnapshot } from '../chain/types.ts'
import { Channel } from '../channel/channel.ts'
import { OP } from '../channel/messages.ts'
import { type ChannelState, parseChannelData } from '../channel/params.ts'
import { ContractsError, channelExitName } from '../errors.ts'
import { MemoryChain, TEST_START } from '../testing.ts'
import { privateKeyFromSeed, rawPublicKey } from '../voucher/keys.ts'
import { signRelease, signVoucher } from '../voucher/voucher.ts'
import {
  amountOf,
  CHALLENGE,
  type Circumstances,
  FRESH,
  gasFee,
  judge,
  type Money,
  permitted,
  type Verdict,
} from './channel-judge.ts'
import { type ChannelMove, channelMoves, PLAIN, TON } from './channel-moves.ts'
import type { Subject, Tally } from './run.ts'

const OPEN_UNTIL = TEST_START + 600

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

function circumstances({ prices, chain }: World): Circumstances {
  return { prices, now: chain.time, openUntil: OPEN_UNTIL }
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
  const verdict = state && judge(move, state, money, circumstances(world))
  assert.ok(
    (verdict ? permitted(verdict, move, money, world.prices) : ['not run']).includes(outcome),
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

/** From wherever a sequence led, the payer can leave on its own. */
async function leave(world: World, tally: Tally): Promise<void> {
  if (!world.state) return
  if (world.state.closeAt === 0) await step({ ...PLAIN, kind: 'startClose' }, world, tally)
  world.chain.time = Math.max(world.chain.time, world.state.closeAt)
  await step({ ...PLAIN, kind: 'finishClose' }, world, tally)
  assert.equal(world.state, undefined)
}

/** The TON channel, message by message. */
export const channelSubject: Subject<ChannelMove> = {
  name: 'channel',
  sequences: channelMoves,
  async play(moves, prices, tally) {
    const chain = await MemoryChain.create({ prices })
    const channel = new Channel({
      payer: parties.payer,
      payee: parties.payee,
      voucherKey: rawPublicKey(keys.voucher),
      payeeKey: rawPublicKey(keys.payee),
      challengeSeconds: CHALLENGE,
      openUntil: OPEN_UNTIL,
      salt: Buffer.alloc(32, 9),
    })
    const world: World = { chain, prices, channel, state: undefined }
    for (const next of moves) await step(next, world, tally)
    await leave(world, tally)
    assert.equal(chain.total(), GENESIS_SUPPLY)
  },
}
