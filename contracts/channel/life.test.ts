import { internal, type MessageRelaxed } from '@ton/core'
import { describe, expect, it } from 'vitest'
import { PRICES_2025, PRICES_2026_06 } from '../chain/prices.ts'
import { CHANNEL_EXIT } from '../errors.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import type { Wallet } from '../wallet/wallet.ts'
import { RENT_RESERVE } from './messages.ts'
import { parseChannelData } from './params.ts'

const TON = 1_000_000_000n
/** More than any one operation costs in fees, at either price. */
const FEES = TON / 20n

async function deployed(chain: MemoryChain, wallets: Wallet[]): Promise<void> {
  for (const wallet of wallets) {
    await wallet.send(chain, [internal({ to: wallet.address, value: 1n, bounce: false })])
  }
}

async function opened(prices = PRICES_2026_06, overrides = {}): Promise<TestChannel> {
  const chain = await MemoryChain.create({ prices })
  const test = await TestChannel.create(chain, overrides)
  await deployed(chain, [test.payer, test.payee])
  expect((await test.from(test.payer, test.channel.deploy(10n * TON))).success).toBe(true)
  return test
}

async function stateOf(test: TestChannel) {
  const { data } = await test.chain.account(test.channel.address)
  return data ? parseChannelData(data) : undefined
}

/** What a wallet gained by `work`, fees included, in nanotons. */
async function gain(test: TestChannel, wallet: Wallet, work: () => Promise<unknown>): Promise<bigint> {
  const before = await wallet.balance(test.chain)
  await work()
  return (await wallet.balance(test.chain)) - before
}

function near(value: bigint, wanted: bigint): void {
  expect(value).toBeLessThanOrEqual(wanted)
  expect(value).toBeGreaterThan(wanted - FEES)
}

describe.each([
  { name: 'prices of June 2026', prices: PRICES_2026_06 },
  { name: 'earlier prices', prices: PRICES_2025 },
])('life of a channel at $name', ({ prices }) => {
  it('opens: credits exactly what was named, keeps the reserve apart, returns the excess', async () => {
    const test = await opened(prices)
    expect(await stateOf(test)).toMatchObject({ deposited: 10n * TON, settled: 0n, closeAt: 0 })
    expect((await test.chain.account(test.channel.address)).balance).toBe(10n * TON + RENT_RESERVE)
    near(await gain(test, test.payer, () => test.from(test.payer, test.channel.topUp(TON))), -TON)
    expect((await test.chain.account(test.channel.address)).balance).toBe(11n * TON + RENT_RESERVE)
  })

  it('settles in part and in full, each time paying the difference and returning the excess', async () => {
    const test = await opened(prices)
    const settle = (amount: bigint, ceiling: bigint) => () =>
      test.from(test.payee, test.channel.settle(amount, ceiling, test.voucher(ceiling)))
    near(await gain(test, test.payee, settle(TON, 5n * TON)), TON)
    near(await gain(test, test.payee, settle(4n * TON, 5n * TON)), 3n * TON)
    near(await gain(test, test.payee, settle(10n * TON, 99n * TON)), 6n * TON)
    expect(await stateOf(test)).toMatchObject({ deposited: 10n * TON, settled: 10n * TON })
    expect((await test.chain.account(test.channel.address)).balance).toBe(RENT_RESERVE)
  })

  it('pays the payee during the challenge period, and the rest and the reserve to the payer', async () => {
    const test = await opened(prices)
    await test.from(test.payer, test.channel.startClose())
    const settle = test.channel.settle(3n * TON, 3n * TON, test.voucher(3n * TON))
    near(await gain(test, test.payee, () => test.from(test.payee, settle)), 3n * TON)
    test.chain.time += 3600
    const rest = 7n * TON + RENT_RESERVE
    near(await gain(test, test.payer, () => test.from(test.payer, test.channel.finishClose())), rest)
    expect((await test.chain.account(test.channel.address)).state).toBe('none')
  })

  it('lets anyone finish: the payer gets the rest, the caller its own money back', async () => {
    const test = await opened(prices)
    const stranger = await test.chain.wallet()
    await deployed(test.chain, [stranger])
    await test.from(test.payer, test.channel.startClose())
    test.chain.time += 3600
    const payer = await test.payer.balance(test.chain)
    near(await gain(test, stranger, () => test.from(stranger, test.channel.finishClose())), 0n)
    near((await test.payer.balance(test.chain)) - payer, 10n * TON + RENT_RESERVE)
    // The caller bears the fees of both payments; the payer's is short of the rent only.
    const paid = test.chain.transactionOf(test.channel.address).transaction.outMessages.get(0)?.info
    const value = paid?.type === 'internal' ? paid.value.coins : 0n
    expect(value).toBeGreaterThan(10n * TON + RENT_RESERVE - 10_000n)
    expect((await test.chain.account(test.channel.address)).state).toBe('none')
  })

  it('closes at once when both agree, and destroys the contract after openUntil', async () => {
    const test = await opened(prices)
    test.chain.time += 601
    const payee = await test.payee.balance(test.chain)
    const close = test.channel.coopClose(4n * TON, test.release(4n * TON))
    near(await gain(test, test.payer, () => test.from(test.payer, close)), 6n * TON + RENT_RESERVE)
    near((await test.payee.balance(test.chain)) - payee, 4n * TON)
    expect((await test.chain.account(test.channel.address)).state).toBe('none')
    expect(test.chain.total()).toBe(1_000_000_000n * TON)
  })
})

describe('closing', () => {
  it('before openUntil leaves an empty contract that takes nothing more and is removed later', async () => {
    const test = await opened()
    const { channel, chain, payer, payee } = test
    await test.from(payer, channel.coopClose(4n * TON, test.release(4n * TON)))
    expect(await stateOf(test)).toMatchObject({ deposited: 4n * TON, settled: 4n * TON })
    expect((await chain.account(channel.address)).balance).toBe(0n)
    const voucher = test.voucher(9n * TON)
    expect((await test.from(payer, channel.topUp(TON))).exitCode).toBe(CHANNEL_EXIT.CLOSING)
    expect((await test.from(payer, channel.deploy(TON))).exitCode).toBe(CHANNEL_EXIT.CLOSING)
    const again = await test.from(payee, channel.settle(5n * TON, 9n * TON, voucher))
    expect(again.exitCode).toBe(CHANNEL_EXIT.ABOVE_DEPOSIT)
    expect((await test.from(payer, channel.finishClose())).exitCode).toBe(CHANNEL_EXIT.TOO_EARLY)
    chain.time += 601
    expect((await test.from(payer, channel.finishClose())).success).toBe(true)
    expect((await chain.account(channel.address)).state).toBe('none')
    expect((await test.from(payer, channel.deploy(TON))).exitCode).toBe(CHANNEL_EXIT.OPEN_EXPIRED)
  })

  it('at openUntil itself does not destroy yet: in that second the channel could still be opened', async () => {
    const test = await opened()
    test.chain.time = test.params.openUntil
    await test.from(test.payer, test.channel.coopClose(0n, test.release(0n)))
    expect((await test.chain.account(test.channel.address)).state).toBe('active')
    expect((await test.from(test.payer, test.channel.deploy(TON))).exitCode).toBe(CHANNEL_EXIT.CLOSING)
  })

  it('never finishes before openUntil, however short the challenge period', async () => {
    const test = await opened(PRICES_2026_06, { challengeSeconds: 0 })
    await test.from(test.payer, test.channel.startClose())
    test.chain.time = test.params.openUntil
    const early = await test.from(test.payer, test.channel.finishClose())
    expect(early.exitCode).toBe(CHANNEL_EXIT.TOO_EARLY)
    test.chain.time += 1
    expect((await test.from(test.payer, test.channel.finishClose())).success).toBe(true)
  })

  it('opens up to openUntil and not a second later', async () => {
    const chain = await MemoryChain.create()
    const late = await TestChannel.create(chain)
    const last = await TestChannel.create(chain)
    chain.time = late.params.openUntil
    expect((await last.from(last.payer, last.channel.deploy(TON))).success).toBe(true)
    chain.time += 1
    expect((await late.from(late.payer, late.channel.deploy(TON))).exitCode).toBe(CHANNEL_EXIT.OPEN_EXPIRED)
    // Once open, more may come at any time.
    expect((await last.from(last.payer, last.channel.topUp(TON))).success).toBe(true)
  })

  it.each(['settle first', 'finish first'])('race of settle and finish, %s', async (order) => {
    const test = await opened()
    const { channel, chain, payer, payee } = test
    await test.from(payer, channel.startClose())
    chain.time += 3600
    const settle = () => payee.send(chain, [channel.settle(3n * TON, 3n * TON, test.voucher(3n * TON))])
    const finish = () => payer.send(chain, [channel.finishClose()])
    const before = [await payer.balance(chain), await payee.balance(chain)] as const
    if (order === 'settle first') {
      await settle()
      await finish()
      near((await payee.balance(chain)) - before[1], 3n * TON)
      near((await payer.balance(chain)) - before[0], 7n * TON + RENT_RESERVE)
    } else {
      await finish()
      await settle()
      // Too late: the payee's message finds nothing and its money comes back.
      near((await payee.balance(chain)) - before[1], 0n)
      near((await payer.balance(chain)) - before[0], 10n * TON + RENT_RESERVE)
    }
    expect((await chain.account(channel.address)).balance).toBe(0n)
  })

  it('a top-up that arrives after the end comes back', async () => {
    const test = await opened()
    await test.from(test.payer, test.channel.startClose())
    test.chain.time += 3600
    await test.from(test.payer, test.channel.finishClose())
    near(await gain(test, test.payer, () => test.payer.send(test.chain, [test.channel.topUp(TON)])), 0n)
  })

  it('works when payer and payee are one', async () => {
    const chain = await MemoryChain.create()
    const one = await chain.wallet()
    const spare = await TestChannel.create(chain)
    const test = new TestChannel(chain, one, one, spare.voucherKey, spare.payeeKey)
    await test.from(one, test.channel.deploy(5n * TON))
    expect((await test.from(one, test.channel.settle(TON, TON, test.voucher(TON)))).success).toBe(true)
    chain.time += 601
    expect((await test.from(one, test.channel.coopClose(2n * TON, test.release(2n * TON)))).success).toBe(
      true,
    )
    expect((await chain.account(test.channel.address)).state).toBe('none')
  })
})

describe('rent', () => {
  const YEAR = 31_557_600

  it('is paid from the reserve, and a top-up fills the reserve again', async () => {
    const test = await opened()
    test.chain.time += 5 * YEAR
    await test.from(test.payer, test.channel.topUp(TON))
    expect((await test.chain.account(test.channel.address)).balance).toBe(11n * TON + RENT_RESERVE)
  })

  it('beyond the reserve is withheld from the claim: the rest of the deposit stays whole', async () => {
    const test = await opened(PRICES_2025)
    test.chain.time += 5 * YEAR
    const settle = test.channel.settle(TON, TON, test.voucher(TON))
    expect((await test.from(test.payee, settle)).success).toBe(true)
    expect((await test.chain.account(test.channel.address)).balance).toBe(9n * TON)
  })

  it('RENT_DUE: a claim smaller than the rent due waits, and a top-up cures it', async () => {
    const test = await opened(PRICES_2025)
    test.chain.time += 5 * YEAR
    const settle = (): MessageRelaxed => test.channel.settle(1000n, TON, test.voucher(TON))
    expect((await test.from(test.payee, settle())).exitCode).toBe(CHANNEL_EXIT.RENT_DUE)
    expect(await stateOf(test)).toMatchObject({ settled: 0n })
    const topUp = test.channel.topUp(1n)
    if (topUp.info.type === 'internal') topUp.info.value.coins += TON
    expect((await test.from(test.payer, topUp)).success).toBe(true)
    expect((await test.from(test.payee, settle())).success).toBe(true)
  })
})

describe('value', () => {
  it('an action that fails takes everything back: state, payment and what was attached', async () => {
    const test = await opened(PRICES_2025)
    // Rent has eaten more than reserve and attached value: the release of the whole deposit cannot be paid out.
    test.chain.time += 31_557_600 * 6
    await deployed(test.chain, [test.payer])
    const close = test.channel.coopClose(10n * TON, test.release(10n * TON))
    const lost = -(await gain(test, test.payer, async () => {
      expect(await test.from(test.payer, close)).toMatchObject({
        success: false,
        exitCode: 0,
        actionCode: 37,
      })
    }))
    expect(lost).toBeLessThan(TON / 100n)
    expect(await stateOf(test)).toMatchObject({ deposited: 10n * TON, settled: 0n, closeAt: 0 })
  })

  it('money that strayed into the contract is never credited as a deposit', async () => {
    const test = await opened()
    const stray = internal({ to: test.channel.address, value: 2n * TON, bounce: false })
    expect((await test.from(test.payer, stray)).exitCode).toBe(CHANNEL_EXIT.UNKNOWN_OP)
    const topUp = test.channel.topUp(TON)
    if (topUp.info.type === 'internal') topUp.info.value.coins = TON / 2n
    expect((await test.from(test.payer, topUp)).exitCode).toBe(CHANNEL_EXIT.LOW_VALUE)
    expect(await stateOf(test)).toMatchObject({ deposited: 10n * TON })
  })
})

describe('network', () => {
  it('GLOBALID in the TVM is config parameter 19: a voucher for another network is refused', async () => {
    for (const globalId of [-217, -239, -3, 7]) {
      const chain = await MemoryChain.create({ globalId })
      const test = await TestChannel.create(chain)
      await test.from(test.payer, test.channel.deploy(TON))
      const wrong = test.channel.settle(5n, 5n, test.voucher(5n, globalId + 1))
      expect((await test.from(test.payee, wrong)).exitCode).toBe(CHANNEL_EXIT.BAD_SIGNATURE)
      const right = test.channel.settle(5n, 5n, test.voucher(5n))
      expect((await test.from(test.payee, right)).success).toBe(true)
    }
  })

  it('get_channel tells what the data cell holds', async () => {
    const test = await opened()
    const stack = await test.chain.get(test.channel.address, 'get_channel')
    expect([stack.readBigNumber(), stack.readBigNumber(), stack.readNumber()]).toEqual([10n * TON, 0n, 0])
  })
})
