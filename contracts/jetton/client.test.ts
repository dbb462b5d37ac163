import { beginCell, internal } from '@ton/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { MemoryChain } from '../testing.ts'
import { generateKey, rawPublicKey } from '../voucher/keys.ts'
import { readJettonChannel } from './check.ts'
import { JettonChannelClient } from './client.ts'
import { jettonTransferBody } from './messages.ts'
import { jettonChannelAddress, jettonChannelParamsFromJson, jettonChannelParamsToJson } from './params.ts'
import { LOCKED, TestJettonChannel } from './testing/jetton.ts'

const USD = 1_000_000n
const DAY = 86_400

let chain: MemoryChain
let test: TestJettonChannel
let client: JettonChannelClient

beforeEach(async () => {
  chain = await MemoryChain.create()
  test = await TestJettonChannel.create(chain)
  client = new JettonChannelClient({ chain, params: test.params })
})

async function funded(): Promise<void> {
  await client.open(test.payer)
  await client.deposit(test.payer, 10n * USD)
}

const settle = (amount: bigint, ceiling = amount) =>
  client.settle(test.payee, amount, ceiling, test.voucher(ceiling))

const bad = (code: string, work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code })

describe('verbs', () => {
  it('carry a channel through its life, each returning what was read back', async () => {
    expect(await client.state()).toBeUndefined()
    expect(await client.open(test.payer)).toMatchObject({ deposited: 0n, settled: 0n, closeAt: 0 })
    expect(await client.deposit(test.payer, 10n * USD)).toMatchObject({ deposited: 10n * USD })
    expect(await settle(2n * USD, 5n * USD)).toMatchObject({ settled: 2n * USD })
    const { closeAt } = await client.startClose(test.payer)
    expect(closeAt).toBe(chain.time + 3600)
    expect(await settle(3n * USD)).toMatchObject({ settled: 3n * USD })
    await bad('ERR_CHANNEL_TOO_EARLY', client.finishClose(test.payer))
    chain.time = closeAt
    expect(await client.finishClose(test.payee)).toMatchObject({ finished: true, deposited: 3n * USD })
    await bad('ERR_CHANNEL_TOO_EARLY', client.finishClose(test.payer))
    chain.time += DAY
    expect(await client.finishClose(test.payer)).toBeUndefined()
    expect(await client.state()).toBeUndefined()
    expect(await test.holdings()).toEqual({ payer: 997n * USD, payee: 3n * USD, channel: 0n })
  })

  it('done twice do nothing more', async () => {
    await funded()
    const seqno = () => Promise.all([test.payer.seqno(chain), test.payee.seqno(chain)])
    const twice = async (verb: () => Promise<unknown>) => {
      await verb()
      const before = await seqno()
      await verb()
      expect(await seqno()).toEqual(before)
    }
    await twice(() => client.open(test.payer))
    await twice(() => settle(USD))
    await twice(() => client.retry(test.payer))
    await twice(() => client.coopClose(test.payer, 2n * USD, test.release(2n * USD)))
    chain.time += DAY
    await twice(() => client.finishClose(test.payer))
    await twice(() => client.sweep(test.payer))
  })

  it('refuse, without sending, what the contract would refuse', async () => {
    await bad('ERR_CHANNEL_ABSENT', settle(1n))
    await bad('ERR_CHANNEL_ABSENT', client.deposit(test.payer, 1n))
    await funded()
    await settle(2n * USD)
    const seqno = await test.payee.seqno(chain)
    await bad('ERR_CHANNEL_NOT_ABOVE_SETTLED', settle(USD))
    await bad('ERR_CHANNEL_ABOVE_CEILING', settle(4n * USD, 3n * USD))
    await bad('ERR_CHANNEL_ABOVE_DEPOSIT', settle(11n * USD))
    const ton = test.base.voucher(3n * USD)
    await bad('ERR_CHANNEL_BAD_SIGNATURE', client.settle(test.payee, 3n * USD, 3n * USD, ton))
    await bad('ERR_CHANNEL_WRONG_WALLET', client.startClose(test.payee))
    await bad('ERR_CHANNEL_NOT_CLOSING', client.finishClose(test.payee))
    await bad('ERR_CHANNEL_NOT_CLOSING', client.sweep(test.payer))
    await bad('ERR_CHANNEL_BAD_SIGNATURE', client.coopClose(test.payer, 3n * USD, ton))
    await bad('ERR_WALLET_FUNDS', client.deposit(test.payee, 3n * USD))
    await bad('ERR_WALLET_FUNDS', client.deposit(test.payer, 991n * USD))
    expect(await test.payee.seqno(chain)).toBe(seqno)
    await client.startClose(test.payer)
    await bad('ERR_CHANNEL_CLOSING', client.deposit(test.payer, USD))
    chain.time += 601
    const late = await TestJettonChannel.create(chain, { openUntil: chain.time - 1 })
    const expired = new JettonChannelClient({ chain, params: late.params })
    await bad('ERR_CHANNEL_OPEN_EXPIRED', expired.open(late.payer))
    const wrong = { ...test.params, openUntil: chain.time + 600, walletCode: beginCell().endCell() }
    await bad('ERR_JETTON_WALLET', new JettonChannelClient({ chain, params: wrong }).open(test.payer))
  })

  it("settle nothing while the payee's wallet may not receive: it would fall to the payer", async () => {
    await funded()
    await settle(USD)
    await test.jetton.lock(test.payee.address, LOCKED.in)
    await bad('ERR_JETTON_LOCKED', settle(2n * USD))
    await test.jetton.lock(test.payee.address, 0)
    expect(await settle(2n * USD)).toMatchObject({ settled: 2n * USD })
  })

  it('order again what bounced, and end a channel only then', async () => {
    await funded()
    await test.jetton.lock(client.address, LOCKED.out)
    expect(await settle(3n * USD)).toMatchObject({ settled: 3n * USD, unpaidPayee: 3n * USD })
    // In vain, and said so.
    await bad('ERR_CHANNEL_UNCONFIRMED', client.retry(test.payee))
    await client.coopClose(test.payer, 3n * USD, test.release(3n * USD))
    chain.time += DAY
    await bad('ERR_CHANNEL_STILL_OWED', client.finishClose(test.payer))
    await bad('ERR_CHANNEL_STILL_OWED', client.sweep(test.payer))
    await test.jetton.lock(client.address, 0)
    expect(await client.retry(test.payer)).toMatchObject({ unpaidPayee: 0n, unpaidPayer: 7n * USD })
    expect(await client.retry(test.payer)).toMatchObject({ unpaidPayer: 0n })
    chain.time += DAY
    expect(await client.finishClose(test.payer)).toBeUndefined()
    expect(await test.holdings()).toEqual({ payer: 997n * USD, payee: 3n * USD, channel: 0n })
  })

  it('fetch what strayed, once all is wound up', async () => {
    await funded()
    const { payer, jetton } = test
    const transfer = { amount: 4n * USD, to: client.address, excessTo: payer.address, forwardTon: 1n }
    const body = jettonTransferBody(transfer)
    await payer.send(chain, [internal({ to: jetton.walletOf(payer.address), value: 100_000_000n, body })])
    await client.coopClose(payer, 0n, test.release(0n))
    await bad('ERR_CHANNEL_TOO_EARLY', client.sweep(payer))
    chain.time += DAY
    expect(await client.sweep(payer)).toBe(4n * USD)
    expect(await test.holdings()).toEqual({ payer: 1000n * USD, payee: 0n, channel: 0n })
  })
})

describe('check', () => {
  const check = (params = test.params, more = {}) =>
    JettonChannelClient.check(params, chain, { master: test.params.master, ...more })

  it('tells the credit of a sound channel', async () => {
    await bad('ERR_CHANNEL_ABSENT', check())
    await funded()
    await settle(USD)
    const checked = await check(test.params, { payee: test.payee.address })
    expect(checked).toMatchObject({ deposited: 10n * USD, settled: USD, credit: 9n * USD, closeAt: 0 })
    expect(checked.address.equals(jettonChannelAddress(test.params))).toBe(true)
  })

  it('refuses another jetton of the same code, another payee or key, unsafe keys and a closing channel', async () => {
    await funded()
    const worthless = await TestJettonChannel.create(chain)
    const { params } = test
    await bad('ERR_CHANNEL_REFUSED', check(params, { master: worthless.params.master }))
    await bad('ERR_CHANNEL_REFUSED', check(params, { payee: test.payer.address }))
    await bad('ERR_CHANNEL_REFUSED', check(params, { payeeKey: rawPublicKey(generateKey()) }))
    await bad('ERR_KEY_UNSAFE', check({ ...params, voucherKey: Buffer.alloc(32) }))
    await client.startClose(test.payer)
    await bad('ERR_CHANNEL_CLOSING', check())
  })

  it('refuses a channel whose wallet the issuer has locked or emptied, or whose code a node shows wrongly', async () => {
    await funded()
    await test.jetton.lock(client.address, LOCKED.out)
    await bad('ERR_JETTON_LOCKED', check())
    await test.jetton.lock(client.address, 0)
    const real = await chain.account(client.channel.jettonWallet)
    const data = real.data?.beginParse().skip(4)
    data?.loadCoins()
    const emptied = beginCell().storeUint(0, 4).storeCoins(USD)
    if (data) emptied.storeSlice(data)
    const showing = (change: object) =>
      Object.assign(Object.create(chain), {
        account: async (address: typeof client.address) =>
          address.equals(client.channel.jettonWallet) ? { ...real, ...change } : await chain.account(address),
      })
    const unbacked = showing({ data: emptied.endCell() })
    const { master } = test.params
    await bad('ERR_CHANNEL_UNBACKED', JettonChannelClient.check(test.params, unbacked, { master }))
    const other = showing({ code: beginCell().endCell() })
    await bad('ERR_CONTRACT_CODE', JettonChannelClient.check(test.params, other, { master }))
    const account = { ...(await chain.account(client.address)), code: beginCell().endCell() }
    const lying = Object.assign(Object.create(chain), { account: async () => account })
    await bad('ERR_CONTRACT_CODE', readJettonChannel(test.params, lying))
  })
})

describe('parameters as JSON', () => {
  it('come back as they were', () => {
    const json = JSON.parse(JSON.stringify(jettonChannelParamsToJson(test.params)))
    expect(jettonChannelAddress(jettonChannelParamsFromJson(json)).equals(client.address)).toBe(true)
  })

  it('are refused by name when anything is off', () => {
    const json = jettonChannelParamsToJson(test.params)
    const off = (change: object, field: RegExp) =>
      expect(() => jettonChannelParamsFromJson({ ...json, ...change })).toThrow(field)
    off({ salt: 'AA' }, /salt/)
    off({ master: 'EQ' }, /master/)
    off({ walletCode: '' }, /walletCode/)
    off({ walletCode: 'AAAA' }, /walletCode/)
    off({ walletCode: '***' }, /walletCode/)
    off({ extra: 1 }, /extra|params/)
  })
})
