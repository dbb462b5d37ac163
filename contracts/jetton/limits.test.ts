/** The edges of the jetton channel: dust, order of arrival, one party at both ends, external messages. */

import { beginCell, external, storeMessage } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { JETTON_CHANNEL_EXIT as EXIT } from '../errors.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import { TestJettonChannel } from './testing/jetton.ts'

const USD = 1_000_000n
const DAY = 86_400

let chain: MemoryChain
let test: TestJettonChannel

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestJettonChannel.create(chain)
  await test.from(test.payer, test.channel.open())
  await test.from(test.payer, test.channel.deposit(test.payer.address, 10n * USD))
})

const settle = (amount: bigint, ceiling = amount) =>
  test.from(test.payee, test.channel.settle(amount, ceiling, test.voucher(ceiling)))

it('dust: one unit is deposited, settled and returned exactly', async () => {
  await test.from(test.payer, test.channel.deposit(test.payer.address, 1n))
  expect(await test.state()).toMatchObject({ deposited: 10n * USD + 1n })
  expect((await settle(1n)).success).toBe(true)
  await test.from(test.payer, test.channel.coopClose(1n, test.release(1n)))
  expect(await test.holdings()).toEqual({ payer: 1000n * USD - 1n, payee: 1n, channel: 0n })
})

describe('order of arrival', () => {
  it.each(['settle first', 'finish first'])('race of settle and finish, %s', async (order) => {
    const { channel, payer } = test
    await test.from(payer, channel.startClose())
    chain.time += 3600
    const finish = () => test.from(payer, channel.finishClose())
    if (order === 'settle first') {
      expect((await settle(3n * USD)).success).toBe(true)
      expect((await finish()).success).toBe(true)
      expect(await test.holdings()).toEqual({ payer: 997n * USD, payee: 3n * USD, channel: 0n })
    } else {
      expect((await finish()).success).toBe(true)
      expect((await settle(3n * USD)).exitCode).toBe(EXIT.ABOVE_DEPOSIT)
      expect(await test.holdings()).toEqual({ payer: 1000n * USD, payee: 0n, channel: 0n })
    }
  })

  it.each(['deposit first', 'start first'])('race of deposit and StartClose, %s', async (order) => {
    const { channel, payer } = test
    const deposit = () => test.from(payer, channel.deposit(payer.address, 5n * USD))
    const start = () => test.from(payer, channel.startClose())
    for (const act of order === 'deposit first' ? [deposit, start] : [start, deposit]) await act()
    const kept = order === 'deposit first' ? 15n * USD : 10n * USD
    expect(await test.holdings()).toMatchObject({ channel: kept, payer: 1000n * USD - kept })
    chain.time += 3600
    await test.from(payer, channel.finishClose())
    expect(await test.holdings()).toMatchObject({ channel: 0n, payer: 1000n * USD })
  })
})

it('works when payer and payee are one', async () => {
  const { payer, base, jetton } = test
  const one = new TestChannel(chain, payer, payer, base.voucherKey, base.payeeKey)
  const both = new TestJettonChannel(jetton, one)
  await both.from(payer, both.channel.open())
  await both.from(payer, both.channel.deposit(payer.address, 5n * USD))
  expect((await both.from(payer, both.channel.settle(USD, USD, both.voucher(USD)))).success).toBe(true)
  chain.time += 601
  await both.from(payer, both.channel.coopClose(2n * USD, both.release(2n * USD)))
  expect(await jetton.balance(payer.address)).toBe(990n * USD)
  chain.time += DAY
  expect((await both.from(payer, both.channel.finishClose())).success).toBe(true)
})

it('external messages before accept: any of them is refused before it costs the channel anything', async () => {
  const { channel } = test
  const before = await chain.account(channel.address)
  for (const { body } of [
    channel.settle(USD, USD, test.voucher(USD)),
    channel.startClose(),
    channel.retry(),
  ]) {
    const boc = beginCell()
      .store(storeMessage(external({ to: channel.address, body })))
      .endCell()
      .toBoc()
    await expect(chain.send(boc)).rejects.toMatchObject({ code: 'ERR_CHAIN_REJECTED' })
  }
  const after = await chain.account(channel.address)
  expect([after.balance, after.lastLt]).toEqual([before.balance, before.lastLt])
})
