import { beginCell, internal } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { PRICES_2025 } from '../chain/prices.ts'
import type { Chain } from '../chain/types.ts'
import { MemoryChain, TestChannel } from '../testing.ts'
import { generateKey, rawPublicKey } from '../voucher/keys.ts'
import { readChannel } from './check.ts'
import { ChannelClient } from './client.ts'
import { RENT_RESERVE } from './messages.ts'
import { channelAddress, channelParamsFromJson, channelParamsToJson } from './params.ts'

const TON = 1_000_000_000n

let chain: MemoryChain
let test: TestChannel
let client: ChannelClient

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestChannel.create(chain)
  client = new ChannelClient({ chain, params: test.params })
})

const settle = (amount: bigint, ceiling: bigint) =>
  client.settle(test.payee, amount, ceiling, test.voucher(ceiling))

describe('verbs', () => {
  it('carry a channel through its life, each returning what was read back', async () => {
    expect(await client.state()).toBeUndefined()
    expect(await client.open(test.payer, 10n * TON)).toEqual({
      deposited: 10n * TON,
      settled: 0n,
      closeAt: 0,
    })
    expect(await client.topUp(test.payer, TON)).toMatchObject({ deposited: 11n * TON })
    expect(await settle(2n * TON, 5n * TON)).toMatchObject({ settled: 2n * TON })
    const { closeAt } = await client.startClose(test.payer)
    expect(closeAt).toBe(chain.time + 3600)
    expect(await settle(3n * TON, 5n * TON)).toMatchObject({ settled: 3n * TON })
    await expect(client.finishClose(test.payer)).rejects.toMatchObject({ code: 'ERR_CHANNEL_TOO_EARLY' })
    chain.time = closeAt
    await client.finishClose(test.payee)
    expect(await client.state()).toBeUndefined()
  })

  it('done twice do nothing more', async () => {
    await client.open(test.payer, TON)
    const seqno = () => Promise.all([test.payer.seqno(chain), test.payee.seqno(chain)])
    await settle(5n, 10n)
    const before = await seqno()
    await client.open(test.payer, TON)
    await settle(5n, 10n)
    expect(await seqno()).toEqual(before)
    await client.startClose(test.payer)
    const started = await seqno()
    await client.startClose(test.payer)
    expect(await seqno()).toEqual(started)
    chain.time += 4000
    await client.finishClose(test.payer)
    await client.finishClose(test.payer)
  })

  it('close cooperatively, before openUntil and after it', async () => {
    await client.open(test.payer, TON)
    expect(await client.coopClose(test.payer, 5n, test.release(5n))).toMatchObject({
      deposited: 5n,
      settled: 5n,
    })
    const later = await TestChannel.create(chain)
    const second = new ChannelClient({ chain, params: later.params })
    await second.open(later.payer, TON)
    chain.time += 601
    expect(await second.coopClose(later.payer, 5n, later.release(5n))).toBeUndefined()
    await client.finishClose(test.payee)
    expect(await client.state()).toBeUndefined()
  })

  it('refuse, without sending, what the contract would refuse', async () => {
    await expect(settle(1n, 1n)).rejects.toMatchObject({ code: 'ERR_CHANNEL_ABSENT' })
    await client.open(test.payer, TON)
    await settle(10n, 10n)
    const seqno = await test.payee.seqno(chain)
    const bad = (code: string, work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code })
    await bad('ERR_CHANNEL_NOT_ABOVE_SETTLED', settle(9n, 20n))
    await bad('ERR_CHANNEL_ABOVE_CEILING', settle(21n, 20n))
    await bad('ERR_CHANNEL_ABOVE_DEPOSIT', settle(TON + 1n, 2n * TON))
    await bad('ERR_CHANNEL_BAD_SIGNATURE', client.settle(test.payee, 11n, 20n, test.voucher(21n)))
    await bad('ERR_CHANNEL_WRONG_WALLET', client.settle(test.payer, 11n, 20n, test.voucher(20n)))
    await bad('ERR_CHANNEL_WRONG_WALLET', client.startClose(test.payee))
    await bad('ERR_CHANNEL_NOT_CLOSING', client.finishClose(test.payee))
    await bad('ERR_CHANNEL_BAD_SIGNATURE', client.coopClose(test.payer, 11n, test.voucher(11n)))
    await bad('ERR_CHANNEL_NOT_ABOVE_SETTLED', client.coopClose(test.payer, 9n, test.release(9n)))
    expect(await test.payee.seqno(chain)).toBe(seqno)
    await client.startClose(test.payer)
    await bad('ERR_CHANNEL_CLOSING', client.topUp(test.payer, 5n))
    const late = await TestChannel.create(chain)
    chain.time += 601
    const expired = new ChannelClient({ chain, params: late.params })
    await bad('ERR_CHANNEL_OPEN_EXPIRED', expired.open(late.payer, 5n))
  })

  it('refuse to lock money into parameters that trap it', async () => {
    const traps = [
      { openUntil: chain.time + 2_592_001 },
      { challengeSeconds: 2_592_001 },
      { voucherKey: Buffer.alloc(32) },
      { payeeKey: Buffer.alloc(32, 2) },
    ]
    for (const trap of traps) {
      const trapped = new ChannelClient({ chain, params: { ...test.params, ...trap } })
      await expect(trapped.open(test.payer, TON)).rejects.toThrow(/at most|public key/)
    }
    expect(await test.payer.seqno(chain)).toBe(0)
  })

  it('believe the chain and not the sending: a lost effect is reported', async () => {
    await client.open(test.payer, TON)
    const blind: Chain = {
      globalId: chain.globalId,
      now: () => chain.now(),
      send: (boc) => chain.send(boc),
      get: (address, method, args) => chain.get(address, method, args),
      prices: () => chain.prices(),
      account: async (address) => {
        const account = await chain.account(address)
        // A node that lags: it shows the channel as it was before.
        return address.equals(client.address) ? frozen : account
      },
    }
    const frozen = await chain.account(client.address)
    let pauses = 0
    const lagging = new ChannelClient({ chain: blind, params: test.params, pause: async () => void pauses++ })
    const work = lagging.settle(test.payee, 5n, 5n, test.voucher(5n))
    await expect(work).rejects.toMatchObject({ code: 'ERR_CHANNEL_UNCONFIRMED' })
    expect(pauses).toBeGreaterThan(5)
  })
})

describe('a channel whose rent has eaten into the deposit', () => {
  beforeEach(async () => {
    chain = await MemoryChain.create({ prices: PRICES_2025 })
    test = await TestChannel.create(chain)
    client = new ChannelClient({ chain, params: test.params })
    await client.open(test.payer, 10n * TON)
    chain.time += 6 * 31_557_600
    // Rent is taken with the next message, here one that is refused.
    await test.from(test.payee, test.channel.startClose())
  })

  it('gets no credit, and a top-up cures it', async () => {
    const rent = { code: 'ERR_CHANNEL_RENT' }
    await expect(client.state()).rejects.toMatchObject(rent)
    await expect(ChannelClient.check(test.params, chain)).rejects.toMatchObject(rent)
    await client.topUp(test.payer, TON)
    expect(await ChannelClient.check(test.params, chain)).toMatchObject({ credit: 11n * TON })
    expect((await chain.account(client.address)).balance).toBe(11n * TON + RENT_RESERVE)
  })

  it('still settles and closes', async () => {
    expect(await settle(9n * TON, 9n * TON)).toMatchObject({ settled: 9n * TON })
    const { closeAt } = await client.startClose(test.payer)
    chain.time = closeAt
    await client.finishClose(test.payer)
    expect((await chain.account(client.address)).state).toBe('none')
  })
})

describe('check', () => {
  const refused = (code: string, work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code })

  it('tells the credit of a sound channel', async () => {
    await refused('ERR_CHANNEL_ABSENT', ChannelClient.check(test.params, chain))
    await client.open(test.payer, TON)
    await settle(5n, 10n)
    const wanted = { payee: test.payee.address, payeeKey: rawPublicKey(test.payeeKey) }
    const checked = await ChannelClient.check(test.params, chain, wanted)
    expect(checked).toMatchObject({ deposited: TON, settled: 5n, credit: TON - 5n, closeAt: 0 })
    expect(checked.address.equals(channelAddress(test.params))).toBe(true)
  })

  it('refuses another payee, another key, a short challenge period, unsafe keys and a closing channel', async () => {
    await client.open(test.payer, TON)
    const { params } = test
    await refused('ERR_CHANNEL_REFUSED', ChannelClient.check(params, chain, { payee: test.payer.address }))
    const otherKey = rawPublicKey(generateKey())
    await refused('ERR_CHANNEL_REFUSED', ChannelClient.check(params, chain, { payeeKey: otherKey }))
    await refused('ERR_CHANNEL_REFUSED', ChannelClient.check(params, chain, { minChallengeSeconds: 3601 }))
    const zero = { ...params, voucherKey: Buffer.alloc(32) }
    await refused('ERR_KEY_UNSAFE', ChannelClient.check(zero, chain))
    await client.startClose(test.payer)
    await refused('ERR_CHANNEL_CLOSING', ChannelClient.check(params, chain))
  })

  it('goes by the recomputed address: any changed parameter is another, absent channel', async () => {
    await client.open(test.payer, TON)
    const { params } = test
    const changed = [
      { ...params, payer: test.payee.address },
      { ...params, voucherKey: rawPublicKey(generateKey()) },
      { ...params, payeeKey: rawPublicKey(generateKey()) },
      { ...params, challengeSeconds: 3601 },
      { ...params, openUntil: params.openUntil + 1 },
      { ...params, salt: Buffer.alloc(32) },
    ]
    for (const other of changed) await refused('ERR_CHANNEL_ABSENT', ChannelClient.check(other, chain))
  })

  it('refuses other code at the address, as only a lying node can show it', async () => {
    await client.open(test.payer, TON)
    const other = { ...(await chain.account(client.address)), code: beginCell().endCell() }
    const lying = Object.assign(Object.create(chain), { account: async () => other })
    await refused('ERR_CONTRACT_CODE', ChannelClient.check(test.params, lying))
    await refused('ERR_CONTRACT_CODE', readChannel(test.params, lying))
  })

  it('money sent to the address without opening is no channel', async () => {
    await test.payer.send(chain, [internal({ to: client.address, value: TON, bounce: false })])
    await refused('ERR_CHANNEL_ABSENT', ChannelClient.check(test.params, chain))
  })
})

describe('parameters as JSON', () => {
  it('come back as they were', () => {
    const json = JSON.parse(JSON.stringify(channelParamsToJson(test.params)))
    expect(channelAddress(channelParamsFromJson(json)).equals(client.address)).toBe(true)
  })

  it('are refused by name when anything is off', () => {
    const json = channelParamsToJson(test.params)
    const bad = (change: object, field: RegExp) =>
      expect(() => channelParamsFromJson({ ...json, ...change })).toThrow(field)
    bad({ salt: 'AA' }, /salt/)
    bad({ payer: 'EQ' }, /payer/)
    bad({ challengeSeconds: -1 }, /challengeSeconds/)
    bad({ openUntil: 2 ** 32 }, /openUntil/)
    bad({ extra: 1 }, /extra|params/)
    expect(() => channelParamsFromJson(null)).toThrow(/params/)
  })
})
