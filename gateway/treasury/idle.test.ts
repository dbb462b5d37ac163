/** Channels of workers that are gone: how they end, and what nobody can make of it. */

import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { toBase64 } from '../../attest/bytes.ts'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import {
  DEFAULT_SETTLE_POLICY,
  generateKey,
  rawPublicKey,
  readChannelState,
  Wallet,
} from '../../contracts/index.ts'
import { ChannelBook } from '../../worker/earnings/book.ts'
import { Collector } from '../../worker/earnings/collector.ts'
import { EarningsStore } from '../../worker/earnings/store.ts'
import { ManualClock } from '../../worker/testing/manual-clock.ts'
import type { ChannelRecord } from '../ledger/index.ts'
import { paramsOf } from './terms.ts'
import { useLocalNode } from './testing/node.ts'
import { Crash, CrashPoint, type Stand, setUp } from './testing/stand.ts'
import type { Treasury } from './treasury.ts'

const TON = 1_000_000_000n
const MINUTES = 60_000
const CHALLENGE = 3600

let node: LocalNode
useLocalNode((opened) => {
  node = opened
})

let stand: Stand
let clock: ManualClock
/** Channels of workers that are here. */
let here: Set<string>
const terms = { workerIdleSeconds: 7200, maxWorkerChannels: 3 }
beforeEach(async () => {
  clock = new ManualClock()
  here = new Set()
  stand = await setUp(node, { terms, monotonic: clock.monotonic })
  await stand.treasury.setup()
  stand.treasury.endIdle(() => here)
})
afterEach(() => stand.end())

/** A worker with a wallet and a key of its own. @returns its channel, however often it joins */
function newWorker(wallet = Wallet.fromSeed(randomBytes(32), node.globalId)) {
  const payoutKey = Buffer.from(rawPublicKey(generateKey())).toString('hex')
  const payoutAddress = wallet.address.toString()
  return async (treasury = stand.treasury) =>
    (await treasury.paymentFor({ payoutAddress, workerId: payoutKey, payoutKey })).ledgerChannel
}

/** Lets time pass at the gateway, which looks around every 20 minutes. */
async function pass(minutes: number, treasury = stand.treasury): Promise<void> {
  for (let passed = 0; passed < minutes; passed += 20) {
    clock.advance(20 * MINUTES)
    await treasury.sync()
  }
}

async function endChallenge(treasury = stand.treasury): Promise<void> {
  await node.advanceTime(CHALLENGE + 1)
  await treasury.sync()
}

const record = async (id: string) => (await stand.ledger.channelState(id)) as ChannelRecord
const onChain = async (id: string) => readChannelState(paramsOf(await record(id)), stand.chain)
const states = async (...ids: string[]) => Promise.all(ids.map(async (id) => (await record(id)).state))
const difference = async () => (await stand.treasury.status()).balances.difference

let requests = 0
async function earn(channel: string, amount: bigint): Promise<void> {
  const id = `request-${requests++}`
  await stand.reserve(id, amount)
  await stand.charge(id, amount, amount, channel)
}

describe('a worker that is gone', () => {
  it('leaves a channel that ends after so long, and its deposit comes back', async () => {
    const channel = await newWorker()()
    const before = await stand.keys.gateway.balance(stand.chain)
    await pass(100)
    expect(await states(channel)).toEqual(['open'])
    await pass(20)
    expect(await states(channel)).toEqual(['closing'])
    expect(await onChain(channel)).toMatchObject({ closeAt: expect.any(Number), deposited: 5n * TON })
    expect((await onChain(channel))?.closeAt).toBeGreaterThan(node.now())
    await endChallenge()
    expect(await states(channel)).toEqual(['closed'])
    expect(await onChain(channel)).toBeUndefined()
    expect(await stand.keys.gateway.balance(stand.chain)).toBeGreaterThan(before + 5n * TON - 5_000_000n)
    expect(await difference()).toBe(0n)
    expect(stand.warnings).toEqual([])
    await stand.ledger.audit()
  })

  it('keeps its channel while it is here, and its time begins anew when it goes', async () => {
    const channel = await newWorker()()
    await pass(100)
    here.add(channel)
    await pass(200)
    here.delete(channel)
    await pass(100)
    expect(await states(channel)).toEqual(['open'])
    await pass(20)
    expect(await states(channel)).toEqual(['closing'])
  })

  it('keeps its channel when it comes at the last moment, before anybody knows that it is here', async () => {
    const join = newWorker()
    const channel = await join()
    await pass(100)
    expect(await join()).toBe(channel)
    await pass(100)
    expect(await states(channel)).toEqual(['open'])
  })

  it('is away only while the gateway is there: neither its own sleep nor a set clock makes time pass', async () => {
    const channel = await newWorker()()
    await pass(80)
    await stand.restart()
    clock.advance(1e9)
    await node.advanceTime(30 * 86_400)
    await stand.treasury.setup()
    stand.treasury.endIdle(() => here)
    await stand.treasury.sync()
    clock.advance(1e9)
    await stand.treasury.sync()
    expect(await record(channel)).toMatchObject({ state: 'open', idleSeconds: 100 * 60 })
    await pass(20)
    expect(await states(channel)).toEqual(['closing'])
  })

  it('that comes back while its channel ends gets another one', async () => {
    const join = newWorker()
    const first = await join()
    await pass(120)
    const second = await join()
    expect(second).not.toBe(first)
    await earn(second, 1000n)
    here.add(second)
    await endChallenge()
    expect(await states(first, second)).toEqual(['closed', 'open'])
    expect(await join()).toBe(second)
    expect(await difference()).toBe(0n)
  })

  it('takes what was promised while its channel ends, by itself, and the gateway gets the rest', async () => {
    const purse = mkdtempSync(join(tmpdir(), 'chrysalis-purse-'))
    const wallet = await Wallet.open(join(purse, 'payout.key'), node.globalId)
    const channel = await newWorker(wallet)()
    await earn(channel, 3n * TON)
    // What its worker had no time to take keeps the channel for longer.
    await pass(460)
    expect(await states(channel)).toEqual(['open'])
    await pass(20)
    expect((await onChain(channel))?.closeAt).toBeGreaterThan(0)

    const { params, voucher, ceiling } = await record(channel)
    const store = new EarningsStore(join(purse, 'receipts.sqlite'))
    const book = new ChannelBook(store, clock, channel)
    book.describe('gateway', params)
    book.earn(ceiling)
    book.raise(ceiling, toBase64(voucher ?? new Uint8Array()))
    const quiet = { info: () => {}, warn: () => {}, error: () => {} }
    const policy = { ...DEFAULT_SETTLE_POLICY, riskCap: 100n * TON, overheadBps: 1 }
    const collector = new Collector({
      ...{ chain: stand.chain, wallet, purse, books: () => [book], policy, clock, log: quiet },
    })
    await collector.collect()
    expect(await onChain(channel)).toMatchObject({ settled: 3n * TON })
    store.close()
    rmSync(purse, { recursive: true, force: true })

    await stand.treasury.sync()
    expect(await record(channel)).toMatchObject({ settled: 3n * TON, state: 'closing' })
    const before = await stand.keys.gateway.balance(stand.chain)
    await endChallenge()
    expect(await states(channel)).toEqual(['closed'])
    expect(await stand.keys.gateway.balance(stand.chain)).toBeGreaterThan(before + 2n * TON)
    expect(await difference()).toBe(0n)
    await stand.ledger.audit()
  })

  it('that is owed more than was promised keeps its channel until that is signed', async () => {
    const channel = await newWorker()()
    const { fund: _, ...chain } = stand.chain
    const poor = stand.again({ chain })
    poor.endIdle(() => here)
    await stand.reserve('dear', 6n * TON)
    await stand.charge('dear', 1n, 6n * TON, channel)
    await pass(600, poor)
    expect(await record(channel)).toMatchObject({ state: 'open', ceiling: 5n * TON, charged: 6n * TON })
  })

  it('keeps a channel that is frozen: a person decides on it', async () => {
    const channel = await newWorker()()
    await stand.ledger.freeze(channel, 'the ledger is older than the chain')
    await pass(200)
    expect(await states(channel)).toEqual(['open'])
  })
})

it('a crash between any two steps is gone on from, with one close', async () => {
  for (let at = 1; ; at++) {
    const channel = await newWorker()()
    await earn(channel, 5_000_000n)
    const crash = new CrashPoint(at)
    const doomed = stand.again({
      chain: crash.wrap(stand.chain, ['send', 'fund']),
      ledger: crash.wrap(stand.ledger, ['setIdle', 'setChannelState', 'updateSettled']),
    })
    doomed.endIdle(() => here)
    await pass(120, doomed).catch(onlyCrash)
    await endChallenge(doomed).catch(onlyCrash)
    const next = await restarted()
    await pass(120, next)
    await endChallenge(next)
    expect(await states(channel)).toEqual(['closed'])
    expect(await onChain(channel)).toBeUndefined()
    expect(await difference()).toBe(0n)
    if (!crash.reached) break
    expect(at).toBeLessThan(50)
  }
  await stand.ledger.audit()
}, 180_000)

function onlyCrash(error: unknown): void {
  if (!(error instanceof Crash)) throw error
}

async function restarted(): Promise<Treasury> {
  const next = stand.again()
  await next.setup()
  next.endIdle(() => here)
  return next
}

describe('when no more channels are opened', () => {
  const refused = expect.objectContaining({ code: 'ERR_TREASURY_LIMIT' })

  it('the one that was left longest and never earned anything ends for a newcomer, who has to come again', async () => {
    const first = await newWorker()()
    await pass(20)
    const second = await newWorker()()
    await pass(60)
    const connected = await newWorker()()
    here.add(connected)
    const newcomer = newWorker()
    const told = expect.stringMatching(/ends for this worker: try again in 65 minutes$/)
    for (let i = 0; i < 3; i++)
      await expect(newcomer()).rejects.toMatchObject({ code: 'ERR_TREASURY_LIMIT', message: told })
    expect(await states(first, second, connected)).toEqual(['closing', 'open', 'open'])
    // Its deposit is still away: nobody can have more of them out than there may be.
    await stand.treasury.sync()
    await expect(newcomer()).rejects.toEqual(refused)
    await endChallenge()
    const channel = await newcomer()
    expect(await states(first, second, connected, channel)).toEqual(['closed', 'open', 'open', 'open'])
    expect(await difference()).toBe(0n)
  })

  it('it is none that is here, though nobody has counted that yet', async () => {
    const back = await newWorker()()
    const others = [await newWorker()(), await newWorker()()]
    await pass(80)
    for (const id of others) await stand.ledger.setIdle(id, 0)
    here.add(back)
    await expect(newWorker()()).rejects.toEqual(refused)
    expect(await states(back, ...others)).toEqual(['open', 'open', 'open'])
  })

  it('it is none that was here within the hour', async () => {
    const channels = [await newWorker()(), await newWorker()(), await newWorker()()]
    await pass(40)
    await expect(newWorker()()).rejects.toEqual(refused)
    expect(await states(...channels)).toEqual(['open', 'open', 'open'])
  })

  it('a stranger with any number of keys pushes out nobody who has worked, nor anybody who is here', async () => {
    const worked = await newWorker()()
    await earn(worked, 5_000_000n)
    const connected = await newWorker()()
    here.add(connected)
    for (let round = 0; round < 3; round++) {
      await newWorker()()
      for (let key = 0; key < 5; key++) await expect(newWorker()()).rejects.toEqual(refused)
      const held = (await stand.ledger.channels()).filter(
        ({ role, state }) => role === 'worker' && state !== 'closed',
      )
      expect(held).toHaveLength(3)
      if (round === 2) break
      // Gone for longer than the stranger, and not long enough to end by itself.
      await stand.ledger.setIdle(worked, 1200)
      await pass(60)
      await expect(newWorker()()).rejects.toEqual(refused)
      await stand.treasury.sync()
      await endChallenge()
    }
    expect(await states(worked, connected)).toEqual(['open', 'open'])
    expect(await difference()).toBe(0n)
  })
})
