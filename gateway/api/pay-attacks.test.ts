import { request } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  encodePayment,
  generateKey,
  type PaymentPayload,
  paymentRequestId,
  rawPublicKey,
} from '../../contracts/index.ts'
import { InProcess } from '../e2e/inprocess.ts'
import type { PaymentDesk } from '../pay/index.ts'
import { Payee, type Payer, TON } from '../pay/testing/payer.ts'
import { CHAT, messageOf, offer, paid, refused, type Sent, Shop } from '../pay/testing/shop.ts'
import { TrustedProxies } from './caller.ts'
import { scriptedApp } from './testing/face.ts'

const OTHER_BODY = JSON.stringify({ model: 'other', messages: [] })
let shop: Shop
beforeAll(async () => {
  shop = await Shop.open()
})
afterAll(async () => await shop[Symbol.asyncDispose]())

describe('a captured payment', () => {
  it.each<[string, Sent]>([
    ['body', { body: OTHER_BODY }],
    ['path', { path: '/v1/completions' }],
    ['query', { path: `${CHAT}?more=1` }],
    ['method', { method: 'GET', path: '/v1/models' }],
  ])('pays for no other %s', async (_what, sent) => {
    const payer = await shop.payee.payer()
    expect(await refused(await shop.chat(payer, {}, sent))).toEqual([402, 'payment_invalid'])
    expect(await shop.net.ledger.channelState(payer.address)).toBeUndefined()
  })

  it('is used once, also by whoever was refused', async () => {
    const payer = await shop.payee.payer()
    const payment = payer.header(shop.signed())
    expect((await shop.chat(payer, {}, { payment })).status).toBe(200)
    const before = await shop.charged(payer)
    const replay = await shop.chat(payer, {}, { payment })
    expect(await refused(replay)).toEqual([409, 'payment_replayed'])
    expect(replay.headers.get('x-should-retry')).toBe('false')
    expect(await shop.charged(payer)).toBe(before)
    const stale = payer.header({ path: '/v1/models', method: 'GET', ceiling: 0n, expires: shop.seconds + 60 })
    expect((await shop.get(payer, '/v1/models', { payment: stale })).status).toBe(200)
    expect(await refused(await shop.get(payer, '/v1/models', { payment: stale }))).toEqual([
      409,
      'payment_replayed',
    ])
  })

  it('is good for nothing once it has expired, and its reuse is refused for good by the ledger', async () => {
    const payer = await shop.payee.payer()
    const id = 'used-in-another-life'
    const requestId = paymentRequestId(payer.client.address, id)
    await shop.chat(payer)
    // As a former process of this gateway did.
    const { id: key } = await shop.net.ledger.keys.accountOf(payer.address)
    const worker = { id: 'w', bootId: 'b' }
    await shop.net.ledger.reserve({ requestId, channel: payer.address, key, worker, maxCharge: 1n })
    await shop.net.ledger.release(requestId, 'test')
    expect(await refused(await shop.chat(payer, { id }))).toEqual([409, 'request_id_conflict'])
    const payment = payer.header({
      path: CHAT,
      body: shop.body(),
      ceiling: TON / 2n,
      expires: shop.seconds + 5,
    })
    shop.net.clock.advance(5_000)
    expect(await refused(await shop.chat(payer, {}, { payment }))).toEqual([402, 'payment_expired'])
  })

  it('for another gateway or network is turned away', async () => {
    const payer = await shop.payee.payer()
    const payment = payer.payment(shop.signed({ ceiling: TON }))
    for (const [field, value] of [
      ['payTo', `0:${'07'.repeat(32)}`],
      ['network', 'tvm:-239'],
    ] as const) {
      const other = { ...payment, accepted: { ...payment.accepted, [field]: value } }
      const response = await shop.chat(payer, {}, { payment: encodePayment(other) })
      expect(await refused(response)).toEqual([402, 'payment_invalid'])
      expect(await messageOf(response)).toContain(field)
    }
    // Its channel pays somebody else, or is closed by somebody else's key, whatever the header says.
    const elsewhere = new Payee(shop.chain, await shop.chain.wallet())
    for (const stranger of [
      await elsewhere.payer(),
      await shop.payee.payer(TON, { payee: elsewhere.wallet.address }),
    ]) {
      const forged = { ...stranger.payment(shop.signed({ ceiling: TON })), accepted: payment.accepted }
      const response = await shop.chat(stranger, {}, { payment: encodePayment(forged) })
      expect(await refused(response)).toEqual([402, 'channel_refused'])
      expect(await messageOf(response)).toContain('payee')
    }
  })

  it('with one bit of a signature changed is nobody’s', async () => {
    const payer = await shop.payee.payer()
    const flipped = (text: string) => {
      const bytes = Buffer.from(text, 'base64')
      bytes[7] = (bytes[7] ?? 0) ^ 1
      return bytes.toString('base64')
    }
    const { payload, ...rest } = payer.payment({
      path: CHAT,
      body: shop.body(),
      ceiling: TON,
      expires: shop.seconds + 60,
    })
    const { voucher, request } = payload
    for (const changed of [
      { ...payload, voucher: { ...voucher, signature: flipped(voucher.signature) } },
      { ...payload, voucher: { ...voucher, ceiling: (TON - 1n).toString() } },
      { ...payload, request: { ...request, signature: flipped(request.signature) } },
      { ...payload, request: { ...request, expires: request.expires + 1 } },
      { ...payload, request: { ...request, id: `${request.id}x` } },
    ] satisfies PaymentPayload['payload'][]) {
      const response = await shop.chat(payer, {}, { payment: encodePayment({ ...rest, payload: changed }) })
      expect(await refused(response)).toEqual([402, 'payment_invalid'])
    }
    expect(await shop.net.ledger.channelState(payer.address)).toBeUndefined()
    // Nor once the voucher is held that it pretends to be.
    expect((await shop.chat(payer, { ceiling: TON })).status).toBe(200)
    const close = { ...payload, voucher: { ...voucher, signature: flipped(voucher.signature) } }
    const response = await shop.chat(payer, {}, { payment: encodePayment({ ...rest, payload: close }) })
    expect(await refused(response)).toEqual([402, 'payment_invalid'])
  })

  it('does not use up the rate of the channel that it pretends to be of', async () => {
    await using poor = await InProcess.open({ payments: shop.payee.desk, requestsPerMinute: 2 })
    const payer = await shop.payee.payer()
    const post = (body: string, signed: string) => {
      const expires = Math.floor(poor.clock.now() / 1000) + 60
      const payment = payer.header({ path: CHAT, body: signed, ceiling: TON, expires })
      const headers = { 'content-type': 'application/json', 'payment-signature': payment }
      return fetch(poor.url + CHAT, { method: 'POST', headers, body })
    }
    const body = JSON.stringify({ model: poor.model, messages: [{ role: 'user', content: 'Hello' }] })
    for (let i = 0; i < 4; i++) expect((await post(body, '{}')).status).toBe(402)
    expect((await post(body, body)).status).toBe(200)
    expect((await post(body, body)).status).toBe(200)
    const third = await post(body, body)
    expect(third.status).toBe(429)
    expect(paid(third)).toMatchObject({ success: false, errorReason: 'rate_limit_exceeded' })
  })

  it('does not use up the rate of its payer by being sent again', async () => {
    await using poor = await Shop.open({ requestsPerMinute: 2 }, shop.payee)
    const payer = await poor.payee.payer()
    const payment = payer.header(poor.signed())
    expect((await poor.chat(payer, {}, { payment })).status).toBe(200)
    for (let i = 0; i < 4; i++)
      expect(await refused(await poor.chat(payer, {}, { payment }))).toEqual([409, 'payment_replayed'])
    expect((await poor.chat(payer)).status).toBe(200)
    expect(await refused(await poor.chat(payer))).toEqual([429, 'rate_limit_exceeded'])
  })
})

describe('what is written for nothing', () => {
  const rates = { uncharged: { burst: 3, perMinute: 6 } }

  it('by requests that a worker refuses: 429 for that channel or key, until something is charged', async () => {
    await using little = await Shop.open(rates, shop.payee)
    const [payer, other] = [await little.payee.payer(), await little.payee.payer()]
    expect((await little.chat(payer)).status).toBe(200)
    const tooLong = little.body({ messages: [{ role: 'user', content: 'x'.repeat(600) }] })
    const attempts = Array.from({ length: 3 }, () => () => little.chat(payer, { body: tooLong }))
    for (const attempt of attempts)
      expect(await refused(await attempt())).toEqual([400, 'context_length_exceeded'])
    const response = await little.chat(payer)
    expect(await refused(response)).toEqual([429, 'uncharged_requests'])
    expect(response.headers.get('retry-after')).toBe('10')
    expect(response.headers.get('x-should-retry')).toBe('true')
    expect((await little.chat(other)).status).toBe(200)
    expect((await little.net.chat('Hello')).status).toBe(200)
    little.net.clock.advance(10_000)
    // Charged: from here on it is as before.
    for (let i = 0; i < 4; i++) expect((await little.chat(payer)).status).toBe(200)
  })

  it('by vouchers that rise with each read: 429, and the same header is good once there is room', async () => {
    await using little = await Shop.open(rates, shop.payee)
    const payer = await little.payee.payer()
    const read = (ceiling: bigint, payment?: string) =>
      little.get(payer, '/v1/models', { payment: payment ?? payer.header(models(ceiling)) })
    const models = (ceiling: bigint) =>
      little.signed({ path: '/v1/models', method: 'GET', body: '', ceiling })
    for (const ceiling of [1n, 2n, 3n]) expect((await read(ceiling)).status).toBe(200)
    const payment = payer.header(models(4n))
    expect(await refused(await read(4n, payment))).toEqual([429, 'uncharged_requests'])
    for (let i = 0; i < 4; i++) expect((await read(3n)).status).toBe(200)
    little.net.clock.advance(10_000)
    expect((await read(4n, payment)).status).toBe(200)
  })
})

it('each client of a trusted proxy has looks at the chain of its own', async () => {
  const proxies = new TrustedProxies(['127.0.0.1'])
  await using behind = await InProcess.open({ payments: { ...shop.payee.desk, perMinute: 1 }, proxies })
  const ask = async (client: string) => {
    const payer = await shop.payee.payer(0n)
    const expires = Math.floor(behind.clock.now() / 1000) + 60
    const payment = payer.header({ path: '/v1/models', method: 'GET', ceiling: 0n, expires })
    const headers = { 'payment-signature': payment, 'x-forwarded-for': client }
    return (await fetch(`${behind.url}/v1/models`, { headers })).status
  }
  expect(await ask('203.0.113.9')).toBe(402)
  expect(await ask('203.0.113.9')).toBe(429)
  expect(await ask('203.0.113.8')).toBe(402)
})

describe('a close that races requests', () => {
  it('is released for all that is ever charged, and what comes later is charged nothing', async () => {
    const outcomes = new Set<number>()
    for (let round = 0; round < 4; round++) {
      const payer = await shop.payee.payer()
      expect((await shop.chat(payer)).status).toBe(200)
      const path = `/v1/channels/${payer.address}/close`
      const chats = Array.from({ length: 6 }, () => shop.chat(payer))
      const closes = Array.from({ length: 2 }, () => shop.post(payer, path))
      const late = await Promise.all([...chats, ...Array.from({ length: 6 }, () => shop.chat(payer))])
      for (const response of late) {
        outcomes.add(response.status)
        await response.text()
      }
      const releases = (await Promise.all(closes)).map((each) => each.json() as Promise<{ amount: string }>)
      const amounts = new Set((await Promise.all(releases)).map(({ amount }) => amount))
      expect([...amounts]).toEqual([String(await shop.charged(payer))])
      expect(shop.net.ledger.channelNow(payer.address)).toMatchObject({ state: 'closing', reserved: 0n })
      expect(await refused(await shop.chat(payer))).toEqual([402, 'channel_closing'])
      expect([...amounts]).toEqual([String(await shop.charged(payer))])
    }
    expect([...outcomes].every((status) => [200, 402].includes(status))).toBe(true)
  })
})

describe('channels that are not taken', () => {
  it.each<[string, string, () => Promise<Payer>]>([
    ['not opened', 'payment_required', () => shop.payee.payer(0n)],
    ['with too little', 'channel_refused', () => shop.payee.payer(TON / 10n - 1n)],
    [
      'that leave no time to settle',
      'channel_refused',
      () => shop.payee.payer(TON, { challengeSeconds: 3599 }),
    ],
    [
      'that another key closes',
      'channel_refused',
      () => shop.payee.payer(TON, { payeeKey: rawPublicKey(generateKey()) }),
    ],
  ])('%s: %s', async (_what, code, make) => {
    const payer = await make()
    expect(await refused(await shop.chat(payer, { ceiling: 1000n }))).toEqual([402, code])
    expect(await shop.net.ledger.channelState(payer.address)).toBeUndefined()
  })

  it('settled before, though the books here know nothing of it', async () => {
    const payer = await shop.payee.payer()
    await payer.client.settle(shop.payee.wallet, 5n, 10n, payer.voucher(10n))
    const response = await shop.chat(payer)
    expect(await refused(response)).toEqual([402, 'channel_refused'])
    expect(await messageOf(response)).toContain('settled before')
  })

  it('closing, and who asks is told when it ends', async () => {
    const payer = await shop.payee.payer()
    await shop.chat(payer)
    const { closeAt } = await payer.client.startClose(payer.wallet)
    // As the watcher of the chain does.
    await shop.net.ledger.setChannelState(payer.address, 'closing')
    shop.net.clock.advance(6_000)
    const response = await shop.chat(payer)
    expect(await refused(response)).toEqual([402, 'channel_closing'])
    expect(offer(response)?.extra.channelState?.withdrawRequestedAt).toBe(closeAt)
    const state = await shop.get(payer, `/v1/channels/${payer.address}`)
    expect(await state.json()).toMatchObject({ state: 'closing', close_at: closeAt })
    const stranger = await shop.payee.payer()
    await stranger.client.startClose(stranger.wallet)
    expect(await refused(await shop.chat(stranger))).toEqual([402, 'channel_closing'])
  })

  it('frozen: 503, and no release either', async () => {
    const payer = await shop.payee.payer()
    await shop.chat(payer)
    await shop.net.ledger.freeze(payer.address, 'the chain knows more')
    expect(await refused(await shop.chat(payer))).toEqual([503, 'channel_frozen'])
    const path = `/v1/channels/${payer.address}/close`
    expect(await refused(await shop.post(payer, path))).toEqual([503, 'channel_frozen'])
  })
})

describe('headers that are no payment', () => {
  it('clocks apart: both times are named', async () => {
    const payer = await shop.payee.payer()
    for (const expires of [shop.seconds - 1, shop.seconds + 301]) {
      const response = await shop.chat(payer, { expires })
      expect(await refused(response)).toEqual([402, 'payment_expired'])
      const message = await messageOf(response)
      expect(message).toContain(String(expires))
      expect(message).toContain(String(shop.seconds))
    }
  })

  it.each([
    ['no base64', '{}'],
    ['no JSON', Buffer.from('{').toString('base64')],
    ['nothing of ours', Buffer.from('{"x402Version":2}').toString('base64')],
    ['too long', Buffer.alloc(9000, ' ').toString('base64')],
  ])('%s: 400', async (_what, payment) => {
    const payer = await shop.payee.payer(0n)
    const response = await shop.chat(payer, {}, { payment })
    expect(await refused(response)).toEqual([400, 'payment_invalid'])
  })

  it('beside an API key: 400', async () => {
    const payer = await shop.payee.payer(0n)
    const headers = { authorization: `Bearer ${shop.net.apiKey}` }
    expect(await refused(await shop.chat(payer, {}, { headers }))).toEqual([400, 'payment_invalid'])
    expect(await refused(await shop.chat(payer, {}, { headers: { 'x-api-key': shop.net.apiKey } }))).toEqual([
      400,
      'payment_invalid',
    ])
  })
})
/** What comes of a request whose head is there and whose body is not. */
function headAlone(payment: string): Promise<[number, string] | 'waits'> {
  const { promise, resolve, reject } = Promise.withResolvers<[number, string] | 'waits'>()
  const headers = {
    ...{ 'content-type': 'application/json', 'content-length': '1000000' },
    ...{ 'payment-signature': payment, expect: '100-continue' },
  }
  const sent = request(shop.net.url + CHAT, { method: 'POST', headers })
  sent.on('continue', () => {
    resolve('waits')
    sent.destroy()
  })
  sent.on('response', async (response) => {
    const text = Buffer.concat(await response.toArray()).toString()
    resolve([response.statusCode ?? 0, (JSON.parse(text) as { error: { code: string } }).error.code])
    sent.destroy()
  })
  sent.on('error', reject)
  sent.flushHeaders()
  return promise
}

/** Sends the most of so many bodies and keeps their ends; resolves with the statuses of those that were refused, once there are `refusals`. */
async function halfSent(payment: string, { count, refusals }: { count: number; refusals: number }) {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const statuses: (number | undefined)[] = []
  const headers = {
    'content-type': 'application/json',
    'content-length': '65536',
    'payment-signature': payment,
  }
  const uploads = Array.from({ length: count }, () => {
    const sent = request(shop.net.url + CHAT, { method: 'POST', headers, agent: false })
    sent.on('error', reject)
    sent.on('response', (response) => {
      response.resume()
      if (statuses.push(response.statusCode) === refusals) resolve()
    })
    sent.write(Buffer.alloc(65_000))
    return sent
  })
  await promise
  return {
    statuses,
    end: () => {
      for (const each of uploads)
        each
          .removeAllListeners('error')
          .on('error', () => {})
          .destroy()
    },
  }
}

describe('payments of any shape', () => {
  /** Every place in a JSON value, as a list of names. */
  const places = (value: unknown, at: string[] = []): string[][] =>
    typeof value === 'object' && value !== null
      ? [at, ...Object.entries(value).flatMap(([name, each]) => places(each, [...at, name]))]
      : [at]

  const withValue = (value: unknown, [name, ...rest]: string[], replacement: unknown): unknown =>
    name === undefined
      ? replacement
      : {
          ...(value as object),
          [name]: withValue((value as Record<string, unknown>)[name], rest, replacement),
        }

  it('are served as signed or refused as 4xx, whatever is changed of them', async () => {
    const payer = await shop.payee.payer()
    await shop.chat(payer)
    const known = await shop.charged(payer)
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.oneof(fc.jsonValue(), fc.constant(undefined)), async (where, value) => {
        const payment = payer.payment(shop.signed())
        const all = places(payment).slice(1)
        const place = all[where % all.length] ?? []
        const header = Buffer.from(JSON.stringify(withValue(payment, place, value))).toString('base64')
        const response = await shop.chat(payer, {}, { payment: header })
        // These three nobody reads: they are the payer's own.
        const unread = place[0] === 'accepted' && ['extra', 'maxTimeoutSeconds'].includes(place[1] ?? '')
        expect([...(unread ? [200] : []), 400, 402], place.join('.')).toContain(response.status)
      }),
      { numRuns: 200 },
    )
    expect(await shop.net.ledger.channelNow(payer.address)).toMatchObject({ reserved: 0n })
    expect(await shop.charged(payer)).toBeGreaterThanOrEqual(known ?? 0n)
  })

  it('without a channel behind them are refused before their body is waited for', async () => {
    const stranger = await shop.payee.payer(0n)
    const known = await shop.payee.payer()
    expect((await shop.chat(known)).status).toBe(200)
    const forged = known.payment(shop.signed({ ceiling: TON }))
    forged.payload.voucher.signature = Buffer.alloc(64, 1).toString('base64')
    for (const [payment, code] of [
      [stranger.header(shop.signed()), 'payment_required'],
      [encodePayment(forged), 'payment_invalid'],
    ] as const)
      expect(await headAlone(payment)).toEqual([402, code])
    expect(await headAlone(known.header(shop.signed()))).toBe('waits')
  })

  it.each([2n ** 63n, 2n ** 70n])('with a ceiling of %s nanotons are refused by name', async (ceiling) => {
    const payer = await shop.payee.payer()
    expect(await refused(await shop.chat(payer, { ceiling }))).toEqual([402, 'insufficient_quota'])
    expect(await refused(await shop.chat(payer, { ceiling, amount: ceiling }))).toEqual([
      402,
      'insufficient_quota',
    ])
  })

  it('with a voucher that everybody can read on the chain hold so much memory and no more', async () => {
    const victim = await shop.payee.payer()
    expect((await shop.chat(victim)).status).toBe(200)
    const { payload, ...rest } = victim.payment(shop.signed())
    const request = { ...payload.request, signature: Buffer.alloc(64, 1).toString('base64') }
    const payment = encodePayment({ ...rest, payload: { ...payload, request } })
    const { statuses, end } = await halfSent(payment, { count: 200, refusals: 60 })
    expect(new Set(statuses)).toEqual(new Set([503]))
    // Nobody notices: they make room, also for that channel’s payer.
    const body = shop.body() + ' '.repeat(200_000)
    for (const payer of [victim, await shop.payee.payer()])
      expect((await shop.chat(payer, { body })).status).toBe(200)
    end()
  })

  it('too large for HTTP: 431', async () => {
    const payer = await shop.payee.payer(0n)
    const response = await shop.chat(payer, {}, { payment: 'A'.repeat(20_000) })
    expect(await refused(response)).toEqual([431, 'headers_too_large'])
  })

  it('are in no log, whatever breaks', async () => {
    const read = (header: string) => {
      throw new Error(`broke on ${header}`)
    }
    const { app, logged } = scriptedApp(() => Promise.reject(new Error('not asked')), {
      payments: { read } as unknown as PaymentDesk,
    })
    const payer = await shop.payee.payer(0n)
    const payment = payer.header(shop.signed())
    const response = await app.request(CHAT, { method: 'POST', headers: { 'payment-signature': payment } })
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain(payment)
    expect(logged).toHaveLength(1)
    expect(JSON.stringify(logged)).not.toContain(payment)
  })
})
