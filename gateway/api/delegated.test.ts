/** API keys on deposits of their owners' own, over HTTP, with a real contract on a chain in memory. */

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { generateKey, rawPublicKey } from '../../contracts/index.ts'
import { LedgerError } from '../ledger/index.ts'
import { newKeySecret } from '../ledger/keys.ts'
import { saltOf } from '../pay/index.ts'
import { Buyer } from '../pay/testing/buyer.ts'
import { TON } from '../pay/testing/payer.ts'
import { messageOf, refused, Shop } from '../pay/testing/shop.ts'
import { TrustedProxies } from './caller.ts'
import { DELEGATED_PATHS } from './delegated.ts'

let shop: Shop
beforeAll(async () => {
  shop = await Shop.open()
})
afterAll(async () => await shop[Symbol.asyncDispose]())

type Claim = Buyer['claim']

const send = (path: string, body: object | string, at = shop) =>
  fetch(at.net.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const open = (claim: Claim, at = shop) => send(DELEGATED_PATHS.open, claim, at)
const close = (claim: Claim, at = shop) => send(DELEGATED_PATHS.close, claim, at)
const buyer = (changed: Parameters<typeof Buyer.of>[1] = {}, at = shop) => Buyer.of(at.payee, changed)
const paid = async () => (await buyer()).pay()
const record = ({ id }: Buyer) => shop.net.ledger.channelState(id)
const ask = ({ apiKey }: Buyer, at = shop) =>
  at.net.post('/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello' }] }, apiKey)
/** What the chain shows is believed for some seconds. */
const later = () => shop.net.clock.advance(5_000)

describe('an API key of a deposit of one’s own', () => {
  it('works when the deposit is there, and not before', async () => {
    const mine = await buyer()
    expect(await refused(await open(mine.claim))).toEqual([402, 'payment_required'])
    expect(await record(mine)).toBeUndefined()
    expect(await refused(await ask(mine))).toEqual([401, 'invalid_api_key'])
    await mine.pay()
    later()
    const opened = await open(mine.claim)
    expect(await opened.json()).toMatchObject({
      id: mine.id,
      state: 'open',
      deposited: String(TON),
      charged: '0',
    })
    expect((await ask(mine)).status).toBe(200)
    const { charged, signer, deposited } = (await record(mine)) ?? expect.fail()
    expect([signer, deposited, charged > 0n]).toEqual(['gateway', TON, true])
    // Asked again: the same channel and key.
    expect(await (await open(mine.claim)).json()).toMatchObject({ id: mine.id, charged: String(charged) })
    expect((await shop.net.ledger.keys.list()).filter(({ channel }) => channel === mine.id)).toHaveLength(1)
  })

  it('is told of at a route for everybody', async () => {
    const response = await fetch(shop.net.url + DELEGATED_PATHS.terms)
    expect(await response.json()).toEqual({
      object: 'delegated.terms',
      voucher_key: Buffer.from(rawPublicKey(shop.payee.delegatedKey)).toString('hex'),
      kept: 'file',
      cap: String(3n * TON),
    })
  })

  it('is made a little later while too many keys are looked up', async () => {
    const mine = await paid()
    const busy = new LedgerError('ERR_LEDGER_BUSY', 'too many keys are being looked up')
    vi.spyOn(shop.net.ledger.keys, 'find').mockRejectedValueOnce(busy)
    expect(await refused(await open(mine.claim))).toEqual([503, 'server_busy'])
    expect(await (await open(mine.claim)).json()).toMatchObject({ id: mine.id, deposited: String(TON) })
  })

  it('draws on what is added, up to the cap', async () => {
    const mine = await paid()
    await open(mine.claim)
    await mine.client.topUp(mine.wallet, TON)
    later()
    expect(await (await open(mine.claim)).json()).toMatchObject({ deposited: String(2n * TON) })
    await mine.client.topUp(mine.wallet, 5n * TON)
    later()
    expect(await (await open(mine.claim)).json()).toMatchObject({ deposited: String(3n * TON) })
    const rich = await (await buyer()).pay(4n * TON)
    expect(await (await open(rich.claim)).json()).toMatchObject({ deposited: String(3n * TON) })
  })

  it('ends by agreement of its owner: the rest returns to the payer, and the key is worth nothing', async () => {
    const mine = await paid()
    await open(mine.claim)
    await ask(mine)
    const { charged = 0n } = (await record(mine)) ?? {}
    const { amount, release } = (await (await close(mine.claim)).json()) as {
      amount: string
      release: string
    }
    expect(amount).toBe(String(charged))
    expect(await refused(await ask(mine))).toEqual([402, 'insufficient_quota'])
    expect(await refused(await open(mine.claim))).toEqual([402, 'channel_closing'])
    const before = await mine.wallet.balance(shop.chain)
    await mine.client.coopClose(mine.wallet, BigInt(amount), Buffer.from(release, 'base64'))
    expect(await mine.wallet.balance(shop.chain)).toBeGreaterThan(before + TON - charged - TON / 10n)
  })

  it('ends without the gateway as well', async () => {
    const mine = await paid()
    await open(mine.claim)
    await mine.client.startClose(mine.wallet)
    const other = await paid()
    await other.client.startClose(other.wallet)
    expect(await refused(await open(other.claim))).toEqual([402, 'channel_closing'])
    expect(await record(other)).toBeUndefined()
  })
})

describe('somebody else', () => {
  it('has no key made for a deposit that he sees, before or after its owner', async () => {
    const mine = await paid()
    const theirs = { ...mine.claim, owner: randomBytes(32).toString('hex'), api_key: newKeySecret() }
    for (const claim of [theirs, { ...theirs, owner: mine.claim.owner }, { ...theirs, api_key: mine.apiKey }])
      expect(await refused(await open(claim))).toEqual([402, 'channel_refused'])
    expect(await record(mine)).toBeUndefined()
    expect((await open(mine.claim)).status).toBe(200)
    expect(await refused(await open(theirs))).toEqual([402, 'channel_refused'])
    expect(await refused(await ask({ apiKey: theirs.api_key } as Buyer))).toEqual([401, 'invalid_api_key'])
  })

  it('who has the API key alone does not end its channel', async () => {
    const mine = await paid()
    await open(mine.claim)
    const thief = { ...mine.claim, owner: randomBytes(32).toString('hex') }
    expect(await refused(await close(thief))).toEqual([402, 'channel_refused'])
    const route = await shop.net.post(`/v1/channels/${mine.id}/close`, {}, mine.apiKey)
    expect(route.status).toBe(401)
    expect(await record(mine)).toMatchObject({ state: 'open' })
  })

  it('gets nothing by a change to anything of a claim', async () => {
    const mine = await (await buyer()).pay()
    const { params, ...secrets } = mine.claim
    const hex = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => Buffer.from(bytes).toString('hex'))
    const changed = fc.oneof(
      fc
        .constantFrom('voucherKey', 'payeeKey', 'salt')
        .chain((name) => hex.map((value) => ({ [name]: value }))),
      fc.constantFrom('payer', 'payee').chain((name) => hex.map((value) => ({ [name]: `0:${value}` }))),
      fc
        .constantFrom('challengeSeconds', 'openUntil')
        .chain((name) => fc.integer({ min: 0, max: 3599 }).map((value) => ({ [name]: value }))),
    )
    await fc.assert(
      fc.asyncProperty(changed, async (change) => {
        const response = await open({ params: { ...params, ...change }, ...secrets })
        expect(response.status).toBe(402)
      }),
      { numRuns: 40 },
    )
    expect((await shop.net.ledger.channels()).some(({ params: kept }) => kept.includes(params.salt))).toBe(
      false,
    )
    later()
    expect((await open(mine.claim)).status).toBe(200)
  })
})

describe('a close that races requests and openings', () => {
  it('is released for all that is ever charged, and makes one key', async () => {
    const mine = await paid()
    const openings = await Promise.all(Array.from({ length: 4 }, () => open(mine.claim)))
    expect(openings.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    const chats = Array.from({ length: 6 }, () => ask(mine))
    const closes = Array.from({ length: 2 }, () => close(mine.claim))
    const late = await Promise.all([
      ...chats,
      open(mine.claim),
      ...Array.from({ length: 6 }, () => ask(mine)),
    ])
    for (const response of late) await response.text()
    const releases = (await Promise.all(closes)).map((each) => each.json() as Promise<{ amount: string }>)
    const amounts = new Set((await Promise.all(releases)).map(({ amount }) => amount))
    expect(await refused(await ask(mine))).toEqual([402, 'insufficient_quota'])
    const { charged, reserved, state } = (await record(mine)) ?? expect.fail()
    expect([[...amounts], reserved, state]).toEqual([[String(charged)], 0n, 'closing'])
    expect((await shop.net.ledger.keys.list()).filter(({ channel }) => channel === mine.id)).toHaveLength(1)
  })
})

describe('what is refused', () => {
  it('without a look at the chain: a voucher key of a former process, and the gateway as payer', async () => {
    const old = await (await buyer({ voucherKey: rawPublicKey(generateKey()) })).pay()
    const response = await open(old.claim)
    expect(await refused(response)).toEqual([402, 'channel_refused'])
    expect(await messageOf(response)).toMatch(/Start to close the channel: the whole deposit returns/)
    const ours = await (await buyer({ payer: shop.payee.wallet.address })).pay()
    const refusal = await open(ours.claim)
    expect(await refused(refusal)).toEqual([402, 'channel_refused'])
    expect(await messageOf(refusal)).toContain('own wallet')
    for (const each of [old, ours]) expect(await record(each)).toBeUndefined()
  })

  it('dust, another payee, a challenge period that is too short', async () => {
    const { payer } = (await buyer()).params
    const all = [
      await (await buyer()).pay(TON / 20n),
      await (await buyer({ payee: payer })).pay(),
      await (await buyer({ challengeSeconds: 60 })).pay(),
    ]
    for (const each of all) {
      expect(await refused(await open(each.claim))).toEqual([402, 'channel_refused'])
      expect(await record(each)).toBeUndefined()
    }
  })

  it('one API key for two channels, and one that was revoked', async () => {
    const mine = await paid()
    await open(mine.claim)
    const second = await (await buyer({ apiKey: mine.apiKey })).pay()
    expect(await refused(await open(second.claim))).toEqual([402, 'channel_refused'])
    expect((await shop.net.ledger.keys.find(mine.apiKey))?.channel).toBe(mine.id)
    const { key } = (await (await open(mine.claim)).json()) as { key: string }
    await shop.net.ledger.keys.revoke(key)
    expect(await refused(await open(mine.claim))).toEqual([402, 'channel_refused'])
    // Its owner gets the rest all the same.
    expect((await close(mine.claim)).status).toBe(200)
  })

  it('nothing to the owner of a channel whose voucher key is gone: it ends by agreement as well', async () => {
    const old = await (await buyer({ voucherKey: rawPublicKey(generateKey()) })).pay()
    const params = JSON.stringify(old.claim.params)
    await shop.net.ledger.putChannel({ id: old.id, address: old.id, role: 'client', params, deposited: TON })
    const { amount, release } = (await (await close(old.claim)).json()) as { amount: string; release: string }
    // It is no longer one of which the whole deposit returns.
    expect(await refused(await open(old.claim))).toEqual([402, 'channel_closing'])
    const before = await old.wallet.balance(shop.chain)
    await old.client.coopClose(old.wallet, BigInt(amount), Buffer.from(release, 'base64'))
    expect(await old.wallet.balance(shop.chain)).toBeGreaterThan(before + (TON * 9n) / 10n)
  })

  it('an agreement on what is not known here', async () => {
    const response = await close((await paid()).claim)
    expect(await refused(response)).toEqual([402, 'channel_refused'])
    expect(await messageOf(response)).toContain('start to close it instead')
  })

  it.each([
    ['api_key', { api_key: 'sk-chry-short' }],
    ['owner', { owner: 'AB'.repeat(32) }],
    ['params.payer', { params: { payer: '-1:00' } }],
    ['params.salt', { params: { salt: '' } }],
    ['more', { more: 1 }],
  ])('a body whose %s is wrong, without its text', async (param, wrong) => {
    const { claim } = await buyer()
    const params = { ...claim.params, ...('params' in wrong ? wrong.params : {}) }
    const response = await send(DELEGATED_PATHS.open, { ...claim, ...wrong, params })
    const { error } = (await response.json()) as { error: { param: string; message: string } }
    expect([response.status, error.param]).toEqual([400, param])
    expect(error.message).not.toMatch(/short|ABAB|-1:00/)
  })

  it('a long body, and another method', async () => {
    expect((await send(DELEGATED_PATHS.open, ' '.repeat(9000))).status).toBe(413)
    expect((await fetch(shop.net.url + DELEGATED_PATHS.open)).status).toBe(405)
  })
})

describe('an operator', () => {
  it('who takes no new ones lets those that are there go on and end', async () => {
    const { delegated, ...desk } = shop.payee.desk
    if (!delegated) throw new Error('no terms')
    await using other = await Shop.open({
      payments: { ...desk, perMinute: 1000, delegated: { ...delegated, offered: false } },
    })
    const mine = await paid()
    expect(await refused(await open(mine.claim, other))).toEqual([403, 'delegated_disabled'])
    expect((await fetch(other.net.url + DELEGATED_PATHS.terms)).status).toBe(403)
    const json = JSON.stringify(mine.claim.params)
    const row = { id: mine.id, address: mine.id, role: 'client', params: json, deposited: TON } as const
    await other.net.ledger.putChannel(row)
    expect((await open(mine.claim, other)).status).toBe(200)
    const { amount, release } = (await (await close(mine.claim, other)).json()) as {
      amount: string
      release: string
    }
    await mine.client.coopClose(mine.wallet, BigInt(amount), Buffer.from(release, 'base64'))
    expect((await mine.client.state())?.settled ?? 0n).toBe(0n)
  })

  it('is not flooded by channels that are made up', async () => {
    const { desk } = shop.payee
    await using other = await Shop.open({ payments: { ...desk, perMinute: 3 } })
    const { claim } = await buyer()
    const madeUp = () => {
      const [owner, apiKey] = [randomBytes(32), newKeySecret()]
      const salt = Buffer.from(saltOf({ owner, apiKey })).toString('hex')
      return { params: { ...claim.params, salt }, owner: owner.toString('hex'), api_key: apiKey }
    }
    for (let i = 0; i < 3; i++)
      expect(await refused(await open(madeUp(), other))).toEqual([402, 'payment_required'])
    const response = await open(madeUp(), other)
    expect(await refused(response)).toEqual([429, 'channel_lookups'])
    expect(response.headers.get('retry-after')).toBe('20')
    expect((await other.net.ledger.channels()).map(({ id }) => id).sort()).toEqual([
      'client',
      'poor',
      'worker',
    ])
    expect(await other.net.ledger.keys.list()).toHaveLength(2)
  })

  it('whose gateway is behind a proxy has a share for each of its clients: none keeps owners from their money', async () => {
    const proxies = new TrustedProxies(['127.0.0.1'])
    await using behind = await Shop.open({ payments: { ...shop.payee.desk, perMinute: 1 }, proxies })
    const { claim } = await buyer()
    const from = (address: string, path: string) => {
      const headers = { 'content-type': 'application/json', 'x-forwarded-for': address }
      return fetch(behind.net.url + path, { method: 'POST', headers, body: JSON.stringify(claim) })
    }
    for (const path of [DELEGATED_PATHS.open, DELEGATED_PATHS.close]) {
      const status = async (address: string) => (await from(`${address}.${path.length}`, path)).status
      expect([await status('203.0.113'), await status('203.0.113'), await status('198.51.100')]).toEqual([
        402, 429, 402,
      ])
    }
  })
})
