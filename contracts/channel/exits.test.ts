import { internal, type MessageRelaxed } from '@ton/core'
import { beforeAll, describe, expect, it } from 'vitest'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { CHANNEL_EXIT } from '../errors.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import type { Channel } from './channel.ts'
import { coopCloseBody, finishCloseBody, settleBody, startCloseBody, topUpBody } from './messages.ts'

const TON = 1_000_000_000n

/** Refused: this exit, nothing changed, and what was attached came back less fees. */
async function refused(
  test: TestChannel,
  wallet: TestChannel['payer'],
  message: MessageRelaxed,
  exit: number,
) {
  const { chain, channel } = test
  const before = await chain.account(channel.address)
  const wealth = await wallet.balance(chain)
  const { exitCode, success } = await test.from(wallet, message)
  expect({ exitCode, success }).toEqual({ exitCode: exit, success: false })
  const after = await chain.account(channel.address)
  expect(after.data?.hash()).toEqual(before.data?.hash())
  // Rent may have gone, and a remainder too small to pay its way back may have stayed: nothing that counts.
  expect(before.balance - after.balance).toBeLessThan(10_000n)
  expect(after.balance - before.balance).toBeLessThan(1000n)
  const lost = wealth - (await wallet.balance(chain))
  expect(lost).toBeGreaterThan(0n)
  expect(lost).toBeLessThan(TON / 20n)
}

const networks = [
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
]

describe.each(networks)('exits of the channel at $name', ({ prices }) => {
  let chain: MemoryChain
  let test: TestChannel
  let channel: Channel

  beforeAll(async () => {
    chain = await MemoryChain.create({ prices })
    test = await TestChannel.create(chain)
    channel = test.channel
    // Deploy both wallets before costs are looked at.
    await test.payee.send(chain, [internal({ to: test.payer.address, value: 1n, bounce: false })])
    await test.from(test.payer, channel.deploy(10n * TON))
    const taken = await test.from(test.payee, channel.settle(2n * TON, 4n * TON, test.voucher(4n * TON)))
    expect(taken.success).toBe(true)
  })

  it('NOT_PAYEE: only the payee settles, whoever else holds the voucher', async () => {
    const message = channel.settle(3n * TON, 4n * TON, test.voucher(4n * TON))
    await refused(test, test.payer, message, CHANNEL_EXIT.NOT_PAYEE)
    await refused(test, await chain.wallet(), message, CHANNEL_EXIT.NOT_PAYEE)
  })

  it('NOT_ABOVE_SETTLED: replayed, equal, lower and zero amounts', async () => {
    for (const amount of [2n * TON, 2n * TON - 1n, 1n, 0n]) {
      const message = channel.settle(amount, 4n * TON, test.voucher(4n * TON))
      await refused(test, test.payee, message, CHANNEL_EXIT.NOT_ABOVE_SETTLED)
    }
  })

  it('ABOVE_CEILING: not a nanoton more than the voucher', async () => {
    const message = channel.settle(4n * TON + 1n, 4n * TON, test.voucher(4n * TON))
    await refused(test, test.payee, message, CHANNEL_EXIT.ABOVE_CEILING)
  })

  it('ABOVE_DEPOSIT: a voucher above the deposit pays the deposit, not a nanoton more', async () => {
    const ceiling = 99n * TON
    const message = channel.settle(10n * TON + 1n, ceiling, test.voucher(ceiling))
    await refused(test, test.payee, message, CHANNEL_EXIT.ABOVE_DEPOSIT)
  })

  it('BAD_SIGNATURE: other ceiling, other key, other network, other channel, a release, one flipped bit', async () => {
    const other = new TestChannel(chain, test.payer, test.payee, test.voucherKey, test.payeeKey)
    const flipped = Buffer.from(test.voucher(4n * TON))
    flipped[5] = (flipped[5] ?? 0) ^ 1
    const signatures = [
      test.voucher(5n * TON),
      (await TestChannel.create(chain)).voucher(4n * TON),
      test.voucher(4n * TON, -239),
      test.voucher(4n * TON, -3),
      other.voucher(4n * TON),
      test.release(4n * TON),
      flipped,
      Buffer.alloc(64),
    ]
    for (const signature of signatures) {
      const message = channel.settle(3n * TON, 4n * TON, signature)
      await refused(test, test.payee, message, CHANNEL_EXIT.BAD_SIGNATURE)
    }
  })

  it('LOW_VALUE: too little attached names itself, and nothing moves', async () => {
    const price = prices.gas.price
    const attach = (gas: bigint, body: MessageRelaxed['body']): MessageRelaxed =>
      internal({ to: channel.address, value: (gas * price) / 65_536n, bounce: true, body })
    const voucher = test.voucher(4n * TON)
    const settle = settleBody(3n * TON, 4n * TON, voucher)
    await refused(test, test.payee, attach(5990n, settle), CHANNEL_EXIT.LOW_VALUE)
    await refused(test, test.payer, attach(6990n, startCloseBody()), CHANNEL_EXIT.LOW_VALUE)
    await refused(
      test,
      test.payer,
      attach(7990n, coopCloseBody(2n * TON, test.release(2n * TON))),
      CHANNEL_EXIT.LOW_VALUE,
    )
    const topUp = internal({ to: channel.address, value: TON, bounce: true, body: topUpBody(TON) })
    await refused(test, test.payer, topUp, CHANNEL_EXIT.LOW_VALUE)
    // Less than the gas: the TVM stops (-14), with the same outcome.
    await refused(test, test.payee, attach(1500n, settle), -14)
  })

  it('NOT_PAYER: only the payer closes', async () => {
    await refused(test, test.payee, channel.startClose(), CHANNEL_EXIT.NOT_PAYER)
    const close = channel.coopClose(2n * TON, test.release(2n * TON))
    await refused(test, test.payee, close, CHANNEL_EXIT.NOT_PAYER)
  })

  it('NOT_CLOSING: no finish without a start', async () => {
    await refused(test, test.payer, channel.finishClose(), CHANNEL_EXIT.NOT_CLOSING)
  })

  it('a release is held to the same bounds as a voucher', async () => {
    const closeWith = (amount: bigint, signature: Buffer) => channel.coopClose(amount, signature)
    const low = closeWith(TON, test.release(TON))
    await refused(test, test.payer, low, CHANNEL_EXIT.NOT_ABOVE_SETTLED)
    const high = closeWith(11n * TON, test.release(11n * TON))
    await refused(test, test.payer, high, CHANNEL_EXIT.ABOVE_DEPOSIT)
    const other = new TestChannel(chain, test.payer, test.payee, test.voucherKey, test.payeeKey)
    for (const signature of [
      test.release(3n * TON),
      test.release(2n * TON, -239),
      other.release(2n * TON),
      test.voucher(2n * TON),
    ]) {
      await refused(test, test.payer, closeWith(2n * TON, signature), CHANNEL_EXIT.BAD_SIGNATURE)
    }
  })

  it('ZERO_AMOUNT and UNKNOWN_OP: no empty top-up, no unknown or empty message', async () => {
    await refused(test, test.payer, channel.topUp(0n), CHANNEL_EXIT.ZERO_AMOUNT)
    const plain = internal({ to: channel.address, value: TON / 50n, bounce: true })
    await refused(test, test.payer, plain, CHANNEL_EXIT.UNKNOWN_OP)
    const text = internal({ to: channel.address, value: TON / 50n, bounce: true, body: 'hello' })
    await refused(test, test.payer, text, CHANNEL_EXIT.UNKNOWN_OP)
  })

  it('takes no external message', async () => {
    const { beginCell, external, storeMessage } = await import('@ton/core')
    const body = settleBody(3n * TON, 4n * TON, test.voucher(4n * TON))
    const boc = beginCell()
      .store(storeMessage(external({ to: channel.address, body })))
      .endCell()
      .toBoc()
    await expect(chain.send(boc)).rejects.toMatchObject({ code: 'ERR_CHAIN_REJECTED' })
  })

  it('CLOSING and TOO_EARLY: while closing no top-up and no second start; the challenge period runs out in full', async () => {
    const start = await test.from(test.payer, channel.startClose())
    expect(start.success).toBe(true)
    await refused(test, test.payer, channel.topUp(TON), CHANNEL_EXIT.CLOSING)
    await refused(test, test.payer, channel.startClose(), CHANNEL_EXIT.CLOSING)
    chain.time += test.params.challengeSeconds - 1
    await refused(test, test.payer, channel.finishClose(), CHANNEL_EXIT.TOO_EARLY)
    await refused(test, test.payee, channel.finishClose(), CHANNEL_EXIT.TOO_EARLY)
    chain.time += 1
    const low = internal({
      to: channel.address,
      value: (7990n * prices.gas.price) / 65_536n,
      body: finishCloseBody(),
    })
    await refused(test, test.payer, low, CHANNEL_EXIT.LOW_VALUE)
    expect((await test.from(test.payee, channel.finishClose())).success).toBe(true)
    expect((await chain.account(channel.address)).state).toBe('none')
  })

  it('OPEN_EXPIRED: a destroyed channel cannot be opened again, and old vouchers die with it', async () => {
    const before = await test.payer.balance(chain)
    const again = await test.from(test.payer, channel.deploy(10n * TON))
    expect(again.exitCode).toBe(CHANNEL_EXIT.OPEN_EXPIRED)
    expect(before - (await test.payer.balance(chain))).toBeLessThan(TON / 20n)
    // The refused message brought the code back, but with nothing in it and nothing to be put into it.
    expect((await chain.account(channel.address)).balance).toBe(0n)
    await refused(test, test.payer, channel.topUp(TON), CHANNEL_EXIT.OPEN_EXPIRED)
    const replay = channel.settle(4n * TON, 4n * TON, test.voucher(4n * TON))
    await refused(test, test.payee, replay, CHANNEL_EXIT.ABOVE_DEPOSIT)
  })

  it('conserves every nanoton', () => {
    expect(chain.total()).toBe(1_000_000_000n * TON)
  })
})
