import { Address } from '@ton/core'
import { afterEach, describe, expect, it } from 'vitest'
import type { LocalNode } from '../../contracts/chain/local/node.ts'
import {
  ChannelClient,
  channelParamsFromJson,
  checkChannel,
  rawPublicKey,
  verifyVoucher,
} from '../../contracts/index.ts'
import type { ChannelRecord } from '../ledger/index.ts'
import { DEFAULT_TERMS, paramsOf } from './terms.ts'
import { useLocalNode } from './testing/node.ts'
import { Crash, CrashPoint, type Stand, setUp } from './testing/stand.ts'

let node: LocalNode
let stand: Stand
useLocalNode((opened) => {
  node = opened
})
afterEach(() => stand.end())

const code = (name: string) => expect.objectContaining({ code: name })
const TON = 1_000_000_000n
const SIGNING_KEY = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'

const payWorker = (treasury = stand.treasury) =>
  treasury.paymentFor({ payoutAddress: stand.worker.address.toString(), workerId: SIGNING_KEY })

async function ready(): Promise<{ client: ChannelRecord; worker: string }> {
  stand = await setUp(node)
  const client = await stand.treasury.setup()
  const { ledgerChannel } = await payWorker()
  return { client, worker: ledgerChannel }
}

async function chargeOne(id: string, client: bigint, earned: bigint, worker: string): Promise<void> {
  await stand.reserve(id, client)
  await stand.charge(id, client, earned, worker)
}

describe('setup', () => {
  it('funds the wallets and opens the client channel, once', async () => {
    stand = await setUp(node)
    const first = await stand.treasury.setup()
    expect(first).toMatchObject({ role: 'client', state: 'open', deposited: DEFAULT_TERMS.clientDeposit })
    const faucet = (await stand.chain.audit()).faucet
    expect(await stand.again().setup()).toEqual(first)
    expect((await stand.chain.audit()).faucet).toBe(faucet)
    const { channels, balances } = await stand.treasury.status()
    expect(channels).toEqual([
      {
        role: 'client',
        signer: 'gateway',
        address: expect.stringMatching(/^kQ/),
        state: 'open',
        frozen: null,
        deposited: 10n * TON,
        ...{ settled: 0n, charged: 0n, reserved: 0n, ceiling: 0n },
      },
    ])
    expect(balances).toMatchObject({ difference: 0n })
    expect(stand.warnings).toEqual([])
  })

  it('makes a new plan when the old one can no longer be opened', async () => {
    stand = await setUp(node)
    const { chain, ledger } = stand
    const stopped = stand.again({ chain: new CrashPoint(1).wrap(chain, ['fund']) })
    await expect(stopped.setup()).rejects.toThrow(Crash)
    await node.advanceTime(86_401)
    const opened = await stand.treasury.setup()
    expect((await ledger.channels()).map(({ state }) => state)).toEqual(['closed', 'open'])
    expect(opened.deposited).toBe(10n * TON)
  })

  it('says what is missing where there is no faucet', async () => {
    stand = await setUp(node)
    const { fund: _, ...chain } = stand.chain
    const poor = stand.again({ chain })
    await expect(poor.setup()).rejects.toEqual(code('ERR_TREASURY_FUNDS'))
    await expect(poor.setup()).rejects.toThrow(stand.keys.payer.address.toString())
    await stand.chain.fund(stand.keys.payer.address, 11n * TON)
    expect(await poor.setup()).toMatchObject({ deposited: 10n * TON })
  })

  it('credits no more of a delegated channel than the cap', async () => {
    const { client } = await ready()
    const channel = new ChannelClient({ chain: stand.chain, params: paramsOf(client) })
    await stand.chain.fund(stand.worker.address, 200n * TON)
    await channel.topUp(stand.worker, 150n * TON)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(client.id)).toMatchObject({ deposited: 100n * TON })
    expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
  })

  it('takes up where a crash between any two steps left it, with one deposit each', async () => {
    for (let at = 1; ; at++) {
      stand = await setUp(node)
      const crash = new CrashPoint(at)
      const doomed = stand.again({
        chain: crash.wrap(stand.chain, ['send', 'fund']),
        ledger: crash.wrap(stand.ledger, ['putChannel', 'updateDeposit', 'setChannelState'], {
          keys: crash.wrap(stand.ledger.keys, ['move']),
        }),
      })
      const run = doomed.setup().then(() => payWorker(doomed))
      await run.catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error
      })
      const next = stand.again()
      await next.setup()
      await payWorker(next)
      const { channels, balances } = await next.status()
      expect(channels.map(({ role, deposited }) => [role, deposited])).toEqual([
        ['client', 10n * TON],
        ['worker', 5n * TON],
      ])
      expect(balances.difference).toBe(0n)
      // One channel of each kind holds money: the rest of it is where it began.
      expect(balances.channels).toBeGreaterThan(15n * TON)
      expect(balances.channels).toBeLessThan(16n * TON)
      if (!crash.reached) break
      expect(at).toBeLessThan(50)
      await stand.end()
    }
  }, 180_000)
})

describe('a worker’s channel', () => {
  it('is opened on demand, and is what a careful worker asks for', async () => {
    const { worker } = await ready()
    const { terms, ledgerChannel } = await payWorker()
    expect(ledgerChannel).toBe(worker)
    const params = channelParamsFromJson(terms.params)
    const checked = await checkChannel(params, stand.chain, { payee: stand.worker.address })
    expect(checked.address.toRawString()).toBe(terms.channel)
    expect(checked.credit).toBe(5n * TON)
    expect(Buffer.from(params.payeeKey).toString('hex')).toBe(SIGNING_KEY)
    await expect(
      stand.treasury.paymentFor({ payoutAddress: 'somewhere', workerId: SIGNING_KEY }),
    ).rejects.toEqual(code('ERR_TREASURY_PAYOUT'))
    const known = await stand.ledger.channels()
    await expect(
      stand.treasury.paymentFor({ payoutAddress: `0:${'07'.repeat(32)}`, workerId: '3b'.repeat(32) }),
    ).rejects.toEqual(code('ERR_KEY_UNSAFE'))
    // Nothing of it stays in the ledger: whoever joins again and again fills nothing.
    expect(await stand.ledger.channels()).toEqual(known)
  })

  it('is one for all who ask at once', async () => {
    stand = await setUp(node)
    await stand.treasury.setup()
    const all = await Promise.all([payWorker(), payWorker(), payWorker()])
    expect(new Set(all.map(({ ledgerChannel }) => ledgerChannel)).size).toBe(1)
    expect((await stand.ledger.channels()).filter(({ role }) => role === 'worker')).toHaveLength(1)
  })

  it('is not kept from a worker by one who joined before under its address, which is public', async () => {
    stand = await setUp(node)
    await stand.treasury.setup()
    const payoutAddress = stand.worker.address.toString()
    await stand.treasury.paymentFor({ payoutAddress, workerId: SIGNING_KEY })
    const payoutKey = Buffer.from(rawPublicKey(stand.worker.key)).toString('hex')
    const own = () => stand.treasury.paymentFor({ payoutAddress, workerId: SIGNING_KEY, payoutKey })
    const { ledgerChannel, terms } = await own()
    expect(terms.params).toMatchObject({ payeeKey: payoutKey })
    expect((await own()).ledgerChannel).toBe(ledgerChannel)
    expect((await stand.ledger.channels()).filter(({ role }) => role === 'worker')).toHaveLength(2)
  })

  it('is one of so many, however many addresses ask', async () => {
    stand = await setUp(node, { terms: { maxWorkerChannels: 2 } })
    await stand.treasury.setup()
    const ask = (byte: string) =>
      stand.treasury.paymentFor({ payoutAddress: `0:${byte.repeat(32)}`, workerId: SIGNING_KEY })
    await ask('01')
    await ask('02')
    await expect(ask('03')).rejects.toEqual(code('ERR_TREASURY_LIMIT'))
    await ask('02')
    expect((await stand.ledger.channels()).filter(({ role }) => role === 'worker')).toHaveLength(2)
  })

  it('carries vouchers that its worker can settle', async () => {
    const { worker } = await ready()
    await chargeOne('a', 5000n, 4000n, worker)
    await chargeOne('b', 500n, 300n, worker)
    const { terms } = await payWorker()
    const voucher = await stand.treasury.voucherFor(worker)
    expect(terms.voucher?.ceiling).toBe('4300')
    const { globalId, channel } = terms
    const signature = Buffer.from(terms.voucher?.signature ?? '', 'base64')
    expect(Buffer.from(voucher?.signature ?? []).equals(signature)).toBe(true)
    const key = Buffer.from(terms.params.voucherKey, 'hex')
    const signed = { globalId, channel: Address.parseRaw(channel), ceiling: 4300n }
    expect(verifyVoucher(key, signed, signature)).toBe(true)
    await stand.chain.fund(stand.worker.address, TON)
    const client = new ChannelClient({ chain: stand.chain, params: channelParamsFromJson(terms.params) })
    await client.settle(stand.worker, 4300n, 4300n, signature)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(worker)).toMatchObject({ settled: 4300n })
    expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
    await expect(stand.treasury.settle(worker)).rejects.toEqual(code('ERR_TREASURY_NOT_OURS'))
  })

  it('is topped up when it runs low, and what was owed is signed', async () => {
    const { worker } = await ready()
    await chargeOne('a', 6n * TON, 6n * TON, worker)
    expect(await stand.ledger.channelState(worker)).toMatchObject({ charged: 6n * TON, ceiling: 5n * TON })
    await stand.treasury.sync()
    const after = { charged: 6n * TON, ceiling: 6n * TON, deposited: 11n * TON }
    expect(await stand.ledger.channelState(worker)).toMatchObject(after)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(worker)).toMatchObject(after)
    expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
  })
})

describe('settling', () => {
  it('takes exactly what was charged, and does nothing more the second time', async () => {
    const { client, worker } = await ready()
    await chargeOne('a', 123_456_789n, 100_000_000n, worker)
    await stand.reserve('running', TON)
    const before = await stand.keys.gateway.balance(stand.chain)
    const { channels, balances } = await stand.treasury.settle()
    expect(channels[0]).toMatchObject({ settled: 123_456_789n, charged: 123_456_789n, reserved: TON })
    expect(balances.difference).toBe(0n)
    expect(balances.gateway).toBeGreaterThan(before + 123_456_789n - 10_000_000n)
    expect(await stand.ledger.channelState(client.id)).toMatchObject({ settled: 123_456_789n })
    await stand.treasury.settle(Address.parseRaw(client.id).toString())
    expect((await stand.treasury.status()).balances).toEqual(balances)
    await expect(stand.treasury.settle('EQnothing')).rejects.toEqual(code('ERR_TREASURY_CHANNEL'))
  })

  it('answers a StartClose at once, and no new request is taken', async () => {
    const { client, worker } = await ready()
    await chargeOne('a', 5_000_000n, 4000n, worker)
    await stand.reserve('running', 10_000_000n)
    await new ChannelClient({ chain: stand.chain, params: paramsOf(client) }).startClose(stand.keys.payer)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(client.id)).toMatchObject({
      state: 'closing',
      settled: 5_000_000n,
    })
    await expect(stand.reserve('late', 1n)).rejects.toEqual(code('ERR_CHANNEL_CLOSED'))
    await stand.charge('running', 9_000_000n, 500n, worker)
    await stand.treasury.sync()
    expect(await stand.ledger.channelState(client.id)).toMatchObject({ settled: 14_000_000n })
    expect((await stand.treasury.status()).channels[0]).toMatchObject({ state: 'closing' })
  })
})

describe('closing', () => {
  it('waits for running requests, settles them too, and gives the payer the rest', async () => {
    const { client, worker } = await ready()
    await chargeOne('a', 5000n, 4000n, worker)
    await stand.reserve('running', 1000n)
    const closing = stand.treasury.close()
    // The close has marked the channel by the time that the ledger answers.
    await stand.ledger.channelState(client.id)
    await expect(stand.reserve('late', 1n)).rejects.toEqual(code('ERR_CHANNEL_CLOSED'))
    await stand.charge('running', 900n, 500n, worker)
    const { channels, balances } = await closing
    expect(channels[0]).toMatchObject({ state: 'closed', settled: 5900n, charged: 5900n, reserved: 0n })
    expect(balances.difference).toBe(0n)
    // All but fees and what was charged is back with the payer: 10 deposited, 1 kept for fees.
    expect(balances.payer).toBeGreaterThan(11n * TON - 50_000_000n)
    expect(balances.payer).toBeLessThan(11n * TON + 100_000_000n)
    await stand.ledger.audit()
    expect((await stand.treasury.close(client.id)).balances).toEqual(balances)
  })

  it('that waits too long can be given up and repeated', async () => {
    const { worker } = await ready()
    await stand.reserve('running', 1000n)
    const giveUp = new AbortController()
    const closing = stand.treasury.close(undefined, giveUp.signal)
    giveUp.abort()
    await expect(closing).rejects.toEqual(code('ERR_TREASURY_BUSY'))
    await stand.charge('running', 900n, 500n, worker)
    expect((await stand.treasury.close()).channels[0]).toMatchObject({ state: 'closed', settled: 900n })
  })

  it('is followed by a new channel at the next start, on which the keys draw', async () => {
    const { client, worker } = await ready()
    await chargeOne('a', 5000n, 4000n, worker)
    await stand.treasury.close()
    const next = await stand.again().setup()
    expect(next.id).not.toBe(client.id)
    expect((await stand.ledger.keys.list()).map(({ channel }) => channel)).toEqual([next.id])
    await chargeOne('b', 10n, 10n, worker)
    expect((await stand.treasury.status()).balances).toMatchObject({ difference: 0n })
    await stand.ledger.audit()
  })

  it('takes up where a crash between any two steps left it', async () => {
    for (let at = 1; ; at++) {
      const { client, worker } = await ready()
      await chargeOne('a', 5000n, 4000n, worker)
      const crash = new CrashPoint(at)
      const doomed = stand.again({
        chain: crash.wrap(stand.chain, ['send', 'fund']),
        ledger: crash.wrap(stand.ledger, ['setChannelState', 'updateSettled']),
      })
      await doomed.close().catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error
      })
      const next = stand.again()
      await next.setup()
      await next.close(client.id)
      const { channels, balances } = await next.status()
      expect(channels.find(({ state }) => state === 'closed')).toMatchObject({ settled: 5000n })
      expect(balances.difference).toBe(0n)
      await stand.ledger.audit()
      if (!crash.reached) break
      expect(at).toBeLessThan(50)
      await stand.end()
    }
  }, 180_000)
})

describe('keys', () => {
  it('sign for channels that were set up with them only', async () => {
    stand = await setUp(node)
    const foreign = `0:${'1'.repeat(64)}`
    expect(() => stand.keys.signVoucher(foreign, 1n)).toThrow(code('ERR_TREASURY_KEY'))
    expect(() => stand.again({ chain: { ...stand.chain, globalId: -239 } })).toThrow(code('ERR_TREASURY_KEY'))
  })
})
