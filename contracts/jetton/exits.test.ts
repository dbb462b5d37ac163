import { beginCell, external, internal, type MessageRelaxed, storeMessage } from '@ton/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { coopCloseBody, finishCloseBody, settleBody, startCloseBody } from '../channel/messages.ts'
import { JETTON_CHANNEL_EXIT as EXIT } from '../errors.ts'
import { MemoryChain } from '../testing.ts'
import type { Wallet } from '../wallet/wallet.ts'
import type { JettonChannel } from './jetton-channel.ts'
import { openBody, retryBody, sweepBody } from './messages.ts'
import { TestJettonChannel } from './testing/jetton.ts'

const TON = 1_000_000_000n
const USD = 1_000_000n

/** Refused: this exit, nothing changed, no jetton moved, and what was attached came back less fees. */
async function refused(test: TestJettonChannel, wallet: Wallet, message: MessageRelaxed, exit: number) {
  const { chain, channel } = test
  const before = await chain.account(channel.address)
  const holdings = await test.holdings()
  const wealth = await wallet.balance(chain)
  const { exitCode, success } = await test.from(wallet, message)
  expect({ exitCode, success }).toEqual({ exitCode: exit, success: false })
  const after = await chain.account(channel.address)
  expect(after.data?.hash()).toEqual(before.data?.hash())
  expect(await test.holdings()).toEqual(holdings)
  // Rent of a day may have gone, and a remainder too small to pay its way back may have stayed: nothing that counts.
  expect(before.balance - after.balance).toBeLessThan(100_000n)
  expect(after.balance - before.balance).toBeLessThan(1000n)
  expect(wealth - (await wallet.balance(chain))).toBeLessThan(TON / 30n)
}

describe.each([
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
])('exits of the jetton channel at $name', ({ prices }) => {
  let chain: MemoryChain
  let test: TestJettonChannel
  let channel: JettonChannel
  /** A message that brings the price of so much gas. */
  const worth = (gas: bigint, body: MessageRelaxed['body']): MessageRelaxed =>
    internal({ to: channel.address, value: (gas * prices.gas.price) / 65_536n, bounce: true, body })

  beforeAll(async () => {
    chain = await MemoryChain.create({ prices })
    test = await TestJettonChannel.create(chain)
    channel = test.channel
    await test.payee.send(chain, [internal({ to: test.payer.address, value: 1n, bounce: false })])
    await test.from(test.payer, channel.open())
    await test.from(test.payer, channel.deposit(test.payer.address, 10n * USD))
    const taken = await test.from(test.payee, channel.settle(2n * USD, 4n * USD, test.voucher(4n * USD)))
    expect(taken.success).toBe(true)
  })

  it('NOT_PAYEE, NOT_PAYER: each party does its own part only', async () => {
    const message = channel.settle(3n * USD, 4n * USD, test.voucher(4n * USD))
    await refused(test, test.payer, message, EXIT.NOT_PAYEE)
    await refused(test, await chain.wallet(), message, EXIT.NOT_PAYEE)
    await refused(test, test.payee, channel.startClose(), EXIT.NOT_PAYER)
    await refused(test, test.payee, channel.coopClose(2n * USD, test.release(2n * USD)), EXIT.NOT_PAYER)
    await refused(test, test.payee, channel.sweep(USD), EXIT.NOT_PAYER)
  })

  it('NOT_ABOVE_SETTLED: replayed, equal, lower and zero amounts', async () => {
    for (const amount of [2n * USD, 2n * USD - 1n, 1n, 0n]) {
      const message = channel.settle(amount, 4n * USD, test.voucher(4n * USD))
      await refused(test, test.payee, message, EXIT.NOT_ABOVE_SETTLED)
    }
    await refused(test, test.payer, channel.coopClose(USD, test.release(USD)), EXIT.NOT_ABOVE_SETTLED)
  })

  it('ABOVE_CEILING, ABOVE_DEPOSIT: not a unit more than voucher and deposit', async () => {
    const over = channel.settle(4n * USD + 1n, 4n * USD, test.voucher(4n * USD))
    await refused(test, test.payee, over, EXIT.ABOVE_CEILING)
    const rich = channel.settle(10n * USD + 1n, 99n * USD, test.voucher(99n * USD))
    await refused(test, test.payee, rich, EXIT.ABOVE_DEPOSIT)
    await refused(test, test.payer, channel.coopClose(11n * USD, test.release(11n * USD)), EXIT.ABOVE_DEPOSIT)
  })

  it('BAD_SIGNATURE: other ceiling, key, network or channel, the TON channel of the same parties, a release', async () => {
    const sibling = new TestJettonChannel(test.jetton, test.base)
    const flipped = Buffer.from(test.voucher(4n * USD))
    flipped[5] = (flipped[5] ?? 0) ^ 1
    const signatures = [
      test.voucher(5n * USD),
      (await TestJettonChannel.create(chain)).voucher(4n * USD),
      test.voucher(4n * USD, -239),
      test.voucher(4n * USD, -3),
      sibling.voucher(4n * USD),
      test.base.voucher(4n * USD),
      test.release(4n * USD),
      flipped,
      Buffer.alloc(64),
    ]
    for (const signature of signatures) {
      await refused(test, test.payee, channel.settle(3n * USD, 4n * USD, signature), EXIT.BAD_SIGNATURE)
    }
    for (const signature of [
      test.voucher(2n * USD),
      test.base.release(2n * USD),
      sibling.release(2n * USD),
    ]) {
      await refused(test, test.payer, channel.coopClose(2n * USD, signature), EXIT.BAD_SIGNATURE)
    }
  })

  it('LOW_VALUE: what would starve on its way is not sent off', async () => {
    const settle = settleBody(3n * USD, 4n * USD, test.voucher(4n * USD))
    await refused(test, test.payee, worth(71_990n, settle), EXIT.LOW_VALUE)
    await refused(test, test.payer, worth(11_990n, startCloseBody()), EXIT.LOW_VALUE)
    await refused(test, test.payer, worth(11_990n, openBody()), EXIT.LOW_VALUE)
    await refused(test, test.payee, worth(71_990n, retryBody()), EXIT.LOW_VALUE)
    const close = coopCloseBody(3n * USD, test.release(3n * USD))
    await refused(test, test.payer, worth(131_990n, close), EXIT.LOW_VALUE)
    // Less than the gas: the TVM stops (-14), with the same outcome.
    await refused(test, test.payee, worth(2500n, settle), -14)
  })

  it('NOT_CLOSING, NOTHING_OWED: no finish and no sweep without a close, no retry of nothing', async () => {
    await refused(test, test.payer, channel.finishClose(), EXIT.NOT_CLOSING)
    await refused(test, test.payer, channel.sweep(USD), EXIT.NOT_CLOSING)
    await refused(test, test.payer, channel.retry(), EXIT.NOTHING_OWED)
  })

  it('UNKNOWN_OP: no unknown or empty message, no top-up in tons, no external message', async () => {
    for (const body of [
      undefined,
      'hello',
      beginCell().storeUint(0x43480001, 32).storeCoins(TON).endCell(),
    ]) {
      const message = internal({
        to: channel.address,
        value: TON / 20n,
        bounce: true,
        ...(body ? { body } : {}),
      })
      await refused(test, test.payer, message, EXIT.UNKNOWN_OP)
    }
    const body = settleBody(3n * USD, 4n * USD, test.voucher(4n * USD))
    const boc = beginCell()
      .store(storeMessage(external({ to: channel.address, body })))
      .endCell()
      .toBoc()
    await expect(chain.send(boc)).rejects.toMatchObject({ code: 'ERR_CHAIN_REJECTED' })
  })

  it('CLOSING, TOO_EARLY: the challenge period runs out in full, and so does the day after', async () => {
    expect((await test.from(test.payer, channel.startClose())).success).toBe(true)
    await refused(test, test.payer, channel.startClose(), EXIT.CLOSING)
    await refused(test, test.payer, channel.sweep(USD), EXIT.TOO_EARLY)
    chain.time += test.params.challengeSeconds - 1
    await refused(test, test.payer, channel.finishClose(), EXIT.TOO_EARLY)
    chain.time += 1
    await refused(test, test.payee, worth(71_990n, finishCloseBody()), EXIT.LOW_VALUE)
    expect((await test.from(test.payee, channel.finishClose())).success).toBe(true)
    chain.time += 86_399
    await refused(test, test.payee, channel.finishClose(), EXIT.TOO_EARLY)
    chain.time += 1
    await refused(test, test.payer, worth(71_990n, sweepBody(1n)), EXIT.LOW_VALUE)
    await refused(test, test.payer, worth(11_990n, finishCloseBody()), EXIT.LOW_VALUE)
    expect((await test.from(test.payee, channel.finishClose())).success).toBe(true)
    expect((await chain.account(channel.address)).state).toBe('none')
  })

  it('OPEN_EXPIRED: what was removed cannot be opened again', async () => {
    expect((await test.from(test.payer, channel.open())).exitCode).toBe(EXIT.OPEN_EXPIRED)
    await refused(test, test.payer, channel.open(), EXIT.OPEN_EXPIRED)
  })

  it('conserves every nanoton and every jetton', async () => {
    expect(chain.total()).toBe(TON * TON)
    expect(await test.holdings()).toEqual({ payer: 998n * USD, payee: 2n * USD, channel: 0n })
  })
})
