import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import {
  Address,
  beginCell,
  Cell,
  internal,
  loadTransaction,
  storeTransaction,
  type Transaction,
} from '@ton/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Wallet } from '../../wallet/wallet.ts'
import { priceParameters } from '../price-cells.ts'
import { PRICES_2025, PRICES_2026_06 } from '../prices.ts'
import type { Fault } from '../testing/toncenter.ts'
import { World } from '../testing/world.ts'
import type { ToncenterChain } from './chain.ts'
import { MAINNET, TESTNET } from './networks.ts'

const TON = 1_000_000_000n

let world: World
let chain: ToncenterChain
let wallet: Wallet

beforeEach(async () => {
  world = await World.start()
  wallet = await world.wallet(10n * TON)
  chain = await world.connect()
})

afterEach(() => world.close())

const refused = (code: string, work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code })
const balance = async () => (await chain.account(wallet.address)).balance
const gift = () => world.network.fund(wallet.address, TON)

/** Lets `change` rewrite what the first provider says of accounts. */
function lie(change: (result: Record<string, unknown>) => object): void {
  world.one.lie = (method, result) => {
    const record = result as Record<string, unknown>
    return method === 'getAddressInformation' ? { ...record, ...change(record) } : result
  }
}

/** The wallet's next external message, sending nothing much to itself. */
async function message(seqno: number): Promise<Buffer> {
  const transfer = internal({ to: wallet.address, value: 1n, bounce: false })
  return (await wallet.externalMessage([transfer], seqno, world.network.time + 60)).toBoc()
}

describe('reading', () => {
  it('shows accounts, time and get methods as the network has them', async () => {
    expect(await balance()).toBe(10n * TON)
    expect(await chain.account(wallet.address)).toMatchObject({ state: 'uninit', code: null, data: null })
    const nobody = new Address(0, Buffer.alloc(32, 9))
    expect(await chain.account(nobody)).toMatchObject({ state: 'none', balance: 0n, lastLt: 0n })
    expect(await chain.now()).toBe(world.network.block().time)
    const pause = () => world.clock.sleep(1000)
    await wallet.send(chain, [internal({ to: nobody, value: 1n, bounce: false })], { pause })
    expect(await chain.account(wallet.address)).toMatchObject({ state: 'active' })
    expect((await chain.get(wallet.address, 'seqno')).readNumber()).toBe(1)
    await refused('ERR_CHAIN_GET_METHOD', chain.get(wallet.address, 'no_such_method'))
    await refused('ERR_CHAIN_GET_METHOD', chain.get(nobody, 'seqno'))
    await refused('ERR_CHAIN_REQUEST', chain.get(nobody, 'seqno', [{ type: 'null' }]))
  })

  it('shows the fee parameters that both have, and none that only one of them shows', async () => {
    const { storage, gas, forward } = PRICES_2026_06
    expect(await chain.prices()).toEqual({ storage, gas, forward })
    const config = (bytes: string) => ({ '@type': 'configInfo', config: { '@type': 'tvm.cell', bytes } })
    const cheap = priceParameters(PRICES_2025).get(21)?.toBoc().toString('base64') ?? ''
    const answer = (bytes: string) => (method: string, result: unknown) =>
      method === 'getConfigParam' ? config(bytes) : result
    world.one.lie = answer(cheap)
    await refused('ERR_CHAIN_DISAGREEMENT', chain.prices())
    // The vote has come into force at one of them first.
    world.clock.onSleep = async () => {
      world.one.lie = undefined
    }
    world.one.lie = answer(cheap)
    expect(await chain.prices()).toEqual({ storage, gas, forward })
    for (const bytes of ['AAAA', '', '%']) {
      world.one.lie = answer(bytes)
      world.other.lie = answer(bytes)
      await refused('ERR_CHAIN_REPLY', chain.prices())
    }
  })

  it('waits for the provider that lags', async () => {
    await gift()
    world.other.lag = 1
    world.clock.onSleep = async () => {
      world.other.lag = 0
    }
    expect(await balance()).toBeGreaterThan(10n * TON)
    expect(world.other.lag).toBe(0)
  })

  it('takes no notice of a lag in which the account did not change', async () => {
    await world.network.advance()
    world.other.lag = 1
    expect(await balance()).toBe(10n * TON)
  })

  it('agrees on an account that changes faster than the slower provider follows', async () => {
    world.other.lag = 1
    world.clock.onSleep = () => gift()
    await gift()
    expect(await balance()).toBeGreaterThan(10n * TON)
  })

  it('gives up on providers that keep differing', async () => {
    world.other.lag = 1
    await gift()
    world.clock.onSleep = async () => undefined
    await refused('ERR_CHAIN_DISAGREEMENT', balance())
    world.one.lie = (method, result) =>
      method === 'runGetMethod' ? { ...(result as object), exit_code: 0, stack: [['num', '0x7']] } : result
    await refused('ERR_CHAIN_DISAGREEMENT', chain.get(wallet.address, 'seqno'))
  })

  it.each<[string, (result: Record<string, unknown>) => object]>([
    ['balance', () => ({ balance: '99000000000' })],
    ['state', () => ({ state: 'frozen' })],
    ['code', () => ({ code: Buffer.from('b5ee9c7201010101000300000102', 'hex').toString('base64') })],
    [
      'last transaction',
      ({ last_transaction_id }) => {
        const hash = Buffer.alloc(32, 3).toString('base64')
        return { last_transaction_id: { ...(last_transaction_id as object), hash } }
      },
    ],
    [
      'new transaction',
      ({ last_transaction_id }) => {
        return { last_transaction_id: { ...(last_transaction_id as object), lt: '99999999999' } }
      },
    ],
  ])('believes neither when one lies about the %s, and says so at once', async (_what, change) => {
    await gift()
    lie(change)
    const before = world.one.requests.length
    await refused('ERR_CHAIN_DISAGREEMENT', balance())
    expect(world.one.requests.length).toBe(before + 1)
  })

  it('is not led to a future block by the one that lies', async () => {
    lie(({ block_id }) => ({ block_id: { ...(block_id as object), seqno: 2 ** 31 - 1 } }))
    expect(await balance()).toBe(10n * TON)
    world.one.lie = undefined
    expect(await balance()).toBe(10n * TON)
  })

  it('refuses blocks that are old, of the future, before known ones or not final', async () => {
    world.clock.onSleep = async () => undefined
    for (let block = 0; block < 3; block++) await gift()
    const known = await balance()
    world.one.lag = 2
    world.other.lag = 2
    await refused('ERR_CHAIN_STALE', balance())
    await refused('ERR_CHAIN_STALE', chain.now())
    world.one.lag = 0
    world.other.lag = 0
    await world.network.advance()
    expect(await balance()).toBe(known)
    world.clock.ms += 61_000
    await refused('ERR_CHAIN_STALE', balance())
    await refused('ERR_CHAIN_STALE', chain.now())
    await world.network.advance()
    expect(await balance()).toBe(known)
    for (const skew of [-120_000, 120_000]) {
      world.clock.skew = skew
      await refused('ERR_CHAIN_STALE', balance())
      world.clock.skew = 0
      await world.network.advance()
    }
    lie(({ block_id }) => ({ block_id: { ...(block_id as object), workchain: 0 } }))
    await refused('ERR_CHAIN_NOT_FINAL', balance())
  })

  it('does not read a reply that is too long', async () => {
    world.one.always = {
      kind: 'status',
      status: 200,
      text: `{"ok":true,"result":"${'x'.repeat(5_000_000)}"}`,
    }
    const hasty = world.connect({ deadlineMs: 100 })
    await refused('ERR_CHAIN_UNREACHABLE', hasty)
  })

  it('refuses replies that are JSON but not toncenter v2, and numbers that lost digits', async () => {
    lie(() => ({ code: 7 }))
    await refused('ERR_CHAIN_REPLY', balance())
    lie(() => ({ code: 'AAAA' }))
    await refused('ERR_CHAIN_REPLY', balance())
    lie(() => ({ balance: 2 ** 60 }))
    await refused('ERR_CHAIN_REPLY', balance())
  })
})

describe('trouble', () => {
  const passing: Fault[] = [
    { kind: 'status', status: 429 },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 502 },
    { kind: 'hang' },
    { kind: 'truncate' },
    { kind: 'cut' },
  ]

  it.each(passing)('that passes is waited out: $kind $status', async (fault) => {
    world.one.faults.push(fault, fault)
    expect(await balance()).toBe(10n * TON)
    expect(world.one.faults).toEqual([])
  })

  it.each<[string, Fault]>([
    ['ERR_CHAIN_RATE_LIMITED', { kind: 'status', status: 429 }],
    ['ERR_CHAIN_UNREACHABLE', { kind: 'status', status: 503 }],
    ['ERR_CHAIN_UNREACHABLE', { kind: 'hang' }],
    ['ERR_CHAIN_UNREACHABLE', { kind: 'cut' }],
    ['ERR_CHAIN_REPLY', { kind: 'truncate' }],
  ])('that stays is %s at the deadline', async (code, fault) => {
    world.other.always = fault
    const start = world.clock.ms
    await refused(code, balance())
    expect(world.clock.ms - start).toBeLessThanOrEqual(30_000)
    // Growing pauses: 30 s hold but a few attempts.
    expect(world.other.requests.length).toBeLessThan(12)
  })

  it('with the key is told at once', async () => {
    world.one.faults.push({ kind: 'status', status: 401 })
    const before = world.one.requests.length
    await refused('ERR_CHAIN_UNAUTHORIZED', balance())
    expect(world.one.requests.length).toBe(before + 1)
  })

  it('of asking too often: Retry-After is kept to by all requests, and not waited for beyond the deadline', async () => {
    world.one.faults.push({ kind: 'status', status: 429, retryAfter: '7' })
    world.clock.ms += 1000
    await world.network.advance()
    const start = world.clock.ms
    await Promise.all([balance(), balance(), chain.now()])
    const times = world.one.requests.map(({ at }) => at - start)
    expect(times.filter((at) => at > 300 && at < 7000)).toEqual([])
    expect(times.filter((at) => at >= 7000).length).toBeGreaterThan(0)
    world.one.faults.push({ kind: 'status', status: 429, retryAfter: '31' })
    const again = world.clock.ms
    await refused('ERR_CHAIN_RATE_LIMITED', balance())
    expect(world.clock.ms - again).toBeLessThan(1000)
    const sent = world.one.requests.length
    await refused('ERR_CHAIN_RATE_LIMITED', balance())
    expect(world.one.requests.length).toBe(sent)
    world.clock.ms += 31_000
    await world.network.advance()
    expect(await balance()).toBe(10n * TON)
  })

  it('is not caused by us: requests are spaced to the rate', async () => {
    world.one.rate = 1
    world.other.rate = 1
    const providers = [{ endpoint: world.one.endpoint }, { endpoint: world.other.endpoint }] as const
    world.clock.ms += 1000
    const keyless = await world.connect({ providers })
    const start = world.one.requests.length
    for (let count = 0; count < 8; count++) await keyless.account(wallet.address)
    const times = world.one.requests.slice(start).map(({ at }) => at)
    expect(times).toHaveLength(8)
    for (const [index, at] of times.slice(1).entries())
      expect(at - (times[index] ?? 0)).toBeGreaterThanOrEqual(1000)
    // More than the rate holds before the deadline fails before it is sent.
    const many = Array.from({ length: 40 }, () => keyless.account(wallet.address))
    const codes = (await Promise.allSettled(many)).flatMap((result) =>
      result.status === 'rejected' ? [result.reason.code] : [],
    )
    expect(new Set(codes)).toEqual(new Set(['ERR_CHAIN_RATE_LIMITED']))
  })

  it('with providers that are gone is ERR_CHAIN_UNREACHABLE', async () => {
    await world.other.close()
    await refused('ERR_CHAIN_UNREACHABLE', balance())
  })
})

describe('sending', () => {
  it('reaches the network through either provider', async () => {
    world.one.always = { kind: 'status', status: 503 }
    await chain.send(await message(0))
    world.one.always = undefined
    await world.network.advance()
    expect((await chain.account(wallet.address)).state).toBe('active')
  })

  it('tells a refusal, with its exit code, from an outage, though both are status 500', async () => {
    await refused('ERR_CHAIN_REJECTED', chain.send(Buffer.from('not a boc')))
    await refused('ERR_CHAIN_REJECTED', chain.send(await message(5)))
    await chain.send(await message(0))
    await world.network.advance()
    await expect(chain.send(await message(5))).rejects.toThrow(/did not accept the message \(exit code 133\)/)
    world.one.always = { kind: 'status', status: 500 }
    world.other.always = { kind: 'status', status: 500 }
    await refused('ERR_CHAIN_UNREACHABLE', chain.send(await message(1)))
  })

  it('of bytes that were accepted before is no error once they have worked', async () => {
    const boc = await message(0)
    await chain.send(boc)
    await chain.send(boc)
    await world.network.advance()
    await chain.send(boc)
    await refused('ERR_CHAIN_REJECTED', (await world.connect()).send(boc))
  })

  it('does not take a refusal for the last word when an attempt before may have arrived', async () => {
    world.one.faults.push({ kind: 'cut' })
    world.other.faults.push({ kind: 'cut' })
    await refused('ERR_CHAIN_UNREACHABLE', chain.send(await message(0)))
    expect((await chain.account(wallet.address)).state).toBe('active')
  })
})

describe('sending to one that refuses and one that is silent', () => {
  it('leaves it open whether the silent one took it', async () => {
    const boc = await message(5)
    for (const [silent, other] of [[world.one, world.other] as const, [world.other, world.one] as const]) {
      silent.always = { kind: 'status', status: 503 }
      await refused('ERR_CHAIN_UNREACHABLE', chain.send(boc))
      silent.always = undefined
      expect(other.requests.at(-1)?.method).toBe('sendBoc')
    }
  })
})

describe('transactions', () => {
  const hashes = (list: Transaction[]) => list.map((entry) => entry.hash().toString('hex'))

  /** Rewrites the list that a provider gives. */
  const rewrite = (change: (list: unknown[]) => unknown[]) => (method: string, result: unknown) =>
    method === 'getTransactions' ? change(result as unknown[]) : result

  /** The same transaction, but a second later. */
  function forged(entry: unknown): unknown {
    const { data } = entry as { data: string }
    const real = loadTransaction(Cell.fromBase64(data).beginParse())
    const cell = beginCell()
      .store(storeTransaction({ ...real, now: real.now + 1 }))
      .endCell()
    return { ...(entry as object), data: cell.toBoc().toString('base64') }
  }

  beforeEach(async () => {
    for (let count = 0; count < 4; count++) await gift()
  })

  it('come newest first, and are proven to end at the agreed state', async () => {
    const all = await chain.transactions(wallet.address, 100)
    expect(all).toHaveLength(5)
    expect(all[0]?.lt).toBe((await chain.account(wallet.address)).lastLt)
    expect(hashes(await chain.transactions(wallet.address, 2))).toEqual(hashes(all.slice(0, 2)))
    expect(await chain.transactions(new Address(0, Buffer.alloc(32, 9)), 5)).toEqual([])
    await refused('ERR_CHAIN_REQUEST', chain.transactions(wallet.address, 101))
  })

  it('are put in order when a provider mixes them up', async () => {
    const all = hashes(await chain.transactions(wallet.address, 100))
    world.one.lie = rewrite((list) => list.toReversed())
    world.other.always = undefined
    expect(hashes(await chain.transactions(wallet.address, 100))).toEqual(all)
    expect(world.other.requests.filter(({ method }) => method === 'getTransactions')).toEqual([])
  })

  it('are asked of the other provider when one leaves some out or forges them, and of none if both do', async () => {
    const all = hashes(await chain.transactions(wallet.address, 100))
    for (const change of [
      (list: unknown[]) => list.slice(1),
      (list: unknown[]) => list.toSpliced(2, 1),
      () => [],
      (list: unknown[]) => [list[0], list[0], ...list.slice(1)],
      (list: unknown[]) => [forged(list[0]), ...list.slice(1)],
      (list: unknown[]) => list.with(3, forged(list[3])),
    ]) {
      world.one.lie = rewrite(change)
      world.other.lie = undefined
      expect(hashes(await chain.transactions(wallet.address, 100))).toEqual(all)
      world.other.lie = rewrite(change)
      await refused('ERR_CHAIN_HISTORY', chain.transactions(wallet.address, 100))
    }
  })
})

describe('connecting', () => {
  it('is to the network that is named, at both providers', async () => {
    await refused('ERR_CHAIN_NETWORK', world.connect({ network: MAINNET }))
    world.other.network = TESTNET
    await expect(world.connect()).rejects.toThrow(/serves another network/)
  })

  it('takes two hosts, keys outside of URLs, and https', async () => {
    const good = { endpoint: world.one.endpoint }
    const bad = async (field: RegExp, change: object) => {
      const work = world.connect({ providers: [{ endpoint: world.other.endpoint, ...change }, good] })
      await expect(work).rejects.toThrow(field)
      await refused('ERR_CHAIN_CONFIG', work)
    }
    await bad(/providers/, good)
    await bad(/endpoint.*apiKey/, { endpoint: `${world.other.endpoint}?api_key=secret` })
    await bad(/endpoint/, { endpoint: 'https://user:secret@toncenter.com/api/v2/jsonRPC' })
    await bad(/endpoint.*https/, { endpoint: 'http://toncenter.com/api/v2/jsonRPC' })
    await bad(/endpoint/, { endpoint: 'toncenter.com' })
    await bad(/apiKey/, { apiKey: 'secret\n' })
    await bad(/requestsPerSecond/, { requestsPerSecond: 0 })
    await bad(/timeoutMs/, { timeoutMs: 0 })
    await refused('ERR_CHAIN_CONFIG', world.connect({ deadlineMs: Number.NaN }))
    await refused('ERR_CHAIN_CONFIG', world.connect({ maxSkewSeconds: -1 }))
  })
})

describe('the key', () => {
  it('goes to its own provider, as a header', async () => {
    await balance()
    expect(new Set(world.one.requests.map(({ apiKey }) => apiKey))).toEqual(new Set(['key-of-one']))
    expect(new Set(world.other.requests.map(({ apiKey }) => apiKey))).toEqual(new Set(['key-of-other']))
  })

  it('is in no error, whatever the provider says', async () => {
    const echo = JSON.stringify({ ok: false, error: 'bad key key-of-one, key-of-other', code: 500 })
    const faults: Fault[] = [
      ...[200, 400, 401, 422, 429, 500].map((status) => ({ kind: 'status' as const, status, text: echo })),
      { kind: 'status', status: 200, text: '{"ok":true,"result":"key-of-one key-of-other"}' },
      { kind: 'hang' },
      { kind: 'cut' },
    ]
    for (const fault of faults) {
      world.one.always = fault
      world.other.always = fault
      const error: unknown = await balance().catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(Error)
      expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/key-of-/)
    }
  })

  it('does not follow a redirect', async () => {
    let visits = 0
    const elsewhere = createServer((_request, response) => {
      visits++
      response.end('{}')
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`
    world.one.always = { kind: 'status', status: 307, location }
    await refused('ERR_CHAIN_UNREACHABLE', balance())
    expect(visits).toBe(0)
    await new Promise((resolve) => elsewhere.close(resolve))
  })
})
