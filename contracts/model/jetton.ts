/** The jetton channel as it should be, through locks of the issuer, bounces, strays and closes, to the last jetton. */

import assert from 'node:assert/strict'
import { Address, beginCell, internal, type MessageRelaxed } from '@ton/core'
import fc from 'fast-check'
import { GENESIS_SUPPLY } from '../chain/local/state.ts'
import type { ChainTransaction } from '../chain/local/tvm.ts'
import { exitName, JETTON_CHANNEL_EXIT } from '../errors.ts'
import { JettonChannel } from '../jetton/jetton-channel.ts'
import { FORWARD_TON, JETTON_OP, jettonTransferBody } from '../jetton/messages.ts'
import { type JettonChannelState, parseJettonChannelData } from '../jetton/params.ts'
import { LOCKED, TestJetton } from '../jetton/testing/jetton.ts'
import { Bystander, MemoryChain } from '../testing.ts'
import { privateKeyFromSeed, rawPublicKey } from '../voucher/keys.ts'
import { signRelease, signVoucher } from '../voucher/voucher.ts'
import {
  CHALLENGE,
  FRESH,
  type JettonMove,
  jettonMove,
  judge,
  OPEN_UNTIL,
  PLAIN,
  USD,
} from './jetton-judge.ts'
import type { Subject, Tally } from './run.ts'

const SUPPLY = 1000n * USD

const keys = {
  voucher: privateKeyFromSeed(Buffer.alloc(32, 1)),
  payee: privateKeyFromSeed(Buffer.alloc(32, 2)),
}
const party = (byte: number) => new Bystander(new Address(0, Buffer.alloc(32, byte)))
const parties = { payer: party(0xa1), payee: party(0xa2), stranger: party(0xa3) }

/** One channel on a chain of its own, what is known of it, and where the jettons are. */
interface World {
  chain: MemoryChain
  jetton: TestJetton
  channel: JettonChannel
  state: JettonChannelState | undefined
  /** The issuer has locked the channel's jetton wallet: every transfer out of it bounces. */
  locked: boolean
  holdings: { payer: bigint; payee: bigint; channel: bigint }
}

function messageOf(move: JettonMove, { channel, chain }: World): MessageRelaxed {
  const { amount, ceiling, forged } = move
  const where = { globalId: forged ? -239 : chain.globalId, channel: channel.address }
  switch (move.kind) {
    case 'settle':
      return channel.settle(amount, ceiling, signVoucher(keys.voucher, { ...where, ceiling }))
    case 'coopClose':
      return channel.coopClose(amount, signRelease(keys.payee, { ...where, amount }))
    case 'sweep':
      return channel.sweep(amount)
    case 'startClose':
    case 'finishClose':
    case 'retry':
    case 'open':
      return channel[move.kind]()
    default:
      return forgedMessage(move, channel)
  }
}

/** A notification or a bounce of jettons that are not there, or nothing at all. */
function forgedMessage({ kind, amount }: JettonMove, channel: JettonChannel): MessageRelaxed {
  const body = beginCell()
  if (kind === 'notification') {
    body.storeUint(JETTON_OP.transferNotification, 32).storeUint(0, 64)
    body.storeCoins(amount).storeAddress(parties.payer.address)
  } else if (kind === 'bounce') {
    body.storeUint(0xffffffff, 32).storeUint(JETTON_OP.transfer, 32).storeUint(1, 64).storeCoins(amount)
  }
  const message = internal({ to: channel.address, value: 100_000_000n, bounce: true, body: body.endCell() })
  if (kind === 'bounce' && message.info.type === 'internal') message.info.bounced = true
  return message
}

function outcomeOf(done: ChainTransaction | undefined): string {
  if (!done) return 'not told'
  if (done.success) return 'OK'
  if (done.exitCode === undefined) return 'not run'
  return exitName(JETTON_CHANNEL_EXIT, done.exitCode) ?? `TVM ${done.exitCode}`
}

const channelTransaction = ({ chain, channel }: World) =>
  chain.last.find(({ account }) => account.equals(channel.address))

/** Carries an order out: the jettons move, or it bounces and they are owed. */
function transfer(world: World, to: 'payer' | 'payee', amount: bigint): void {
  const { state, holdings } = world
  if (!world.locked) {
    holdings.channel -= amount
    holdings[to] += amount
  } else if (state) {
    const owed = to === 'payee' ? 'unpaidPayee' : 'unpaidPayer'
    world.state = { ...state, [owed]: state[owed] + amount }
  }
}

async function tell(move: JettonMove, world: World, tally: Tally): Promise<void> {
  const { chain, holdings } = world
  await parties[move.from].send(chain, [messageOf(move, world)])
  const outcome = outcomeOf(channelTransaction(world))
  tally.count(move.kind, outcome)
  const deploys = move.kind === 'open' || move.kind === 'sweep'
  const state = world.state ?? (deploys ? FRESH : undefined)
  const verdict = state && judge(move, state, chain.time)
  assert.equal(outcome, verdict ? verdict.exit : 'not run')
  if (verdict?.exit !== 'OK') {
    // A refused message that brings the code leaves a shell.
    if (deploys) world.state ??= FRESH
    return
  }
  world.state = verdict.next
  for (const order of verdict.orders ?? []) transfer(world, order.to, order.amount)
  const swept = move.kind === 'sweep' && !world.locked && move.amount <= holdings.channel
  if (swept) transfer(world, 'payer', move.amount)
}

/** Jettons of the payer's, and the word of it that the channel gets, or does not get. */
async function deposit(move: JettonMove, world: World, tally: Tally): Promise<void> {
  const { chain, channel, holdings, jetton } = world
  const { amount, forwardTon } = move
  const transferred = { amount, to: channel.address, excessTo: parties.payer.address, forwardTon }
  const to = jetton.walletOf(parties.payer.address)
  const body = jettonTransferBody(transferred)
  await parties.payer.send(chain, [internal({ to, value: 100_000_000n, bounce: true, body })])
  const outcome = outcomeOf(channelTransaction(world))
  tally.count('deposit', outcome)
  if (amount > holdings.payer) return assert.equal(outcome, 'not told')
  holdings.payer -= amount
  holdings.channel += amount
  const { state } = world
  if (outcome !== 'OK' || !state) {
    assert.ok(forwardTon !== FORWARD_TON || !state, outcome)
    return
  }
  const taken = state.closeAt === 0 && (state.deposited > 0n || chain.time <= OPEN_UNTIL)
  if (taken) world.state = { ...state, deposited: state.deposited + amount }
  else if (forwardTon === FORWARD_TON) transfer(world, 'payer', amount)
  else world.state = { ...state, unpaidPayer: state.unpaidPayer + amount }
}

async function step(move: JettonMove, world: World, tally: Tally): Promise<void> {
  const { chain, channel, jetton } = world
  if (move.kind === 'wait') {
    chain.time += move.seconds
    return
  }
  if (move.kind === 'lock') {
    await jetton.lock(channel.address, move.locked ? LOCKED.out : 0)
    const { state } = await chain.account(channel.jettonWallet)
    world.locked = move.locked && state === 'active'
  } else await (move.kind === 'deposit' ? deposit : tell)(move, world, tally)
  await agrees(world)
}

async function agrees({ chain, channel, jetton, state, holdings }: World): Promise<void> {
  const { data } = await chain.account(channel.address)
  assert.equal(data !== null, state !== undefined)
  if (data) {
    const { params: _, jettonWallet: __, ...seen } = parseJettonChannelData(data)
    assert.deepEqual(seen, state)
  }
  assert.deepEqual(
    {
      payer: await jetton.balance(parties.payer.address),
      payee: await jetton.balance(parties.payee.address),
      channel: await jetton.balance(channel.address),
    },
    holdings,
  )
}

/** From wherever a sequence led, once the issuer lets go: all is paid out and the payer fetches what strayed. */
async function leave(world: World, tally: Tally): Promise<void> {
  const go = (kind: JettonMove['kind'], seconds = 0) => step({ ...PLAIN, kind, seconds }, world, tally)
  await go('lock')
  if (world.state?.closeAt === 0 && world.state.deposited > 0n) await go('startClose')
  const { chain } = world
  if (world.state && world.state.closeAt !== 0 && !world.state.finished) {
    chain.time = Math.max(chain.time, world.state.closeAt)
    await go('finishClose')
  }
  while (world.state && (world.state.unpaidPayee > 0n || world.state.unpaidPayer > 0n)) await go('retry')
  chain.time = Math.max(chain.time, OPEN_UNTIL, world.state?.closeAt ?? 0) + 1
  const strayed = world.holdings.channel
  await step({ ...PLAIN, kind: 'sweep', amount: strayed }, world, tally)
  assert.equal(world.holdings.channel, 0n, 'jettons are stuck in the channel')
}

/** The jetton channel, message by message. */
export const jettonSubject: Subject<JettonMove> = {
  name: 'jetton',
  sequences: fc.array(jettonMove, { minLength: 10, maxLength: 40 }),
  async play(moves, prices, tally) {
    const chain = await MemoryChain.create({ prices })
    const jetton = new TestJetton(chain, party(0xad))
    const { master, walletCode } = jetton
    const channel = new JettonChannel({
      payer: parties.payer.address,
      payee: parties.payee.address,
      voucherKey: rawPublicKey(keys.voucher),
      payeeKey: rawPublicKey(keys.payee),
      challengeSeconds: CHALLENGE,
      openUntil: OPEN_UNTIL,
      salt: Buffer.alloc(32, 9),
      master,
      walletCode,
    })
    await jetton.mint(parties.payer.address, SUPPLY)
    const holdings = { payer: SUPPLY, payee: 0n, channel: 0n }
    const world: World = { chain, jetton, channel, state: undefined, locked: false, holdings }
    await step(PLAIN, world, tally)
    await step({ ...PLAIN, kind: 'deposit' }, world, tally)
    for (const next of moves) await step(next, world, tally)
    await leave(world, tally)
    assert.equal(holdings.payer + holdings.payee, SUPPLY)
    assert.equal(chain.total(), GENESIS_SUPPLY)
  },
}
