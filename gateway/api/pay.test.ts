import { gzipSync } from 'node:zlib'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  decodePaymentRequired,
  decodePaymentResponse,
  encodePayment,
  generateKey,
  type PaymentPayload,
  type PaymentRequired,
  paymentRequestId,
  rawPublicKey,
  verifyRelease,
} from '../../contracts/index.ts'
import { MemoryChain } from '../../contracts/testing.ts'
import { Gate } from '../../worker/engine/testing/scripted.ts'
import { InProcess } from '../e2e/inprocess.ts'
import { Payee, type Payer, type Signed, TON } from '../pay/testing/payer.ts'
import { buildDocument } from './openapi/document.ts'

const CHAT = '/v1/chat/completions'

let chain: MemoryChain
let payee: Payee
let net: InProcess
/** Where the next answer waits, when a test wants that. */
let gate: Gate | undefined

beforeAll(async () => {
  chain = await MemoryChain.create()
  payee = new Payee(chain, await chain.wallet())
  net = await InProcess.open({
    payments: { ...payee.desk, perMinute: 1000 },
    engine: { script: () => (gate ? [gate, 'Hello'] : ['Hello', ' world']) },
  })
})

afterAll(async () => await net[Symbol.asyncDispose]())

const seconds = () => Math.floor(net.clock.now() / 1000)
const chatBody = (more: object = {}) =>
  JSON.stringify({
    model: net.model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 16,
    ...more,
  })

interface Sent {
  method?: string
  path?: string
  body?: string | Uint8Array<ArrayBuffer>
  payment?: string
  headers?: Record<string, string>
}

/** Sends a signed request, with what was changed of it since. */
function send(payer: Payer, signed: Partial<Signed> & { path: string }, sent: Sent = {}): Promise<Response> {
  const whole = { ceiling: TON / 2n, expires: seconds() + 60, ...signed }
  const { method = 'POST', path, body = '' } = { ...whole, ...sent }
  const payment = sent.payment ?? payer.header(whole)
  const headers = { 'content-type': 'application/json', 'payment-signature': payment, ...sent.headers }
  return fetch(net.url + path, { method, headers, ...(method === 'POST' && { body }) })
}

const chat = (payer: Payer, signed: Partial<Signed> = {}, sent: Sent = {}) =>
  send(payer, { path: CHAT, body: chatBody(), ...signed }, sent)
const get = (payer: Payer, path: string, sent: Sent = {}) => send(payer, { method: 'GET', path }, sent)

const paid = (response: Response) => decodePaymentResponse(response.headers.get('payment-response') ?? '')
const due = (response: Response): PaymentRequired =>
  decodePaymentRequired(response.headers.get('payment-required') ?? '')
const offer = (response: Response) => due(response).accepts[0]

const document = buildDocument()
const ajv = new Ajv2020({ strict: false, schemas: [{ $id: 'openapi', ...document }] })

/** The body of an answer, which has to be what the OpenAPI document says of the route. */
async function told(path: string, response: Response): Promise<unknown> {
  expect(response.status).toBe(200)
  const described = document.paths[path]
  const { responses } = Object.values(described ?? {})[0] ?? {}
  const { schema } = (responses as { 200: { content: Record<string, { schema: object }> } })[200].content[
    'application/json'
  ] ?? { schema: false }
  const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components')
  const validate = ajv.compile(JSON.parse(text))
  const body: unknown = await response.json()
  expect(validate(body), JSON.stringify(validate.errors)).toBe(true)
  return body
}

/** Status and code of a refusal, after the code was found in the header too where there is one. */
async function refused(response: Response): Promise<[number, string]> {
  const { error } = (await response.clone().json()) as { error: { code: string; type: string } }
  if (response.status !== 402) return [response.status, error.code]
  expect(due(response).error).toBe(error.code)
  expect(error.type).toBe('insufficient_quota')
  expect(response.headers.get('x-should-retry')).toBe('false')
  return [402, error.code]
}

const messageOf = async (response: Response) =>
  ((await response.json()) as { error: { message: string } }).error.message

const charged = async (payer: Payer) => (await net.ledger.channelState(payer.address))?.charged

describe('a request that its client pays for', () => {
  it('opens the account of the channel, is charged, and says so', async () => {
    const payer = await payee.payer()
    const id = 'first-request-0001'
    const response = await chat(payer, { id })
    expect(response.status).toBe(200)
    const requestId = paymentRequestId(payer.client.address, id)
    expect(response.headers.get('chrysalis-receipt')).toBe(requestId)
    expect(response.headers.get('x-request-id')).toBe(requestId)
    const { body } = await net.receipt(requestId)
    const { clientCharge } = body
    expect(BigInt(clientCharge)).toBeGreaterThan(0n)
    const voucher = payer.voucher(TON / 2n).toString('base64')
    expect(paid(response)).toEqual({
      success: true,
      transaction: '',
      amount: '',
      network: 'tvm:-217',
      payer: payer.params.payer.toRawString(),
      extra: {
        chargedAmount: clientCharge,
        requestId,
        channelState: {
          channelId: payer.address,
          balance: TON.toString(),
          totalClaimed: '0',
          withdrawRequestedAt: 0,
          chargedCumulativeAmount: clientCharge,
        },
        voucherState: { signedMaxClaimable: (TON / 2n).toString(), signature: voucher },
      },
    })
    expect(await net.ledger.channelState(payer.address)).toMatchObject({
      signer: 'client',
      ceiling: TON / 2n,
    })
  })

  it('names a known channel by its address, and an unknown one by its parameters only', async () => {
    const payer = await payee.payer()
    expect(await refused(await chat(payer, { short: true }))).toEqual([402, 'payment_required'])
    expect((await chat(payer)).status).toBe(200)
    expect((await chat(payer, { short: true })).status).toBe(200)
  })

  it('as a stream says where the channel stands at its start; the receipt has the charge', async () => {
    const payer = await payee.payer()
    const response = await chat(payer, { body: chatBody({ stream: true }) })
    const { extra } = paid(response)
    expect(extra?.chargedAmount).toBeUndefined()
    expect(extra?.channelState.chargedCumulativeAmount).toBe('0')
    expect(await response.text()).toContain('[DONE]')
    const receipt = await get(payer, `/v1/receipts/${extra?.requestId}`)
    expect(receipt.status).toBe(200)
    const { charged } = (await receipt.json()) as { charged: string }
    expect(paid(receipt).extra?.channelState.chargedCumulativeAmount).toBe(charged)
    expect(BigInt(charged)).toBeGreaterThan(0n)
  })

  it('shares one ceiling with others that run at once', async () => {
    const payer = await payee.payer()
    const answers = await Promise.all(Array.from({ length: 8 }, () => chat(payer)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const charges = answers.map((answer) => BigInt(paid(answer).extra?.chargedAmount ?? 0))
    expect(await charged(payer)).toBe(charges.reduce((sum, charge) => sum + charge))
  })

  it('is signed over the bytes as sent, coding included', async () => {
    const payer = await payee.payer()
    const body = gzipSync(chatBody()) as Buffer<ArrayBuffer>
    const payment = payer.header({ path: CHAT, body, ceiling: TON / 2n, expires: seconds() + 60 })
    const response = await chat(payer, {}, { body, payment, headers: { 'content-encoding': 'gzip' } })
    expect(response.status).toBe(200)
  })

  it('is executed and charged once for one Idempotency-Key, each time with a payment of its own', async () => {
    const payer = await payee.payer()
    const headers = { 'idempotency-key': 'order-1' }
    const first = await chat(payer, {}, { headers })
    const again = await chat(payer, {}, { headers })
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(paid(again).extra).toEqual(paid(first).extra)
    expect(await charged(payer)).toBe(BigInt(paid(first).extra?.chargedAmount ?? 0))
  })

  it('costs at most what its payer allows', async () => {
    const payer = await payee.payer()
    const response = await chat(payer, { amount: 1n })
    expect(await refused(response)).toEqual([402, 'price_above_amount'])
    const amount = BigInt(offer(response)?.amount ?? 0)
    expect(amount).toBeGreaterThan(1n)
    expect(await refused(await chat(payer, { amount: amount - 1n }))).toEqual([402, 'price_above_amount'])
    expect((await chat(payer, { amount })).status).toBe(200)
  })
})

describe('ceilings', () => {
  it('too low: the least that would do is said, and does', async () => {
    const payer = await payee.payer()
    const response = await chat(payer, { ceiling: 1n })
    expect(await refused(response)).toEqual([402, 'stale_ceiling'])
    expect(paid(response)).toMatchObject({ success: false, errorReason: 'stale_ceiling' })
    const { ceiling, channelState, voucherState } = offer(response)?.extra ?? {}
    expect(channelState).toMatchObject({ channelId: payer.address, chargedCumulativeAmount: '0' })
    expect(voucherState?.signedMaxClaimable).toBe('1')
    expect(ceiling).toBe(offer(response)?.amount)
    expect(await refused(await chat(payer, { ceiling: BigInt(ceiling ?? 0) - 1n }))).toEqual([
      402,
      'stale_ceiling',
    ])
    expect((await chat(payer, { ceiling: BigInt(ceiling ?? 0) })).status).toBe(200)
    expect(await refused(await chat(payer, { ceiling: BigInt(ceiling ?? 0) }))).toEqual([
      402,
      'stale_ceiling',
    ])
  })

  it('lower than before change nothing', async () => {
    const payer = await payee.payer()
    await chat(payer)
    expect((await chat(payer, { ceiling: 0n })).status).toBe(200)
    expect(await net.ledger.channelState(payer.address)).toMatchObject({ ceiling: TON / 2n })
  })

  it('above the deposit are refused until the deposit is there', async () => {
    const payer = await payee.payer()
    await chat(payer)
    net.clock.advance(6_000)
    expect(await refused(await chat(payer, { ceiling: 2n * TON }))).toEqual([402, 'insufficient_quota'])
    expect(await net.ledger.channelState(payer.address)).toMatchObject({ ceiling: TON / 2n })
    await payer.client.topUp(payer.wallet, TON)
    net.clock.advance(6_000)
    expect((await chat(payer, { ceiling: 2n * TON })).status).toBe(200)
    expect(await net.ledger.channelState(payer.address)).toMatchObject({
      deposited: 2n * TON,
      ceiling: 2n * TON,
    })
  })
})

describe('a captured payment', () => {
  it.each<[string, Sent]>([
    ['body', { body: chatBody2() }],
    ['path', { path: '/v1/completions' }],
    ['query', { path: `${CHAT}?more=1` }],
    ['method', { method: 'GET', path: '/v1/models' }],
  ])('pays for no other %s', async (_what, sent) => {
    const payer = await payee.payer()
    expect(await refused(await chat(payer, {}, sent))).toEqual([402, 'payment_invalid'])
    expect(await net.ledger.channelState(payer.address)).toBeUndefined()
  })

  it('is used once, also by whoever was refused', async () => {
    const payer = await payee.payer()
    const payment = payer.header({ path: CHAT, body: chatBody(), ceiling: TON / 2n, expires: seconds() + 60 })
    expect((await chat(payer, {}, { payment })).status).toBe(200)
    const before = await charged(payer)
    const replay = await chat(payer, {}, { payment })
    expect(await refused(replay)).toEqual([409, 'payment_replayed'])
    expect(replay.headers.get('x-should-retry')).toBe('false')
    expect(await charged(payer)).toBe(before)
    const stale = payer.header({ path: '/v1/models', method: 'GET', ceiling: 0n, expires: seconds() + 60 })
    expect((await get(payer, '/v1/models', { payment: stale })).status).toBe(200)
    expect(await refused(await get(payer, '/v1/models', { payment: stale }))).toEqual([
      409,
      'payment_replayed',
    ])
  })

  it('is good for nothing once it has expired, and its reuse is refused for good by the ledger', async () => {
    const payer = await payee.payer()
    const id = 'used-in-another-life'
    const requestId = paymentRequestId(payer.client.address, id)
    await chat(payer)
    // As a former process of this gateway did.
    const { id: key } = await net.ledger.channelKey(payer.address)
    const worker = { id: 'w', bootId: 'b' }
    await net.ledger.reserve({ requestId, channel: payer.address, key, worker, maxCharge: 1n })
    await net.ledger.release(requestId, 'test')
    expect(await refused(await chat(payer, { id }))).toEqual([409, 'request_id_conflict'])
    const payment = payer.header({ path: CHAT, body: chatBody(), ceiling: TON / 2n, expires: seconds() + 5 })
    net.clock.advance(5_000)
    expect(await refused(await chat(payer, {}, { payment }))).toEqual([402, 'payment_expired'])
  })

  it('for another gateway or network is turned away', async () => {
    const payer = await payee.payer()
    const payment = payer.payment({ path: CHAT, body: chatBody(), ceiling: TON, expires: seconds() + 60 })
    for (const [field, value] of [
      ['payTo', `0:${'07'.repeat(32)}`],
      ['network', 'tvm:-239'],
    ] as const) {
      const other = { ...payment, accepted: { ...payment.accepted, [field]: value } }
      const response = await chat(payer, {}, { payment: encodePayment(other) })
      expect(await refused(response)).toEqual([402, 'payment_invalid'])
      expect(await messageOf(response)).toContain(field)
    }
    const stranger = await new Payee(chain, await chain.wallet()).payer()
    const forged = stranger.payment({ path: CHAT, body: chatBody(), ceiling: TON, expires: seconds() + 60 })
    const response = await chat(
      stranger,
      {},
      { payment: encodePayment({ ...forged, accepted: payment.accepted }) },
    )
    expect(await refused(response)).toEqual([402, 'channel_refused'])
    expect(await messageOf(response)).toContain('payee')
  })

  it('with one bit of a signature changed is nobody’s', async () => {
    const payer = await payee.payer()
    const flipped = (text: string) => {
      const bytes = Buffer.from(text, 'base64')
      bytes[7] = (bytes[7] ?? 0) ^ 1
      return bytes.toString('base64')
    }
    const { payload, ...rest } = payer.payment({
      path: CHAT,
      body: chatBody(),
      ceiling: TON,
      expires: seconds() + 60,
    })
    const { voucher, request } = payload
    for (const changed of [
      { ...payload, voucher: { ...voucher, signature: flipped(voucher.signature) } },
      { ...payload, voucher: { ...voucher, ceiling: (TON - 1n).toString() } },
      { ...payload, request: { ...request, signature: flipped(request.signature) } },
      { ...payload, request: { ...request, expires: request.expires + 1 } },
      { ...payload, request: { ...request, id: `${request.id}x` } },
    ] satisfies PaymentPayload['payload'][]) {
      const response = await chat(payer, {}, { payment: encodePayment({ ...rest, payload: changed }) })
      expect(await refused(response)).toEqual([402, 'payment_invalid'])
    }
    expect(await net.ledger.channelState(payer.address)).toBeUndefined()
  })

  it('does not use up the rate of the channel that it pretends to be of', async () => {
    await using poor = await InProcess.open({ payments: payee.desk, requestsPerMinute: 2 })
    const payer = await payee.payer()
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
})

describe('channels that are not taken', () => {
  it.each<[string, string, () => Promise<Payer>]>([
    ['not opened', 'payment_required', () => payee.payer(0n)],
    ['with too little', 'channel_refused', () => payee.payer(TON / 10n - 1n)],
    ['that leave no time to settle', 'channel_refused', () => payee.payer(TON, { challengeSeconds: 3599 })],
    [
      'that another key closes',
      'channel_refused',
      () => payee.payer(TON, { payeeKey: rawPublicKey(generateKey()) }),
    ],
  ])('%s: %s', async (_what, code, make) => {
    const payer = await make()
    expect(await refused(await chat(payer, { ceiling: 1000n }))).toEqual([402, code])
    expect(await net.ledger.channelState(payer.address)).toBeUndefined()
  })

  it('settled before, though the books here know nothing of it', async () => {
    const payer = await payee.payer()
    await payer.client.settle(payee.wallet, 5n, 10n, payer.voucher(10n))
    const response = await chat(payer)
    expect(await refused(response)).toEqual([402, 'channel_refused'])
    expect(await messageOf(response)).toContain('settled before')
  })

  it('closing, and who asks is told when it ends', async () => {
    const payer = await payee.payer()
    await chat(payer)
    const { closeAt } = await payer.client.startClose(payer.wallet)
    // As the watcher of the chain does.
    await net.ledger.setChannelState(payer.address, 'closing')
    net.clock.advance(6_000)
    const response = await chat(payer)
    expect(await refused(response)).toEqual([402, 'channel_closing'])
    expect(offer(response)?.extra.channelState?.withdrawRequestedAt).toBe(closeAt)
    const state = await get(payer, `/v1/channels/${payer.address}`)
    expect(await state.json()).toMatchObject({ state: 'closing', close_at: closeAt })
    const stranger = await payee.payer()
    await stranger.client.startClose(stranger.wallet)
    expect(await refused(await chat(stranger))).toEqual([402, 'channel_closing'])
  })

  it('frozen: 503, and no release either', async () => {
    const payer = await payee.payer()
    await chat(payer)
    await net.ledger.freeze(payer.address, 'the chain knows more')
    expect(await refused(await chat(payer))).toEqual([503, 'channel_frozen'])
    const path = `/v1/channels/${payer.address}/close`
    expect(await refused(await send(payer, { path }))).toEqual([503, 'channel_frozen'])
  })
})

describe('headers that are no payment', () => {
  it('clocks apart: both times are named', async () => {
    const payer = await payee.payer()
    for (const expires of [seconds() - 1, seconds() + 301]) {
      const response = await chat(payer, { expires })
      expect(await refused(response)).toEqual([402, 'payment_expired'])
      const message = await messageOf(response)
      expect(message).toContain(String(expires))
      expect(message).toContain(String(seconds()))
    }
  })

  it.each([
    ['no base64', '{}'],
    ['no JSON', Buffer.from('{').toString('base64')],
    ['nothing of ours', Buffer.from('{"x402Version":2}').toString('base64')],
    ['too long', Buffer.alloc(9000, ' ').toString('base64')],
  ])('%s: 400', async (_what, payment) => {
    const payer = await payee.payer(0n)
    const response = await chat(payer, {}, { payment })
    expect(await refused(response)).toEqual([400, 'payment_invalid'])
  })

  it('beside an API key: 400', async () => {
    const payer = await payee.payer(0n)
    const headers = { authorization: `Bearer ${net.apiKey}` }
    expect(await refused(await chat(payer, {}, { headers }))).toEqual([400, 'payment_invalid'])
    expect(await refused(await chat(payer, {}, { headers: { 'x-api-key': net.apiKey } }))).toEqual([
      400,
      'payment_invalid',
    ])
  })
})

describe('who has not paid', () => {
  it('is told the terms without asking for anything', async () => {
    const response = await fetch(`${net.url}/v1/payment`)
    const { extra, ...terms } = ((await told('/v1/payment', response)) as PaymentRequired).accepts[0] ?? {}
    const { terms: asked } = payee.desk
    expect(terms).toMatchObject({
      scheme: 'batch-settlement',
      payTo: asked.payee.toRawString(),
      asset: 'native',
    })
    expect(extra).toMatchObject({ minDeposit: (TON / 10n).toString(), challengeSeconds: 3600 })
  })

  it('gets 402 where it brought nothing, 401 where it tried a key', async () => {
    const ask = (headers: Record<string, string>) =>
      fetch(net.url + CHAT, { method: 'POST', headers, body: chatBody() })
    const bare = await ask({ 'content-type': 'application/json' })
    expect(await refused(bare)).toEqual([402, 'payment_required'])
    expect(due(bare).resource.url).toBe(net.url + CHAT)
    expect(await messageOf(bare)).toContain(`GET ${net.url}/v1/payment`)
    expect((await ask({ authorization: 'Bearer sk-chry-no' })).status).toBe(401)
    expect((await ask({ authorization: 'Bearer ' })).status).toBe(401)
    expect((await fetch(`${net.url}/v1/models`)).status).toBe(401)
  })

  it('by an API key without funds is told how to pay, in both ways', async () => {
    const response = await net.post(CHAT, { messages: [{ role: 'user', content: 'Hello' }] }, net.poorKey)
    expect(await refused(response)).toEqual([402, 'insufficient_quota'])
    expect(BigInt(offer(response)?.amount ?? 0)).toBeGreaterThan(10n)
    // What the payer's channel holds is nothing that a bearer of one of its keys has to know.
    expect(offer(response)?.extra.channelState).toBeUndefined()
    expect(await messageOf(response)).toContain('GET /v1/payment')
  })
})

describe('a channel’s own routes', () => {
  it('tell its payer everything, in both notations of the address', async () => {
    const payer = await payee.payer()
    await chat(payer)
    const friendly = payer.client.address.toString()
    for (const name of [payer.address, friendly]) {
      const response = await get(payer, `/v1/channels/${name}`)
      expect(await told('/v1/channels/{address}', response)).toMatchObject({
        object: 'channel',
        id: payer.address,
        network: 'tvm:-217',
        params: { payer: payer.params.payer.toRawString() },
        state: 'open',
        deposited: TON.toString(),
        reserved: '0',
        charged: String(await charged(payer)),
        close_at: 0,
        voucher: { signedMaxClaimable: (TON / 2n).toString() },
      })
      expect(paid(response).extra?.channelState.channelId).toBe(payer.address)
    }
  })

  it('page through its receipts in the order of charging', async () => {
    const payer = await payee.payer()
    const ids: (string | null)[] = []
    for (let i = 0; i < 3; i++) ids.push((await chat(payer)).headers.get('chrysalis-receipt'))
    const page = async (query: string) => {
      const response = await get(payer, `/v1/channels/${payer.address}/receipts${query}`)
      return (await told('/v1/channels/{address}/receipts', response)) as {
        data: { id: string; charged: string }[]
        has_more: boolean
      }
    }
    const first = await page('?limit=2')
    expect(first).toMatchObject({ data: [{ id: ids[0] }, { id: ids[1] }], has_more: true })
    const rest = await page(`?limit=2&after=${ids[1]}`)
    expect(rest).toMatchObject({ data: [{ id: ids[2] }], has_more: false })
    const all = await page('')
    expect(all.data.reduce((sum, { charged }) => sum + BigInt(charged), 0n)).toBe(await charged(payer))
    for (const query of ['?limit=0', '?limit=101', '?limit=x', '?after=%0A']) {
      const response = await get(payer, `/v1/channels/${payer.address}/receipts${query}`)
      expect(response.status).toBe(400)
    }
  })

  it('are for its payer alone', async () => {
    const [payer, other] = [await payee.payer(), await payee.payer()]
    await chat(payer)
    const paths = [`/v1/channels/${payer.address}`, `/v1/channels/${payer.address}/receipts`]
    for (const path of paths) {
      expect((await get(other, path)).status).toBe(404)
      const byKey = await fetch(net.url + path, { headers: { authorization: `Bearer ${net.apiKey}` } })
      expect(byKey.status).toBe(401)
      expect((await fetch(net.url + path)).status).toBe(401)
    }
    const close = `/v1/channels/${payer.address}/close`
    expect((await send(other, { path: close })).status).toBe(404)
    expect((await chat(payer)).status).toBe(200)
  })

  it('close: after what runs, with a release by which the payer is paid back at once', async () => {
    const payer = await payee.payer()
    gate = new Gate()
    const running = chat(payer)
    await gate.reached
    const path = `/v1/channels/${payer.address}/close`
    const closing = send(payer, { path })
    await expect.poll(() => net.ledger.channelNow(payer.address)?.state).toBe('closing')
    expect(await refused(await chat(payer))).toEqual([402, 'channel_closing'])
    gate.open()
    gate = undefined
    expect((await running).status).toBe(200)
    const answer = (await told('/v1/channels/{address}/close', await closing)) as {
      object: string
      amount: string
      release: string
    }
    expect(answer.object).toBe('channel.release')
    const amount = BigInt(answer.amount)
    expect(amount).toBe(await charged(payer))
    const release = Buffer.from(answer.release, 'base64')
    const { params, client } = payer
    const terms = { globalId: chain.globalId, channel: client.address, amount }
    expect(verifyRelease(params.payeeKey, terms, release)).toBe(true)
    expect(await (await send(payer, { path })).json()).toEqual(answer)

    const before = await payee.wallet.balance(chain)
    await payer.client.coopClose(payer.wallet, amount, release)
    expect((await payee.wallet.balance(chain)) - before).toBe(amount)
    expect(await refused(await chat(payer))).toEqual([402, 'channel_closing'])
  })
})

function chatBody2(): string {
  return JSON.stringify({ model: 'other', messages: [] })
}
