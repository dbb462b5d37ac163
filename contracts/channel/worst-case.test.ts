/** "What each party can lose at worst" of contracts/README.md, sentence by sentence: the other side does its worst. */

import { internal } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { CHANNEL_EXIT } from '../errors.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import type { Wallet } from '../wallet/wallet.ts'
import { RENT_RESERVE } from './messages.ts'

const TON = 1_000_000_000n
const DEPOSIT = 10n * TON
/** More than all fees of one test. */
const FEES = TON / 10n

let chain: MemoryChain
let test: TestChannel
/** Of both parties, before the channel is opened. */
let payerHad: bigint
let payeeHad: bigint

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestChannel.create(chain)
  payerHad = await test.payer.balance(chain)
  payeeHad = await test.payee.balance(chain)
  await test.from(test.payer, test.channel.deploy(DEPOSIT))
})

const settle = (amount: bigint, ceiling = amount, signature = test.voucher(ceiling)) =>
  test.from(test.payee, test.channel.settle(amount, ceiling, signature))

async function leaveAlone(): Promise<void> {
  await test.from(test.payer, test.channel.startClose())
  chain.time += test.params.challengeSeconds
  await test.from(test.payer, test.channel.finishClose())
}

/** What a party has lost since, apart from fees: exactly `wanted` nanotons. */
async function lost(wallet: Wallet, had: bigint, wanted: bigint): Promise<void> {
  const loss = had - (await wallet.balance(chain))
  expect(loss).toBeGreaterThanOrEqual(wanted)
  expect(loss).toBeLessThan(wanted + FEES)
}

describe('the payer', () => {
  it('that holds the voucher key loses what its highest ceiling exceeds the fair charge by, and nothing else', async () => {
    const fair = 2n * TON
    const slice = TON / 2n
    const ceiling = fair + slice
    const voucher = test.voucher(ceiling)
    // The payee takes all that it can, whatever was served, and tries for more.
    expect((await settle(ceiling, ceiling, voucher)).success).toBe(true)
    for (const more of [ceiling + 1n, DEPOSIT]) {
      expect((await settle(more, more, voucher)).exitCode).toBe(CHANNEL_EXIT.BAD_SIGNATURE)
      expect((await settle(more, ceiling, voucher)).exitCode).toBe(CHANNEL_EXIT.ABOVE_CEILING)
    }
    await leaveAlone()
    await lost(test.payer, payerHad, fair + slice)
  })

  it('whose voucher key another holds (delegated) loses the whole deposit, and not the reserve', async () => {
    expect((await settle(DEPOSIT, 99n * TON)).success).toBe(true)
    expect((await chain.account(test.channel.address)).balance).toBe(RENT_RESERVE)
    await leaveAlone()
    await lost(test.payer, payerHad, DEPOSIT)
  })

  it('whose payee vanishes loses time: its money returns after the challenge period', async () => {
    await test.from(test.payer, test.channel.startClose())
    chain.time += test.params.challengeSeconds - 1
    expect((await test.from(test.payer, test.channel.finishClose())).exitCode).toBe(CHANNEL_EXIT.TOO_EARLY)
    chain.time += 1
    expect((await test.from(test.payer, test.channel.finishClose())).success).toBe(true)
    await lost(test.payer, payerHad, 0n)
  })

  it('that loses its wallet loses what is not settled: nobody else can close', async () => {
    await settle(3n * TON)
    chain.time += 1_000_000
    for (const wallet of [test.payee, await chain.wallet()]) {
      expect((await test.from(wallet, test.channel.startClose())).exitCode).toBe(CHANNEL_EXIT.NOT_PAYER)
      expect((await test.from(wallet, test.channel.finishClose())).exitCode).toBe(CHANNEL_EXIT.NOT_CLOSING)
    }
    await lost(test.payer, payerHad, DEPOSIT)
  })
})

describe('the payee', () => {
  it('loses what it served beyond the highest voucher that it holds', async () => {
    const served = 5n * TON
    const ceiling = 3n * TON
    expect((await settle(served, ceiling)).exitCode).toBe(CHANNEL_EXIT.ABOVE_CEILING)
    await settle(ceiling)
    await leaveAlone()
    await lost(test.payee, payeeHad, -ceiling)
  })

  it('loses what it served beyond the deposit, whatever the voucher says', async () => {
    expect((await settle(12n * TON, 12n * TON)).exitCode).toBe(CHANNEL_EXIT.ABOVE_DEPOSIT)
    await settle(DEPOSIT, 12n * TON)
    await lost(test.payee, payeeHad, -DEPOSIT)
  })

  it('that runs twice with the same keys loses what both served above the larger claim; the payer nothing', async () => {
    const [one, other] = [2n * TON, 3n * TON]
    // Each set of books has served for its own sum, and claims it under the same voucher.
    const voucher = test.voucher(other)
    await settle(one, other, voucher)
    await settle(other, other, voucher)
    expect((await settle(one, other, voucher)).exitCode).toBe(CHANNEL_EXIT.NOT_ABOVE_SETTLED)
    await leaveAlone()
    await lost(test.payee, payeeHad, -other)
    await lost(test.payer, payerHad, other)
  })

  it('loses everything unsettled if it does not settle within the challenge period', async () => {
    await settle(TON)
    const voucher = test.voucher(9n * TON)
    await leaveAlone()
    await test.payee.send(chain, [test.channel.settle(9n * TON, 9n * TON, voucher)])
    await lost(test.payee, payeeHad, -TON)
    await lost(test.payer, payerHad, TON)
  })

  it('loses nothing that it settles in the last second of it', async () => {
    const voucher = test.voucher(9n * TON)
    await test.from(test.payer, test.channel.startClose())
    chain.time += test.params.challengeSeconds
    expect((await settle(9n * TON, 9n * TON, voucher)).success).toBe(true)
    await test.from(test.payer, test.channel.finishClose())
    await lost(test.payee, payeeHad, -9n * TON)
  })

  it('that signed a release for X loses what it serves beyond X, at any later time', async () => {
    const release = test.release(2n * TON)
    await settle(TON)
    // It went on serving against a voucher for 8; much later the payer uses the release.
    chain.time += 1_000_000
    expect((await test.from(test.payer, test.channel.coopClose(2n * TON, release))).success).toBe(true)
    expect((await chain.account(test.channel.address)).state).toBe('none')
    await lost(test.payee, payeeHad, -2n * TON)
  })

  it('that signed a release for X is safe from it once more than X is settled', async () => {
    const release = test.release(2n * TON)
    await settle(2n * TON + 1n)
    const late = await test.from(test.payer, test.channel.coopClose(2n * TON, release))
    expect(late.exitCode).toBe(CHANNEL_EXIT.NOT_ABOVE_SETTLED)
  })

  it('whose release key is stolen loses what is not settled; settling needs no key but its wallet', async () => {
    const forged = test.release(0n)
    expect((await test.from(test.payer, test.channel.coopClose(0n, forged))).success).toBe(true)
    await lost(test.payee, payeeHad, 0n)
  })
})

describe('others', () => {
  it("who top up somebody's channel have made a gift to the payer", async () => {
    const friend = await chain.wallet()
    await test.from(friend, test.channel.topUp(4n * TON))
    await leaveAlone()
    await lost(test.payer, payerHad, -4n * TON)
  })

  it('who send money that is no message, so that it does not bounce, leave it to whoever tops up next', async () => {
    const careless = await chain.wallet()
    await test.from(careless, internal({ to: test.channel.address, value: 3n * TON, bounce: false }))
    const finder = await chain.wallet()
    const had = await finder.balance(chain)
    expect((await test.from(finder, test.channel.topUp(1n))).success).toBe(true)
    expect((await finder.balance(chain)) - had).toBeGreaterThan(2n * TON)
    expect((await chain.account(test.channel.address)).balance).toBe(DEPOSIT + 1n + RENT_RESERVE)
  })

  it('who send what is refused bear its fee, and nobody else does', async () => {
    const stranger = await chain.wallet()
    await stranger.send(chain, [internal({ to: stranger.address, value: 1n, bounce: false })])
    const had = await stranger.balance(chain)
    const held = (await chain.account(test.channel.address)).balance
    expect((await test.from(stranger, test.channel.startClose())).exitCode).toBe(CHANNEL_EXIT.NOT_PAYER)
    expect(had - (await stranger.balance(chain))).toBeLessThan(TON / 1000n)
    expect((await chain.account(test.channel.address)).balance).toBe(held)
  })
})
