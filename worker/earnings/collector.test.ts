import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { toBase64 } from '../../attest/bytes.ts'
import {
  ATTACH,
  type Chain,
  ContractsError,
  channelParamsToJson,
  DEFAULT_SETTLE_POLICY,
  generateKey,
  readChannelState,
  settleCost,
  Wallet,
} from '../../contracts/index.ts'
import { MemoryChain, TestChannel } from '../../contracts/testing.ts'
import type { LogFields } from '../log.ts'
import { ManualClock } from '../testing/manual-clock.ts'
import { ChannelBook } from './book.ts'
import { Collector, type CollectorOptions } from './collector.ts'
import { withPurse } from './purse.ts'
import { makeReport, readBooks } from './report.ts'
import { EarningsStore } from './store.ts'

const TON = 1_000_000_000n
const DAY_MS = 86_400_000
const log: { fields: LogFields; message: string }[] = []
const say = (fields: LogFields, message: string) => void log.push({ fields, message })
const codes = () => log.map(({ fields }) => fields.code)

let dir: string
let chain: MemoryChain
let clock: ManualClock
let wallet: Wallet
let channel: TestChannel
let store: EarningsStore

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'collector-'))
  chain = await MemoryChain.create()
  clock = new ManualClock(chain.time * 1000)
  wallet = await Wallet.open(join(dir, 'payout.key'), chain.globalId)
  channel = await opening(5n * TON)
  store = new EarningsStore(join(dir, 'receipts.sqlite'))
  log.splice(0)
})
afterEach(() => {
  store.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A channel of a gateway to our wallet, open. */
async function opening(deposit: bigint): Promise<TestChannel> {
  const made = new TestChannel(chain, await chain.wallet(), wallet, generateKey(), generateKey())
  await made.payer.send(chain, [made.channel.deploy(deposit)])
  return made
}

/** The account of a channel whose gateway has vouched for `ceiling`, as the file has it. */
function bookOf(from: TestChannel, ceiling: bigint, file = store): ChannelBook {
  const book = new ChannelBook(file, clock, from.channel.address.toRawString())
  book.describe('gateway', JSON.stringify(channelParamsToJson(from.params)))
  book.earn(ceiling)
  book.raise(ceiling, toBase64(from.voucher(ceiling)))
  return book
}

function collector(books: ChannelBook[], change: Partial<CollectorOptions> = {}): Collector {
  return new Collector({
    ...{ chain, wallet, purse: dir, books: () => books, policy: DEFAULT_SETTLE_POLICY, clock },
    log: { info: say, warn: say, error: say },
    ...change,
  })
}

const settledOn = async ({ params }: TestChannel) => (await readChannelState(params, chain))?.settled
const cost = async () => settleCost(await chain.prices(), 1)
/** The chain with some of it replaced. */
const changed = (change: Partial<Chain>): Chain => ({
  globalId: chain.globalId,
  instant: true,
  now: () => chain.now(),
  account: (address) => chain.account(address),
  get: (address, method, args) => chain.get(address, method, args),
  prices: () => chain.prices(),
  send: (boc) => chain.send(boc),
  ...change,
})

describe('what is promised is settled', () => {
  test('when fees are a small part of it, from a wallet that has nothing yet', async () => {
    const book = bookOf(channel, 100n * (await cost()))
    await collector([book]).collect()
    expect(await settledOn(channel)).toBe(book.account.ceiling)
    expect([book.account.settled, book.unsettled]).toEqual([book.account.ceiling, 0n])
    expect(codes()).toEqual(['value'])
    store.flush()
    const { total } = makeReport(readBooks(join(dir, 'receipts.sqlite')), { by: 'day' })
    expect(total.settled).toBe(book.account.ceiling)
  })

  test('not before, unless it has waited long', async () => {
    const book = bookOf(channel, 50n * (await cost()))
    const made = collector([book])
    await made.collect()
    expect(await settledOn(channel)).toBe(0n)
    clock.advance(DAY_MS)
    await made.collect()
    expect([await settledOn(channel), ...codes()]).toEqual([book.account.ceiling, 'age'])
  })

  test('after a clock that was set back, too', async () => {
    bookOf(channel, 50n * (await cost()))
    store.flush()
    const back = new ManualClock((chain.time - 365 * 86_400) * 1000)
    const book = new ChannelBook(store, back, channel.channel.address.toRawString())
    const made = collector([book], { clock: back })
    await made.collect()
    back.advance(DAY_MS)
    await made.collect()
    expect(await settledOn(channel)).toBe(book.account.ceiling)
  })

  test('at once when the gateway starts to close, whether it is worth much or not; dust stays', async () => {
    const [book, dust] = [bookOf(channel, 2n * (await cost())), await opening(TON)]
    const dustBook = bookOf(dust, 5n)
    const made = collector([book, dustBook])
    await made.collect()
    for (const { payer, channel: contract } of [channel, dust])
      await payer.send(chain, [contract.startClose()])
    await made.collect()
    expect([await settledOn(channel), await settledOn(dust)]).toEqual([book.account.ceiling, 0n])
    expect([book.account.state, dustBook.account.state]).toEqual(['closing', 'closing'])
    expect(codes()).toContain('closing')
    // The close is told once.
    await made.collect()
    expect(log.filter(({ message }) => message === 'a gateway closes its channel')).toHaveLength(2)
  })

  test('with fees unknown: what a closing channel owes; the rest waits', async () => {
    const other = await opening(5n * TON)
    await chain.fund(wallet.address, TON)
    await channel.payer.send(chain, [channel.channel.startClose()])
    const prices: Chain['prices'] = async () => {
      throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'no')
    }
    await collector([bookOf(channel, TON), bookOf(other, TON)], { chain: changed({ prices }) }).collect()
    expect([await settledOn(channel), await settledOn(other)]).toEqual([TON, 0n])
    expect(codes()).toContain('ERR_CHAIN_UNREACHABLE')
  })

  test('never above the deposit', async () => {
    const book = bookOf(channel, 7n * TON)
    await collector([book]).collect()
    expect(await settledOn(channel)).toBe(5n * TON)
  })

  test('and noted once, whatever a provider that lags behind shows', async () => {
    const book = bookOf(channel, TON)
    const old = await chain.account(channel.channel.address)
    await collector([book]).collect()
    let lags = true
    const account: Chain['account'] = async (address) => (lags ? old : await chain.account(address))
    const lagging = collector([book], { chain: changed({ account }) })
    await lagging.collect()
    lags = false
    await lagging.collect()
    expect(book.account.settled).toBe(TON)
    store.flush()
    const { total } = makeReport(readBooks(join(dir, 'receipts.sqlite')), { by: 'day' })
    expect(total.settled).toBe(TON)
    expect(await wallet.seqno(chain)).toBe(1)
  })

  test('of many channels at once', async () => {
    const others = [channel, await opening(5n * TON), await opening(5n * TON)]
    const books = others.map((other) => bookOf(other, TON))
    await collector(books).collect()
    expect(await Promise.all(others.map(settledOn))).toEqual([TON, TON, TON])
    expect(await wallet.seqno(chain)).toBe(1)
  })

  test('before an end when it is worth ten times the fees, and within the time that is left', async () => {
    const [small, large] = [bookOf(channel, 9n * (await cost())), await opening(TON)]
    const largeBook = bookOf(large, 11n * (await cost()))
    await collector([small, largeBook]).close(60_000)
    expect([await settledOn(channel), await settledOn(large)]).toEqual([0n, largeBook.account.ceiling])
    const never = collector([small], { chain: changed({ account: () => new Promise(() => {}) }) })
    const closing = never.close(1_000)
    await clock.timerWithin(1_000)
    clock.advance(1_000)
    await closing
  })

  test('by looks that come again and again, until the close', async () => {
    const book = bookOf(channel, 5n)
    let looks = 0
    const looked: (() => void)[] = []
    const account: Chain['account'] = (address) => {
      looks++
      looked.splice(0).forEach((tell) => void tell())
      return chain.account(address)
    }
    const made = collector([book], { chain: changed({ account }) })
    made.start()
    await clock.timerWithin(15_000)
    const again = new Promise<void>((resolve) => looked.push(resolve))
    clock.advance(15_000)
    await again
    await made.close(0)
    const then = looks
    clock.advance(DAY_MS)
    expect(looks).toBe(then)
  })
})

describe('what has arrived', () => {
  test('goes to the owner when there is enough of it, but for some for fees', async () => {
    const to = Wallet.fromSeed(Buffer.alloc(32, 9), chain.globalId).address
    const made = collector([bookOf(channel, TON)], { sweep: { to, above: (3n * TON) / 2n } })
    await made.collect()
    expect((await chain.account(to)).balance).toBe(0n)
    await chain.fund(wallet.address, TON)
    await made.collect()
    const { balance } = await chain.account(to)
    expect(balance).toBeGreaterThan((19n * TON) / 10n)
    expect(await wallet.balance(chain)).toBeGreaterThan(10n * ATTACH)
    await made.collect()
    expect((await chain.account(to)).balance).toBe(balance)
  })

  test('and what is due is settled even if the owner cannot be sent to', async () => {
    await chain.fund(wallet.address, 3n * TON)
    const to = channel.channel.address
    await collector([bookOf(channel, TON)], { sweep: { to, above: TON } }).collect()
    expect(await settledOn(channel)).toBe(TON)
    expect(codes()).toEqual(['value', 'ERR_WITHDRAW_UNCONFIRMED'])
  })
})

describe('what is in the way', () => {
  test('of one channel is told, and keeps the others from nothing', async () => {
    const other = await opening(5n * TON)
    const books = [bookOf(channel, TON), bookOf(other, TON)]
    const account: Chain['account'] = async (address) => {
      if (address.equals(channel.channel.address)) throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'no')
      return await chain.account(address)
    }
    await collector(books, {
      chain: { ...changed({ account }), fund: chain.fund.bind(chain) } as Chain,
    }).collect()
    expect([await settledOn(channel), await settledOn(other)]).toEqual([0n, TON])
    expect(codes()).toEqual(['value', 'ERR_CHAIN_UNREACHABLE'])
  })

  test('an empty wallet without a faucet: said once, with the address, until it can', async () => {
    const made = collector([bookOf(channel, TON)], { chain: changed({}) })
    await made.collect()
    await made.collect()
    expect(codes()).toEqual(['ERR_WALLET_FUNDS'])
    expect(log[0]?.fields.wallet).toBe(wallet.address.toString())
    await chain.fund(wallet.address, 2n * ATTACH)
    await made.collect()
    expect(await settledOn(channel)).toBe(TON)
  })

  test('a payout address that is not our wallet: nothing is sent for it', async () => {
    const theirs = await TestChannel.create(chain)
    await theirs.payer.send(chain, [theirs.channel.deploy(5n * TON)])
    await collector([bookOf(theirs, TON)]).collect()
    expect([await settledOn(theirs), log]).toEqual([0n, []])
  })

  test('a channel that is gone is looked at no more', async () => {
    const book = bookOf(channel, TON)
    await chain.fund(wallet.address, TON)
    await wallet.send(chain, [channel.channel.settle(TON, TON, channel.voucher(TON))])
    await channel.payer.send(chain, [channel.channel.startClose()])
    chain.time += 3601 + 600
    await channel.payer.send(chain, [channel.channel.finishClose()])
    const made = collector([book])
    await made.collect()
    expect(book.account.state).toBe('gone')
    let looked = 0
    const account: Chain['account'] = (address) => chain.account(address).finally(() => void looked++)
    await collector([book], { chain: changed({ account }) }).collect()
    expect(looked).toBe(book.unsettled > 0n ? 1 : 0)
  })
})

test('killed at any point, it is settled once and noted once', async () => {
  for (let at = 1; at < 20; at++) {
    const other = await opening(5n * TON)
    const file = join(dir, `${at}.sqlite`)
    const first = new EarningsStore(file)
    const book = bookOf(other, TON, first)
    first.flush()
    let calls = 0
    const dying =
      <T extends unknown[], R>(call: (...args: T) => Promise<R>) =>
      async (...args: T): Promise<R> => {
        if (++calls >= at) throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'the process is dead')
        return await call(...args)
      }
    const dead = changed({
      account: dying((address) => chain.account(address)),
      send: dying((boc) => chain.send(boc)),
      now: dying(() => chain.now()),
      prices: dying(() => chain.prices()),
    })
    await chain.fund(wallet.address, ATTACH)
    await collector([book], { chain: dead }).collect()
    first.close()
    const again = new EarningsStore(file)
    const after = new ChannelBook(again, clock, other.channel.address.toRawString())
    await collector([after]).collect()
    expect(await settledOn(other)).toBe(TON)
    again.close()
    const { total } = makeReport(readBooks(file), { by: 'day' })
    expect(total.settled).toBe(TON)
    if (calls < at) return
  }
  expect.unreachable('it should have needed fewer calls')
})

test('one process at a time uses the wallet', async () => {
  const order: string[] = []
  let enter = () => {}
  const inside = new Promise<void>((resolve) => {
    enter = resolve
  })
  let leave = () => {}
  const first = withPurse(dir, async () => {
    enter()
    await new Promise<void>((resolve) => {
      leave = resolve
    })
    order.push('first')
  })
  await inside
  await expect(withPurse(dir, async () => {}, 0)).rejects.toMatchObject({ code: 'ERR_WALLET_BUSY' })
  const second = withPurse(dir, async () => void order.push('second'))
  leave()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
})
