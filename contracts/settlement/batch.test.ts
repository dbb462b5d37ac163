import type { Address } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Chain } from '../chain/types.ts'
import { readChannelState } from '../channel/check.ts'
import { ContractsError } from '../errors.ts'
import { MemoryChain } from '../testing.ts'
import { Wallet } from '../wallet/wallet.ts'
import { type SettleClaim, settleBatch } from './batch.ts'
import { type ManyChannels, manyChannels } from './testing.ts'

const TON = 1_000_000_000n
const AMOUNT = 12_345_678_901n

let chain: MemoryChain
let many: ManyChannels
beforeEach(async () => {
  chain = await MemoryChain.create()
  many = await manyChannels(chain, 5)
})

/** The chain, with some of it replaced. */
function changed(change: Partial<Chain>): Chain {
  return {
    globalId: chain.globalId,
    now: () => chain.now(),
    account: (address) => chain.account(address),
    get: (address, method, args) => chain.get(address, method, args),
    prices: () => chain.prices(),
    send: (boc) => chain.send(boc),
    ...change,
  }
}

const claim = (index: number, change: Partial<SettleClaim> = {}): SettleClaim => ({
  ...(many.claims[index] ?? expect.fail()),
  ...change,
})
const settledOf = async ({ params }: SettleClaim) => (await readChannelState(params, chain))?.settled
const code = (name: string) => expect.objectContaining({ code: name })
const wallets = () => many.payee.seqno(chain)

describe('a batch', () => {
  it('settles all with one external message, and reads each back', async () => {
    const before = await many.payee.balance(chain)
    const outcomes = await settleBatch(chain, many.payee, many.claims)
    const raw = ({ address }: { address: Address }) => address.toRawString()
    expect(outcomes.map(raw)).toEqual(many.channels.map(raw))
    for (const outcome of outcomes) expect(outcome).not.toHaveProperty('error')
    for (const { state } of outcomes) expect(state).toMatchObject({ settled: AMOUNT, deposited: 100n * TON })
    expect(await wallets()).toBe(1)
    const gain = (await many.payee.balance(chain)) - before
    expect(gain).toBeGreaterThan(AMOUNT * 5n - TON / 100n)
    expect(gain).toBeLessThan(AMOUNT * 5n)
  })

  it('sent again sends nothing, and takes nothing', async () => {
    await settleBatch(chain, many.payee, many.claims)
    const again = await settleBatch(chain, many.payee, many.claims)
    for (const outcome of again) expect(outcome).not.toHaveProperty('error')
    // A lower claim than what is settled is done, too; whoever sent it finds the difference in the state.
    const [lower] = await settleBatch(chain, many.payee, [claim(0, { amount: 5n })])
    expect(lower).toMatchObject({ state: { settled: AMOUNT } })
    expect(lower).not.toHaveProperty('error')
    expect(await wallets()).toBe(1)
  })

  it('carries out what it can: each bad claim has its own error, and is not sent', async () => {
    const other = await manyChannels(chain, 1)
    const absent = { ...claim(1).params, salt: Buffer.alloc(32, 1) }
    const outcomes = await settleBatch(chain, many.payee, [
      claim(0),
      claim(1, { params: absent }),
      claim(1, { ceiling: 30n * TON }),
      claim(2, { amount: 21n * TON }),
      claim(3, { amount: 101n * TON, ceiling: 101n * TON }),
      ...other.claims,
      claim(4),
    ])
    expect(outcomes.map(({ error }) => error?.code)).toEqual([
      undefined,
      'ERR_CHANNEL_ABSENT',
      'ERR_CHANNEL_BAD_SIGNATURE',
      'ERR_CHANNEL_ABOVE_CEILING',
      'ERR_CHANNEL_ABOVE_DEPOSIT',
      'ERR_CHANNEL_WRONG_WALLET',
      undefined,
    ])
    expect(await Promise.all(many.claims.map(settledOf))).toEqual([AMOUNT, 0n, 0n, 0n, AMOUNT])
    await expect(settleBatch(chain, many.payee, [claim(0), claim(0)])).rejects.toEqual(
      code('ERR_SETTLE_DUPLICATE'),
    )
    expect(await settleBatch(chain, many.payee, [])).toEqual([])
  })

  it('splits up when the wallet does not hold enough for all at once, and says so when it cannot pay one', async () => {
    const poor = Wallet.fromSeed(Buffer.alloc(32, 7), chain.globalId)
    const { claims } = await manyChannels(chain, 5, poor)
    const [none] = await settleBatch(chain, poor, claims.slice(0, 1))
    expect(none?.error).toEqual(code('ERR_WALLET_FUNDS'))
    await chain.fund(poor.address, 50_000_000n)
    for (const outcome of await settleBatch(chain, poor, claims)) expect(outcome).not.toHaveProperty('error')
    // Two at first; their claims pay for the rest.
    expect(await poor.seqno(chain)).toBe(2)
  })

  it('believes the chain: what was sent and has no effect is an error, and may be sent again', async () => {
    const lost = claim(3)
    const frozen = await chain.account(many.channels[3]?.address ?? expect.fail())
    let pauses = 0
    const lagging = changed({
      account: async (address) =>
        many.channels[3]?.address.equals(address) ? frozen : await chain.account(address),
    })
    const outcomes = await settleBatch(lagging, many.payee, many.claims, { pause: async () => void pauses++ })
    expect(outcomes.map(({ error }) => error?.code)).toEqual([
      ...[undefined, undefined, undefined, 'ERR_CHANNEL_UNCONFIRMED', undefined],
    ])
    expect(pauses).toBe(29)
    expect(await settledOf(lost)).toBe(AMOUNT)
    const [again] = await settleBatch(chain, many.payee, [lost])
    expect(again).toMatchObject({ state: { settled: AMOUNT } })
  })

  it('is looked at even when sending failed: it may have arrived', async () => {
    let asked = 0
    const cut = changed({
      send: async (boc) => {
        await chain.send(boc)
        throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'the connection broke')
      },
      // The wallet never learns that its message worked.
      now: async () => {
        if (asked++ > 0) throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'no answer')
        return await chain.now()
      },
    })
    const outcomes = await settleBatch(cut, many.payee, many.claims)
    for (const outcome of outcomes) expect(outcome).not.toHaveProperty('error')
    expect(await wallets()).toBe(1)
  })

  it('reports a chain that is away for each claim, and settles when it is back', async () => {
    const down = async () => {
      throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'down')
    }
    for (const away of [changed({ account: down }), changed({ send: down, now: down })]) {
      const outcomes = await settleBatch(away, many.payee, many.claims)
      expect(outcomes.map(({ error }) => error?.code)).toEqual(Array(5).fill('ERR_CHAIN_UNREACHABLE'))
    }
    expect(await wallets()).toBe(0)
    const back = await settleBatch(chain, many.payee, many.claims)
    expect(back.map(({ state }) => state?.settled)).toEqual(Array(5).fill(AMOUNT))
  })

  it('of 300 goes out in two messages', async () => {
    const { payee, claims } = await manyChannels(chain, 300)
    const outcomes = await settleBatch(chain, payee, claims)
    expect(outcomes.every(({ error, state }) => !error && state?.settled === AMOUNT)).toBe(true)
    expect(await payee.seqno(chain)).toBe(2)
  }, 60_000)

  it('settles a channel whose rent has eaten into the deposit: the claim bears it', async () => {
    const [first] = many.channels
    // Ten years and more at today's prices.
    chain.time += 20 * 31_557_600
    const before = await many.payee.balance(chain)
    const [outcome] = await settleBatch(chain, many.payee, [claim(0)])
    expect(outcome).toMatchObject({ state: { settled: AMOUNT } })
    expect(outcome).not.toHaveProperty('error')
    expect((await many.payee.balance(chain)) - before).toBeLessThan(AMOUNT)
    const { balance } = await chain.account(first?.address ?? expect.fail())
    expect(balance).toBeGreaterThanOrEqual(100n * TON - AMOUNT)
  })
})
