import { beginCell, internal, type MessageRelaxed } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { JETTON_CHANNEL_EXIT } from '../errors.ts'
import { MemoryChain } from '../testing.ts'
import { requireSameWallet } from './jetton-channel.ts'
import { JETTON_ATTACH, JETTON_RENT_RESERVE, jettonTransferBody, sweepBody } from './messages.ts'
import { LOCKED, TestJettonChannel } from './testing/jetton.ts'

const TON = 1_000_000_000n
const USD = 1_000_000n
const DAY = 86_400
const YEAR = 31_557_600

async function opened(prices = PRICES_2026_06, overrides = {}): Promise<TestJettonChannel> {
  const test = await TestJettonChannel.create(await MemoryChain.create({ prices }), overrides)
  expect((await test.from(test.payer, test.channel.open())).success).toBe(true)
  expect((await test.from(test.payer, test.channel.deposit(test.payer.address, 10n * USD))).success).toBe(
    true,
  )
  return test
}

const settle = (test: TestJettonChannel, amount: bigint, ceiling = amount) =>
  test.from(test.payee, test.channel.settle(amount, ceiling, test.voucher(ceiling)))

/** A deposit with `forwardTon` nanotons of notification. */
function deposit(test: TestJettonChannel, amount: bigint, forwardTon: bigint): MessageRelaxed {
  const { payer, channel, jetton } = test
  const transfer = { amount, to: channel.address, excessTo: payer.address, forwardTon }
  return internal({
    to: jetton.walletOf(payer.address),
    value: TON / 10n,
    body: jettonTransferBody(transfer),
  })
}

/** What a wallet's tons lost by `work`. */
async function cost(
  test: TestJettonChannel,
  wallet: TestJettonChannel['payer'],
  work: () => Promise<unknown>,
) {
  const before = await wallet.balance(test.chain)
  await work()
  return before - (await wallet.balance(test.chain))
}

describe.each([
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
])('life of a jetton channel at $name', ({ prices }) => {
  it('opens, takes deposits, settles in part and in full, closes, and is removed a day later', async () => {
    const test = await opened(prices)
    const { channel, chain, payer, payee } = test
    expect(await test.state()).toMatchObject({ deposited: 10n * USD, settled: 0n, closeAt: 0 })
    await test.from(payer, channel.deposit(payer.address, 5n * USD))
    expect((await settle(test, 2n * USD, 4n * USD)).success).toBe(true)
    expect(await cost(test, payee, () => settle(test, 4n * USD))).toBeLessThan(TON / 50n)
    expect(await test.holdings()).toEqual({ payer: 985n * USD, payee: 4n * USD, channel: 11n * USD })
    await test.from(payer, channel.startClose())
    expect((await settle(test, 5n * USD)).success).toBe(true)
    chain.time += 3600
    expect((await test.from(payee, channel.finishClose())).success).toBe(true)
    expect(await test.holdings()).toEqual({ payer: 995n * USD, payee: 5n * USD, channel: 0n })
    expect(await test.state()).toMatchObject({ deposited: 5n * USD, settled: 5n * USD, finished: true })
    chain.time += DAY
    const before = await payer.balance(chain)
    expect((await test.from(payee, channel.finishClose())).success).toBe(true)
    expect((await payer.balance(chain)) - before).toBeGreaterThan(JETTON_RENT_RESERVE)
    expect((await chain.account(channel.address)).state).toBe('none')
    expect(chain.total()).toBe(TON * TON)
  })

  it('closes at once when both agree', async () => {
    const test = await opened(prices)
    await settle(test, USD)
    const close = test.channel.coopClose(4n * USD, test.release(4n * USD))
    expect((await test.from(test.payer, close)).success).toBe(true)
    expect(await test.holdings()).toEqual({ payer: 996n * USD, payee: 4n * USD, channel: 0n })
    expect(await test.state()).toMatchObject({ deposited: 4n * USD, settled: 4n * USD, finished: true })
    expect((await settle(test, 5n * USD)).exitCode).toBe(JETTON_CHANNEL_EXIT.ABOVE_DEPOSIT)
    test.chain.time += DAY
    expect((await test.from(test.payer, test.channel.finishClose())).success).toBe(true)
    expect((await test.chain.account(test.channel.address)).state).toBe('none')
  })

  it('pays for what each operation needs, so that no transfer starves on its way', async () => {
    const test = await opened(prices)
    // The least that the contract takes is enough for the whole way to a wallet that is not there yet.
    const message = test.channel.settle(USD, USD, test.voucher(USD))
    const least = (72_010n * prices.gas.price) / 65_536n
    if (message.info.type === 'internal') message.info.value.coins = least
    expect((await test.from(test.payee, message)).success).toBe(true)
    expect(await test.jetton.balance(test.payee.address)).toBe(USD)
  })
})

describe('a transfer that bounces', () => {
  it('stays owed to the payee, whatever happens to the channel meanwhile, until it is ordered again', async () => {
    const test = await opened()
    const { channel, chain, jetton, payer, payee } = test
    await jetton.lock(channel.address, LOCKED.out)
    const lost = await cost(test, payee, () => settle(test, 3n * USD))
    // The tons of the transfer came back to the payee.
    expect(lost).toBeLessThan(TON / 100n)
    const owed = { deposited: 10n * USD, settled: 3n * USD, unpaidPayee: 3n * USD }
    expect(await test.state()).toMatchObject(owed)
    expect((await settle(test, 3n * USD)).exitCode).toBe(JETTON_CHANNEL_EXIT.NOT_ABOVE_SETTLED)
    // Tried in vain, it is owed as before.
    await test.from(payer, channel.retry())
    expect(await test.state()).toMatchObject(owed)
    await test.from(payer, channel.startClose())
    chain.time += 3600
    await test.from(payer, channel.finishClose())
    expect(await test.state()).toMatchObject({ unpaidPayee: 3n * USD, unpaidPayer: 7n * USD, finished: true })
    chain.time += DAY
    const finish = await test.from(payer, channel.finishClose())
    expect(finish.exitCode).toBe(JETTON_CHANNEL_EXIT.STILL_OWED)
    expect((await test.from(payer, channel.sweep(USD))).exitCode).toBe(JETTON_CHANNEL_EXIT.STILL_OWED)
    await jetton.lock(channel.address, 0)
    await test.from(payer, channel.retry())
    await test.from(payer, channel.retry())
    expect(await test.holdings()).toEqual({ payer: 997n * USD, payee: 3n * USD, channel: 0n })
    // A retry is a transfer: it has its day too.
    expect((await test.from(payer, channel.finishClose())).exitCode).toBe(JETTON_CHANNEL_EXIT.TOO_EARLY)
    chain.time += DAY
    expect((await test.from(payer, channel.finishClose())).success).toBe(true)
  })

  it('of a cooperative close keeps both shares as agreed', async () => {
    const test = await opened()
    await test.jetton.lock(test.channel.address, LOCKED.out)
    await test.from(test.payer, test.channel.coopClose(4n * USD, test.release(4n * USD)))
    expect(await test.state()).toMatchObject({ unpaidPayee: 4n * USD, unpaidPayer: 6n * USD })
    await test.jetton.lock(test.channel.address, 0)
    await test.from(test.payee, test.channel.retry())
    await test.from(test.payee, test.channel.retry())
    expect(await test.holdings()).toEqual({ payer: 996n * USD, payee: 4n * USD, channel: 0n })
  })

  it('is believed of the own jetton wallet only: jettons of no worth cannot make a debt', async () => {
    const test = await opened()
    const { channel, payer } = test
    const { jetton } = await TestJettonChannel.create(test.chain)
    await jetton.mint(payer.address, 50n * USD)
    const send = (forwardTon: bigint) => {
      const transfer = { amount: 5n * USD, to: channel.address, excessTo: payer.address, forwardTon }
      const to = jetton.walletOf(payer.address)
      return payer.send(test.chain, [internal({ to, value: TON, body: jettonTransferBody(transfer) })])
    }
    await send(1n)
    // The channel's wallet of that jetton refuses to send back, so the order bounces.
    await jetton.lock(channel.address, LOCKED.out)
    await send(TON / 10n)
    expect(test.chain.last.filter(({ account }) => account.equals(channel.address))).toHaveLength(2)
    expect(await test.state()).toMatchObject({ unpaidPayee: 0n, unpaidPayer: 0n, deposited: 10n * USD })
  })
})

describe('notifications', () => {
  it('forged: from anyone but the own wallet they credit nothing, whatever they say', async () => {
    const test = await opened()
    const other = await TestJettonChannel.create(test.chain)
    const body = beginCell()
      .storeUint(0x7362d09c, 32)
      .storeUint(0, 64)
      .storeCoins(1000n * USD)
      .storeAddress(test.payer.address)
      .storeBit(false)
      .endCell()
    const forged = internal({ to: test.channel.address, value: TON, bounce: true, body })
    for (const wallet of [test.payer, test.payee, other.payer]) {
      const lost = await cost(test, wallet, () => test.from(wallet, forged))
      // It got its own tons back, with an order of jettons that means nothing to it.
      expect(lost).toBeLessThan(TON / 50n)
      expect(await test.state()).toMatchObject({ deposited: 10n * USD, unpaidPayer: 0n })
    }
    const poor = internal({ to: test.channel.address, value: TON / 1000n, bounce: true, body })
    expect((await test.from(test.payer, poor)).exitCode).toBe(JETTON_CHANNEL_EXIT.LOW_VALUE)
    expect(await test.jetton.balance(test.channel.address)).toBe(10n * USD)
  })

  it('forged: before the first deposit, when the contract has not seen its wallet yet', async () => {
    const test = await TestJettonChannel.create(await MemoryChain.create())
    await test.from(test.payer, test.channel.open())
    const body = beginCell()
      .storeUint(0x7362d09c, 32)
      .storeUint(0, 64)
      .storeCoins(1000n * USD)
      .storeAddress(test.payer.address)
      .endCell()
    await test.from(test.payer, internal({ to: test.channel.address, value: TON, body }))
    expect(await test.state()).toMatchObject({ deposited: 0n, jettonWallet: null })
  })

  it('of another jetton send it back to whom it came from', async () => {
    const test = await opened()
    const { channel, payer } = test
    const other = await TestJettonChannel.create(test.chain)
    await other.jetton.mint(payer.address, 50n * USD)
    const wrong = internal({
      to: other.jetton.walletOf(payer.address),
      value: TON / 5n,
      body: jettonTransferBody({
        amount: USD,
        to: channel.address,
        excessTo: payer.address,
        forwardTon: TON / 30n,
      }),
    })
    await test.from(payer, wrong)
    expect(await other.jetton.balance(payer.address)).toBe(50n * USD)
    expect(await test.state()).toMatchObject({ deposited: 10n * USD })
  })

  it('while closing send the deposit back, or keep it for the payer if they bring too little for the way', async () => {
    const test = await opened()
    const { payer, payee, channel } = test
    await test.from(payer, channel.startClose())
    await test.from(payer, channel.deposit(payer.address, USD))
    expect(await test.holdings()).toMatchObject({ payer: 990n * USD, channel: 10n * USD })
    await test.from(payer, deposit(test, USD, TON / 1000n))
    expect(await test.state()).toMatchObject({ deposited: 10n * USD, unpaidPayer: USD })
    // Not within the payee's reach.
    expect((await settle(test, 11n * USD)).exitCode).toBe(JETTON_CHANNEL_EXIT.ABOVE_DEPOSIT)
    await test.from(payee, channel.retry())
    expect(await test.holdings()).toMatchObject({ payer: 990n * USD, channel: 10n * USD })
    expect(await test.state()).toMatchObject({ unpaidPayer: 0n, settled: 0n })
  })

  it('after the end cannot open the channel again: old vouchers meet no new deposit', async () => {
    const test = await opened()
    const { channel, chain, payer, payee } = test
    await settle(test, 2n * USD, 9n * USD)
    await test.from(payer, channel.startClose())
    chain.time += 3600
    await test.from(payer, channel.finishClose())
    chain.time += DAY
    await test.from(payer, channel.finishClose())
    expect((await test.from(payer, channel.open())).exitCode).toBe(JETTON_CHANNEL_EXIT.OPEN_EXPIRED)
    const before = await test.holdings()
    await test.from(payer, channel.deposit(payer.address, 5n * USD))
    // The refused opening brought the code back, and the code sends the deposit back.
    expect(await test.holdings()).toEqual(before)
    const replay = await settle(test, 9n * USD)
    expect(replay.exitCode).toBe(JETTON_CHANNEL_EXIT.ABOVE_DEPOSIT)
    await test.from(payer, deposit(test, 5n * USD, TON / 1000n))
    expect(await test.state()).toMatchObject({ deposited: 0n, unpaidPayer: 5n * USD })
    await test.from(payee, channel.retry())
    expect(await test.holdings()).toEqual(before)
  })
})

describe('jettons that the channel was never told of', () => {
  it('go to the payer by a sweep once all is wound up, and not before', async () => {
    const test = await opened()
    const { channel, chain, jetton, payer } = test
    // As common wallets send: a forward of one nanoton, for which no contract can run.
    await payer.send(chain, [deposit(test, 3n * USD, 1n)])
    expect(await test.state()).toMatchObject({ deposited: 10n * USD })
    expect(await jetton.balance(channel.address)).toBe(13n * USD)
    const sweep = () => test.from(payer, channel.sweep(3n * USD))
    expect((await sweep()).exitCode).toBe(JETTON_CHANNEL_EXIT.NOT_CLOSING)
    await test.from(payer, channel.startClose())
    expect((await sweep()).exitCode).toBe(JETTON_CHANNEL_EXIT.TOO_EARLY)
    chain.time += 3600
    expect((await sweep()).exitCode).toBe(JETTON_CHANNEL_EXIT.TOO_EARLY)
    await test.from(payer, channel.finishClose())
    expect((await sweep()).exitCode).toBe(JETTON_CHANNEL_EXIT.TOO_EARLY)
    chain.time += DAY
    expect((await test.from(test.payee, channel.sweep(USD))).exitCode).toBe(JETTON_CHANNEL_EXIT.NOT_PAYER)
    expect((await sweep()).success).toBe(true)
    expect(await test.holdings()).toEqual({ payer: 1000n * USD, payee: 0n, channel: 0n })
    // More than there is bounces and changes nothing.
    await sweep()
    expect(await test.state()).toMatchObject({ unpaidPayer: 0n, finished: true })
  })

  it('even when they came after the end, or before the beginning', async () => {
    const test = await TestJettonChannel.create(await MemoryChain.create())
    const { channel, chain, payer } = test
    await payer.send(chain, [channel.deposit(payer.address, 3n * USD)])
    expect(await test.holdings()).toMatchObject({ payer: 997n * USD, channel: 3n * USD })
    expect((await test.from(payer, channel.sweep(3n * USD))).exitCode).toBe(JETTON_CHANNEL_EXIT.TOO_EARLY)
    chain.time += 601
    expect((await test.from(payer, channel.sweep(3n * USD))).success).toBe(true)
    expect(await test.holdings()).toMatchObject({ payer: 1000n * USD, channel: 0n })
  })
})

describe('rent', () => {
  it('lasts: twenty years later, at the prices of June 2026, all is as it was', async () => {
    const test = await opened()
    test.chain.time += 20 * YEAR
    expect((await settle(test, USD)).success).toBe(true)
    expect(await test.holdings()).toEqual({ payer: 990n * USD, payee: USD, channel: 9n * USD })
  })

  it('used up does not touch a claim, and anyone can fill up the reserve', async () => {
    const test = await opened(PRICES_2025)
    const { chain, channel } = test
    chain.time += 5 * YEAR
    expect((await settle(test, USD)).success).toBe(true)
    expect(await test.holdings()).toEqual({ payer: 990n * USD, payee: USD, channel: 9n * USD })
    expect((await chain.account(channel.address)).balance).toBe(0n)
    const fill = channel.open()
    const stranger = await chain.wallet()
    expect(await cost(test, stranger, () => test.from(stranger, fill))).toBeLessThan(TON / 5n)
    expect((await chain.account(channel.address)).balance).toBe(JETTON_RENT_RESERVE)
  })
})

describe('the own wallet', () => {
  it('is where the master says', async () => {
    const test = await opened()
    await requireSameWallet(test.params, test.chain)
    const stack = await test.chain.get(test.channel.address, 'get_jetton_wallet')
    expect(stack.readAddress().equals(test.channel.jettonWallet)).toBe(true)
    const wrong = { ...test.params, walletCode: beginCell().endCell() }
    await expect(requireSameWallet(wrong, test.chain)).rejects.toMatchObject({ code: 'ERR_JETTON_WALLET' })
  })

  it('get_channel tells what the data cell holds', async () => {
    const test = await opened()
    const get = (method: string) => test.chain.get(test.channel.address, method)
    const provider = { get: async (method: string) => ({ stack: await get(method) }) }
    const told = await test.channel.getState(provider as never)
    expect(await test.state()).toMatchObject(told)
  })
})

it('a sweep by a stranger to the address before opening brings nothing', async () => {
  const test = await TestJettonChannel.create(await MemoryChain.create())
  const message = internal({
    to: test.channel.address,
    value: JETTON_ATTACH,
    bounce: true,
    body: sweepBody(1n),
    init: test.channel.init,
  })
  expect((await test.from(test.payee, message)).exitCode).toBe(JETTON_CHANNEL_EXIT.NOT_PAYER)
})
