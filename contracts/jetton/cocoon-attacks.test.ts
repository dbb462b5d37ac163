/** Where a jetton makes a difference to the attacks of ../channel/cocoon-attacks.test.ts, the channel of jettons. */

import { beginCell, internal } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { JETTON_CHANNEL_EXIT as EXIT } from '../errors.ts'
import { MemoryChain } from '../testing.ts'
import { signVoucher } from '../voucher/voucher.ts'
import { JETTON_OP, jettonTransferBody } from './messages.ts'
import { LOCKED, TestJettonChannel } from './testing/jetton.ts'

const TON = 1_000_000_000n
const USD = 1_000_000n
const DAY = 86_400

let test: TestJettonChannel

beforeEach(async () => {
  test = await TestJettonChannel.create(await MemoryChain.create())
  await test.from(test.payer, test.channel.open())
  await test.from(test.payer, test.channel.deposit(test.payer.address, 20n * USD))
})

const settle = (amount: bigint, ceiling = amount) =>
  test.from(test.payee, test.channel.settle(amount, ceiling, test.voucher(ceiling)))

describe('A, phantom top-up drain: a deposit that is sent back, yet credited', () => {
  it.each([
    { way: 'goes back', forwardTon: 30_000_000n, owed: 0n },
    { way: 'cannot go back', forwardTon: 3_000_000n, owed: 10n * USD },
  ])('while closing, one that $way: is not within reach of either party', async ({ forwardTon, owed }) => {
    const { channel, payer, jetton } = test
    await test.from(payer, channel.startClose())
    const to = jetton.walletOf(payer.address)
    const transfer = { amount: 10n * USD, to: channel.address, excessTo: payer.address, forwardTon }
    const body = jettonTransferBody(transfer)
    for (let round = 1n; round <= 2n; round++) {
      await payer.send(test.chain, [internal({ to, value: TON / 10n, body })])
      expect(await test.state()).toMatchObject({ deposited: 20n * USD, unpaidPayer: round * owed })
    }
    expect((await settle(21n * USD)).exitCode).toBe(EXIT.ABOVE_DEPOSIT)
    await settle(20n * USD)
    test.chain.time += 3600
    await test.from(payer, channel.finishClose())
    if (owed > 0n) await test.from(payer, channel.retry())
    expect(await test.holdings()).toEqual({ payer: 980n * USD, payee: 20n * USD, channel: 0n })
    expect((await test.from(payer, channel.retry())).exitCode).toBe(EXIT.NOTHING_OWED)
  })

  it('by a notification of jettons that never came, or of a transfer that never bounced: credits nothing', async () => {
    const { channel, payer, payee } = test
    const notification = beginCell().storeUint(JETTON_OP.transferNotification, 32).storeUint(0, 64)
    const body = notification
      .storeCoins(50n * USD)
      .storeAddress(payer.address)
      .endCell()
    for (const wallet of [payer, payee]) {
      await test.from(wallet, internal({ to: channel.address, value: TON, body }))
    }
    const bounce = beginCell().storeUint(0xffffffff, 32).storeUint(JETTON_OP.transfer, 32).storeUint(1, 64)
    const forged = internal({ to: channel.address, value: TON, body: bounce.storeCoins(5n * USD).endCell() })
    if (forged.info.type === 'internal') forged.info.bounced = true
    await test.chain.deliver(payee.address, forged)
    expect(await test.state()).toMatchObject({ deposited: 20n * USD, unpaidPayee: 0n, unpaidPayer: 0n })
  })
})

describe('B and C, state that is advanced although the payment failed', () => {
  it('worker payout that bounces: stays owed, is claimed once, and is paid in full later', async () => {
    const { channel, jetton, payee } = test
    await jetton.lock(channel.address, LOCKED.out)
    await settle(9n * USD)
    expect(await test.state()).toMatchObject({ settled: 9n * USD, unpaidPayee: 9n * USD })
    await jetton.lock(channel.address, 0)
    await test.from(payee, channel.retry())
    expect((await test.from(payee, channel.retry())).exitCode).toBe(EXIT.NOTHING_OWED)
    expect(await test.holdings()).toMatchObject({ payee: 9n * USD, channel: 11n * USD })
  })

  it('client refund that bounces: stays owed after the close, and keeps the contract there until it is paid', async () => {
    const { channel, chain, jetton, payer } = test
    await test.from(payer, channel.startClose())
    await jetton.lock(channel.address, LOCKED.out)
    chain.time += 3600
    await test.from(payer, channel.finishClose())
    expect(await test.state()).toMatchObject({ finished: true, unpaidPayer: 20n * USD })
    chain.time += DAY
    expect((await test.from(payer, channel.finishClose())).exitCode).toBe(EXIT.STILL_OWED)
    await jetton.lock(channel.address, 0)
    await test.from(payer, channel.retry())
    expect(await test.holdings()).toMatchObject({ payer: 1000n * USD })
  })
})

it("B, forced refund above the proxy's stake: pays the whole remainder, whatever the channel holds in tons", async () => {
  const { channel, chain, payer } = test
  await test.from(payer, channel.startClose())
  chain.time += 3600
  await test.from(payer, channel.finishClose())
  expect(await test.holdings()).toEqual({ payer: 1000n * USD, payee: 0n, channel: 0n })
})

it("E, a key of the proxy that can do everything: the payee's key signs no voucher, and a sweep is the payer's", async () => {
  const { channel, base, payee, chain } = test
  const terms = { globalId: chain.globalId, channel: channel.address, ceiling: 2n ** 63n }
  const own = signVoucher(base.payeeKey, terms)
  expect((await test.from(payee, channel.settle(USD, 2n ** 63n, own))).exitCode).toBe(EXIT.BAD_SIGNATURE)
  expect((await test.from(payee, channel.sweep(USD))).exitCode).toBe(EXIT.NOT_PAYER)
  const close = channel.coopClose(20n * USD, test.release(20n * USD))
  expect((await test.from(payee, close)).exitCode).toBe(EXIT.NOT_PAYER)
  expect(await test.holdings()).toMatchObject({ payee: 0n, channel: 20n * USD })
})

it('D, a lost key: without the payee, wallet and key, the payer alone gets everything back', async () => {
  const { channel, chain, payer } = test
  await test.from(payer, channel.startClose())
  chain.time += 3600
  await test.from(payer, channel.finishClose())
  chain.time += DAY
  await test.from(payer, channel.finishClose())
  expect(await test.holdings()).toEqual({ payer: 1000n * USD, payee: 0n, channel: 0n })
  expect((await chain.account(channel.address)).state).toBe('none')
})
