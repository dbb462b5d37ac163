/**
 * The attacks that work on Cocoon's contracts (November 2025 snapshot, probes A to E), and the weaknesses beside them,
 * tried on the channel. The title of each test is the attack; its end is what comes of it here.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { type Address, beginCell, type Cell, type MessageRelaxed } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { PRICES_2025 } from '../chain/prices.ts'
import { CHANNEL_EXIT } from '../errors.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import { signRelease, signVoucher } from '../voucher/voucher.ts'
import type { Wallet } from '../wallet/wallet.ts'
import { RENT_RESERVE } from './messages.ts'
import { parseChannelData } from './params.ts'

const TON = 1_000_000_000n
/** More than all fees of one test. */
const FEES = TON / 4n
const YEAR = 31_557_600

let chain: MemoryChain

beforeEach(async () => {
  chain = await MemoryChain.create()
})

async function opened(deposit: bigint, on = chain): Promise<TestChannel> {
  const test = await TestChannel.create(on)
  expect((await test.from(test.payer, test.channel.deploy(deposit))).success).toBe(true)
  return test
}

async function stateOf(test: TestChannel) {
  const { data } = await test.chain.account(test.channel.address)
  return data ? parseChannelData(data) : undefined
}

const held = async (test: TestChannel) => (await test.chain.account(test.channel.address)).balance

async function wealth(...wallets: Wallet[]): Promise<bigint> {
  let sum = 0n
  for (const wallet of wallets) sum += await wallet.balance(chain)
  return sum
}

/** A top-up that brings what years of rent took, too. */
async function fill(test: TestChannel): Promise<void> {
  const topUp = test.channel.topUp(TON)
  if (topUp.info.type === 'internal') topUp.info.value.coins += TON
  expect((await test.from(test.payer, topUp)).success).toBe(true)
}

const settle = (test: TestChannel, amount: bigint, ceiling = amount) =>
  test.from(test.payee, test.channel.settle(amount, ceiling, test.voucher(ceiling)))

const binary = (address: Address) =>
  BigInt(`0x${address.hash.toString('hex')}`)
    .toString(2)
    .padStart(256, '0')

/** The bits of a cell and of all below it, each as a text of 0 and 1. */
function bitsOf(cell: Cell | null): string[] {
  if (!cell) return []
  const bits = Array.from({ length: cell.bits.length }, (_, i) => (cell.bits.at(i) ? '1' : '0'))
  return [bits.join(''), ...cell.refs.flatMap(bitsOf)]
}

describe('A, phantom top-up drain: a deposit that is sent back, yet credited, and withdrawn from a common pool', () => {
  it('while closing: is credited to nobody, and both ends together take out what they put in', async () => {
    const victim = await opened(20n * TON)
    const attacker = await opened(5n * TON)
    const { channel, payer, payee } = attacker
    const before = (await wealth(payer, payee)) + 5n * TON + RENT_RESERVE
    await attacker.from(payer, channel.startClose())
    for (let round = 0; round < 2; round++) {
      const phantom = await attacker.from(payer, channel.topUp(10n * TON))
      expect(phantom.exitCode).toBe(CHANNEL_EXIT.CLOSING)
      expect(await stateOf(attacker)).toMatchObject({ deposited: 5n * TON })
    }
    expect((await settle(attacker, 15n * TON)).exitCode).toBe(CHANNEL_EXIT.ABOVE_DEPOSIT)
    expect((await settle(attacker, 5n * TON)).success).toBe(true)
    chain.time += 3600
    expect((await attacker.from(payer, channel.finishClose())).success).toBe(true)
    const gained = (await wealth(payer, payee)) - before
    expect(gained).toBeLessThan(0n)
    expect(gained).toBeGreaterThan(-FEES)
    // There is no pool: what the other channel holds is its own.
    expect(await held(victim)).toBe(20n * TON + RENT_RESERVE)
    expect((await settle(victim, 20n * TON)).success).toBe(true)
  })

  it('after the end, or with more named than brought: is credited to nobody', async () => {
    const test = await opened(5n * TON)
    const { channel, payer } = test
    const short = channel.topUp(10n * TON)
    if (short.info.type === 'internal') short.info.value.coins = TON
    expect((await test.from(payer, short)).exitCode).toBe(CHANNEL_EXIT.LOW_VALUE)
    await test.from(payer, channel.coopClose(0n, test.release(0n)))
    expect((await test.from(payer, channel.topUp(10n * TON))).exitCode).toBe(CHANNEL_EXIT.CLOSING)
    expect(await stateOf(test)).toMatchObject({ deposited: 0n, settled: 0n })
    chain.time += 601
    await test.from(payer, channel.finishClose())
    expect((await test.from(payer, channel.deploy(10n * TON))).exitCode).toBe(CHANNEL_EXIT.OPEN_EXPIRED)
    expect(await held(test)).toBe(0n)
  })
})

describe('B and C, state that is advanced although the payment failed', () => {
  it('worker payout when the pool is short: a settle that cannot be paid changes nothing, and pays in full later', async () => {
    const old = await MemoryChain.create({ prices: PRICES_2025 })
    const test = await opened(9n * TON, old)
    old.time += 5 * YEAR
    const unpaid = await settle(test, 1000n, 9n * TON)
    expect(unpaid.exitCode).toBe(CHANNEL_EXIT.RENT_DUE)
    expect(await stateOf(test)).toMatchObject({ settled: 0n })
    await fill(test)
    const before = await test.payee.balance(old)
    expect((await settle(test, 9n * TON)).success).toBe(true)
    expect((await test.payee.balance(old)) - before).toBeGreaterThan(9n * TON - FEES)
  })

  it('client refund when the pool is short: an agreed close whose payment fails takes everything back, and can be repeated', async () => {
    const old = await MemoryChain.create({ prices: PRICES_2025 })
    const test = await opened(10n * TON, old)
    old.time += 6 * YEAR
    const close = () => test.from(test.payer, test.channel.coopClose(10n * TON, test.release(10n * TON)))
    expect(await close()).toMatchObject({ success: false, exitCode: 0, actionCode: 37 })
    expect(await stateOf(test)).toMatchObject({ deposited: 10n * TON, settled: 0n, closeAt: 0 })
    await fill(test)
    const before = await test.payee.balance(old)
    expect((await close()).success).toBe(true)
    expect((await test.payee.balance(old)) - before).toBeGreaterThan(10n * TON - FEES)
  })
})

describe("B, forced refund above the proxy's stake", () => {
  it("pays each payer's whole remainder, without the payee and whatever others withdraw at the same time", async () => {
    const first = await opened(5n * TON)
    // All of them to the payee of the first: what would have been one pool.
    const run = [first]
    for (const deposit of [500n, 50n, 5n]) {
      const payer = await chain.wallet()
      const test = new TestChannel(chain, payer, first.payee, first.voucherKey, first.payeeKey)
      await test.from(payer, test.channel.deploy(deposit * TON))
      run.push(test)
    }
    for (const { payer, channel } of run) await payer.send(chain, [channel.startClose()])
    chain.time += 3600
    for (const test of run) {
      const { deposited } = (await stateOf(test)) ?? { deposited: -1n }
      const before = await test.payer.balance(chain)
      expect((await test.from(test.payer, test.channel.finishClose())).success).toBe(true)
      const gained = (await test.payer.balance(chain)) - before
      expect(gained).toBeGreaterThan(deposited)
      expect(gained).toBeLessThanOrEqual(deposited + RENT_RESERVE)
    }
  })
})

describe('E, a key of the proxy that can do everything', () => {
  it("charges without end: the payee's wallet and key together take nothing without the payer's voucher", async () => {
    const test = await opened(20n * TON)
    const { channel, payee, payeeKey } = test
    const terms = { globalId: chain.globalId, channel: channel.address }
    const huge = 2n ** 63n
    for (const amount of [1n, 20n * TON, huge]) {
      const own = signVoucher(payeeKey, { ...terms, ceiling: huge })
      const release = signRelease(payeeKey, { ...terms, amount: huge })
      for (const signature of [own, release]) {
        const done = await test.from(payee, channel.settle(amount, huge, signature))
        const wanted = amount === huge ? CHANNEL_EXIT.ABOVE_DEPOSIT : CHANNEL_EXIT.BAD_SIGNATURE
        expect(done.exitCode).toBe(wanted)
      }
    }
    const close = channel.coopClose(20n * TON, test.release(20n * TON))
    expect((await test.from(payee, close)).exitCode).toBe(CHANNEL_EXIT.NOT_PAYER)
    expect(await held(test)).toBe(20n * TON + RENT_RESERVE)
  })

  it("a colluding worker: what it is paid comes out of the gateway's own deposit, never out of a client's", async () => {
    const client = await opened(20n * TON)
    const gateway = client.payee
    const worker = new TestChannel(chain, gateway, await chain.wallet(), client.payeeKey, client.payeeKey)
    await worker.from(gateway, worker.channel.deploy(2n * TON))
    // The gateway signs whatever the worker wants: 18 TON of the client's are out of reach.
    expect((await settle(worker, 18n * TON)).exitCode).toBe(CHANNEL_EXIT.ABOVE_DEPOSIT)
    expect((await settle(worker, 2n * TON)).success).toBe(true)
    const replayed = client.channel.settle(2n * TON, 2n * TON, worker.voucher(2n * TON))
    expect((await client.from(gateway, replayed)).exitCode).toBe(CHANNEL_EXIT.BAD_SIGNATURE)
    expect(await held(client)).toBe(20n * TON + RENT_RESERVE)
  })
})

describe('D, a lost key', () => {
  it("the payee's, both wallet and release key: the payer alone gets everything back", async () => {
    const test = await opened(20n * TON)
    const before = await test.payer.balance(chain)
    await test.from(test.payer, test.channel.startClose())
    chain.time += 3600
    expect((await test.from(test.payer, test.channel.finishClose())).success).toBe(true)
    expect((await test.payer.balance(chain)) - before).toBeGreaterThan(20n * TON)
    expect(await held(test)).toBe(0n)
  })

  it("the payer's voucher key: the payee takes what it holds, the payer gets the rest", async () => {
    const test = await opened(20n * TON)
    const last = test.voucher(7n * TON)
    await test.from(test.payer, test.channel.startClose())
    const message = test.channel.settle(7n * TON, 7n * TON, last)
    expect((await test.from(test.payee, message)).success).toBe(true)
    chain.time += 3600
    const before = await test.payer.balance(chain)
    await test.from(test.payee, test.channel.finishClose())
    expect((await test.payer.balance(chain)) - before).toBeGreaterThanOrEqual(13n * TON)
  })

  it("the payer's wallet: the payee is paid nevertheless, and nobody else gets at the rest", async () => {
    const test = await opened(20n * TON)
    expect((await settle(test, 7n * TON)).success).toBe(true)
    const thief = await chain.wallet()
    for (const wallet of [test.payee, thief]) {
      expect((await test.from(wallet, test.channel.startClose())).exitCode).toBe(CHANNEL_EXIT.NOT_PAYER)
    }
    expect(await held(test)).toBe(13n * TON + RENT_RESERVE)
  })
})

describe('the weaknesses beside them', () => {
  it('g, an owner who upgrades at will: no contract can change its code or libraries, nor takes external messages', () => {
    for (const folder of ['channel', 'jetton', 'registry']) {
      const here = new URL(`../${folder}/`, import.meta.url)
      for (const file of readdirSync(here).filter((name) => name.endsWith('.tolk'))) {
        const code = readFileSync(new URL(file, here), 'utf8').replace(/\/\/.*$/gm, '')
        expect(code).not.toMatch(/setCode|SETCODE|setLib|onExternalMessage|acceptExternal/)
      }
    }
  })

  it('h, payouts that ignore a failed action: every payment rolls its transaction back instead', () => {
    const shared = readFileSync(new URL('shared.tolk', import.meta.url), 'utf8')
    const channel = readFileSync(new URL('channel.tolk', import.meta.url), 'utf8')
    expect(shared.match(/\.send\(([^)]*)\)/g)).toEqual(['.send(mode | SEND_MODE_BOUNCE_ON_ACTION_FAIL)'])
    expect(channel).not.toContain('.send(')
    expect(channel.match(/reserveToncoinsOnBalance\([^)]*\)/g)?.join()).toMatch(/BOUNCE_ON_ACTION_FAIL\)$/)
  })

  it('j, a wrapper that forgets a field: every message has just the fields that the contract reads', async () => {
    const test = await opened(20n * TON)
    const { channel, payer, payee } = test
    const messages: [Wallet, MessageRelaxed][] = [
      [payer, channel.topUp(TON)],
      [payee, channel.settle(TON, TON, test.voucher(TON))],
      [payer, channel.coopClose(2n * TON, test.release(2n * TON))],
    ]
    for (const [wallet, message] of messages) {
      const { body } = message
      const cut = beginCell()
        .storeBits(body.beginParse().loadBits(body.bits.length - 1))
        .endCell()
      const done = await test.from(wallet, { ...message, body: cut })
      expect({ exit: done.exitCode, success: done.success }).toEqual({ exit: 9, success: false })
    }
    for (const [wallet, message] of messages) expect((await test.from(wallet, message)).success).toBe(true)
  })

  it("k, the client's address shown to workers: a worker's channel names gateway and worker, and amounts", async () => {
    const client = await opened(20n * TON)
    const gateway = client.payee
    const worker = new TestChannel(chain, gateway, await chain.wallet(), client.payeeKey, client.payeeKey)
    await worker.from(gateway, worker.channel.deploy(2n * TON))
    await settle(worker, TON)
    const { data } = await chain.account(worker.channel.address)
    const seen = [data, ...chain.last.map(({ transaction }) => transaction.raw)].flatMap(bitsOf)
    const shows = (address: Address) => seen.some((bits) => bits.includes(binary(address)))
    expect([gateway.address, worker.payee.address, worker.channel.address].map(shows)).toEqual([
      true,
      true,
      true,
    ])
    expect([client.payer.address, client.channel.address].map(shows)).toEqual([false, false])
  })
})
