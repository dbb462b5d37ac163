import { gzipSync } from 'node:zlib'
import { x402Client, x402HTTPClient } from '@x402/core/client'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PaymentRequired, paymentRequestId, verifyRelease } from '../../contracts/index.ts'
import { Gate } from '../../worker/engine/testing/scripted.ts'
import { until } from '../e2e/turns.ts'
import { TON } from '../pay/testing/payer.ts'
import { CHAT, due, messageOf, offer, paid, refused, Shop } from '../pay/testing/shop.ts'
import { buildDocument } from './openapi/document.ts'

let shop: Shop
beforeAll(async () => {
  shop = await Shop.open()
})
afterAll(async () => await shop[Symbol.asyncDispose]())

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

describe('a request that its client pays for', () => {
  it('opens the account of the channel, is charged, and says so', async () => {
    const payer = await shop.payee.payer()
    const id = 'first-request-0001'
    const response = await shop.chat(payer, { id })
    expect(response.status).toBe(200)
    const requestId = paymentRequestId(payer.client.address, id)
    expect(response.headers.get('chrysalis-receipt')).toBe(requestId)
    expect(response.headers.get('x-request-id')).toBe(requestId)
    const { body } = await shop.net.receipt(requestId)
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
    expect(await shop.net.ledger.channelState(payer.address)).toMatchObject({
      signer: 'client',
      ceiling: TON / 2n,
    })
  })

  it('names a known channel by its address, and an unknown one by its parameters only', async () => {
    const payer = await shop.payee.payer()
    expect(await refused(await shop.chat(payer, { short: true }))).toEqual([402, 'payment_required'])
    expect((await shop.chat(payer)).status).toBe(200)
    expect((await shop.chat(payer, { short: true })).status).toBe(200)
  })

  it('as a stream says where the channel stands at its start; the receipt has the charge', async () => {
    const payer = await shop.payee.payer()
    const response = await shop.chat(payer, { body: shop.body({ stream: true }) })
    const { extra } = paid(response)
    expect(extra?.chargedAmount).toBeUndefined()
    expect(extra?.channelState.chargedCumulativeAmount).toBe('0')
    expect(await response.text()).toContain('[DONE]')
    const receipt = await shop.get(payer, `/v1/receipts/${extra?.requestId}`)
    expect(receipt.status).toBe(200)
    const { charged } = (await receipt.json()) as { charged: string }
    expect(paid(receipt).extra?.channelState.chargedCumulativeAmount).toBe(charged)
    expect(BigInt(charged)).toBeGreaterThan(0n)
  })

  it('shares one ceiling with others that run at once', async () => {
    const payer = await shop.payee.payer()
    const answers = await Promise.all(Array.from({ length: 8 }, () => shop.chat(payer)))
    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
    const charges = answers.map((answer) => BigInt(paid(answer).extra?.chargedAmount ?? 0))
    expect(await shop.charged(payer)).toBe(charges.reduce((sum, charge) => sum + charge))
  })

  it('is signed over the bytes as sent, coding included', async () => {
    const payer = await shop.payee.payer()
    const body = gzipSync(shop.body()) as Buffer<ArrayBuffer>
    const payment = payer.header(shop.signed({ body }))
    const response = await shop.chat(payer, {}, { body, payment, headers: { 'content-encoding': 'gzip' } })
    expect(response.status).toBe(200)
  })

  it('is executed and charged once for one Idempotency-Key, each time with a payment of its own', async () => {
    const payer = await shop.payee.payer()
    const headers = { 'idempotency-key': 'order-1' }
    const first = await shop.chat(payer, {}, { headers })
    const again = await shop.chat(payer, {}, { headers })
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(paid(again).extra).toEqual(paid(first).extra)
    expect(await shop.charged(payer)).toBe(BigInt(paid(first).extra?.chargedAmount ?? 0))
  })

  it('costs at most what its payer allows', async () => {
    const payer = await shop.payee.payer()
    const response = await shop.chat(payer, { amount: 1n })
    expect(await refused(response)).toEqual([402, 'price_above_amount'])
    const amount = BigInt(offer(response)?.amount ?? 0)
    expect(amount).toBeGreaterThan(1n)
    expect(await refused(await shop.chat(payer, { amount: amount - 1n }))).toEqual([
      402,
      'price_above_amount',
    ])
    expect((await shop.chat(payer, { amount })).status).toBe(200)
  })
})

describe('ceilings', () => {
  it('too low: the least that would do is said, and does', async () => {
    const payer = await shop.payee.payer()
    const response = await shop.chat(payer, { ceiling: 1n })
    expect(await refused(response)).toEqual([402, 'stale_ceiling'])
    expect(paid(response)).toMatchObject({ success: false, errorReason: 'stale_ceiling' })
    const { ceiling, channelState, voucherState } = offer(response)?.extra ?? {}
    expect(channelState).toMatchObject({ channelId: payer.address, chargedCumulativeAmount: '0' })
    expect(voucherState?.signedMaxClaimable).toBe('1')
    expect(ceiling).toBe(offer(response)?.amount)
    expect(await refused(await shop.chat(payer, { ceiling: BigInt(ceiling ?? 0) - 1n }))).toEqual([
      402,
      'stale_ceiling',
    ])
    expect((await shop.chat(payer, { ceiling: BigInt(ceiling ?? 0) })).status).toBe(200)
    expect(await refused(await shop.chat(payer, { ceiling: BigInt(ceiling ?? 0) }))).toEqual([
      402,
      'stale_ceiling',
    ])
  })

  it('lower than before change nothing', async () => {
    const payer = await shop.payee.payer()
    await shop.chat(payer)
    expect((await shop.chat(payer, { ceiling: 0n })).status).toBe(200)
    expect(await shop.net.ledger.channelState(payer.address)).toMatchObject({ ceiling: TON / 2n })
  })

  it('above the deposit are refused until the deposit is there', async () => {
    const payer = await shop.payee.payer()
    await shop.chat(payer)
    shop.net.clock.advance(6_000)
    expect(await refused(await shop.chat(payer, { ceiling: 2n * TON }))).toEqual([402, 'insufficient_quota'])
    expect(await shop.net.ledger.channelState(payer.address)).toMatchObject({ ceiling: TON / 2n })
    await payer.client.topUp(payer.wallet, TON)
    shop.net.clock.advance(6_000)
    expect((await shop.chat(payer, { ceiling: 2n * TON })).status).toBe(200)
    expect(await shop.net.ledger.channelState(payer.address)).toMatchObject({
      deposited: 2n * TON,
      ceiling: 2n * TON,
    })
  })
})

describe('who has not paid', () => {
  it('by the foundation’s own client reads terms and writes payments that we read', async () => {
    const payer = await shop.payee.payer()
    const scheme = {
      scheme: 'batch-settlement',
      createPaymentPayload: async (x402Version: number, { amount }: { amount: string }) => ({
        x402Version,
        payload: payer.payment(shop.signed({ amount: BigInt(amount) })).payload,
      }),
    }
    const cap = { network: 'tvm:-217', asset: 'native', maxAmountPerPayment: String(TON / 10n) } as const
    const core = new x402Client().register(cap.network, scheme).setSpendControls({ allowedAssets: [cap] })
    const client = new x402HTTPClient(core)
    const headers = { 'content-type': 'application/json' }
    const ask = (more: Record<string, string> = {}) =>
      fetch(shop.net.url + CHAT, { method: 'POST', headers: { ...headers, ...more }, body: shop.body() })
    const bare = await ask()
    const required = client.getPaymentRequiredResponse((name) => bare.headers.get(name), await bare.json())
    const payment = await client.createPaymentPayload(required)
    const answer = await ask(client.encodePaymentSignatureHeader(payment))
    expect(answer.status).toBe(200)
    const settled = client.getPaymentSettleResponse((name) => answer.headers.get(name))
    expect(settled).toEqual(paid(answer))
  })

  it('is told the terms without asking for anything', async () => {
    const response = await fetch(`${shop.net.url}/v1/payment`)
    const { extra, ...terms } = ((await told('/v1/payment', response)) as PaymentRequired).accepts[0] ?? {}
    const { terms: asked } = shop.payee.desk
    expect(terms).toMatchObject({
      scheme: 'batch-settlement',
      payTo: asked.payee.toRawString(),
      asset: 'native',
    })
    expect(extra).toMatchObject({ minDeposit: (TON / 10n).toString(), challengeSeconds: 3600 })
  })

  it('is told the prices, which are those that it is charged by, without asking for anything', async () => {
    const response = await fetch(`${shop.net.url}/v1/payment/prices`)
    const { data } = (await told('/v1/payment/prices', response)) as { data: Record<string, string>[] }
    const payer = await shop.payee.payer()
    const models = (await told('/v1/models', await shop.get(payer, '/v1/models'))) as {
      data: { id: string; chrysalis: { price: Record<string, string> } }[]
    }
    const listed = models.data.map(({ id, chrysalis }) => {
      const { currency, unit, ...price } = chrysalis.price
      expect([currency, unit]).toEqual(['TON', 'nanoton per million tokens'])
      return { model: id, ...price }
    })
    expect(data).toEqual(listed)
    expect(data).not.toEqual([])
    expect((await fetch(`${shop.net.url}/v1/payment/prices`, { method: 'POST' })).status).toBe(405)
  })

  it('gets 402 where it brought nothing, 401 where it tried a key', async () => {
    const ask = (headers: Record<string, string>) =>
      fetch(shop.net.url + CHAT, { method: 'POST', headers, body: shop.body() })
    const bare = await ask({ 'content-type': 'application/json' })
    expect(await refused(bare)).toEqual([402, 'payment_required'])
    expect(due(bare).resource.url).toBe(shop.net.url + CHAT)
    expect(await messageOf(bare)).toContain(`GET ${shop.net.url}/v1/payment`)
    expect((await ask({ authorization: 'Bearer sk-chry-no' })).status).toBe(401)
    expect((await ask({ authorization: 'Bearer ' })).status).toBe(401)
    expect((await fetch(`${shop.net.url}/v1/models`)).status).toBe(401)
  })

  it('by an API key without funds is told how to pay, in both ways', async () => {
    const response = await shop.net.post(
      CHAT,
      { messages: [{ role: 'user', content: 'Hello' }] },
      shop.net.poorKey,
    )
    expect(await refused(response)).toEqual([402, 'insufficient_quota'])
    expect(BigInt(offer(response)?.amount ?? 0)).toBeGreaterThan(10n)
    // What the payer's channel holds is nothing that a bearer of one of its keys has to know.
    expect(offer(response)?.extra.channelState).toBeUndefined()
    expect(await messageOf(response)).toContain('GET /v1/payment')
  })
})

describe('a channel’s own routes', () => {
  it('tell its payer everything, in both notations of the address', async () => {
    const payer = await shop.payee.payer()
    await shop.chat(payer)
    const friendly = payer.client.address.toString()
    for (const name of [payer.address, friendly]) {
      const response = await shop.get(payer, `/v1/channels/${name}`)
      expect(await told('/v1/channels/{address}', response)).toMatchObject({
        object: 'channel',
        id: payer.address,
        network: 'tvm:-217',
        params: { payer: payer.params.payer.toRawString() },
        state: 'open',
        deposited: TON.toString(),
        reserved: '0',
        charged: String(await shop.charged(payer)),
        close_at: 0,
        voucher: { signedMaxClaimable: (TON / 2n).toString() },
      })
      expect(paid(response).extra?.channelState.channelId).toBe(payer.address)
    }
  })

  it('page through its receipts in the order of charging', async () => {
    const payer = await shop.payee.payer()
    const ids: (string | null)[] = []
    for (let i = 0; i < 3; i++) ids.push((await shop.chat(payer)).headers.get('chrysalis-receipt'))
    const page = async (query: string) => {
      const response = await shop.get(payer, `/v1/channels/${payer.address}/receipts${query}`)
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
    expect(all.data.reduce((sum, { charged }) => sum + BigInt(charged), 0n)).toBe(await shop.charged(payer))
    for (const query of ['?limit=0', '?limit=101', '?limit=x', '?after=%0A']) {
      const response = await shop.get(payer, `/v1/channels/${payer.address}/receipts${query}`)
      expect(response.status).toBe(400)
    }
  })

  it('are for its payer alone', async () => {
    const [payer, other] = [await shop.payee.payer(), await shop.payee.payer()]
    await shop.chat(payer)
    const paths = [`/v1/channels/${payer.address}`, `/v1/channels/${payer.address}/receipts`]
    for (const path of paths) {
      expect((await shop.get(other, path)).status).toBe(404)
      const byKey = await fetch(shop.net.url + path, {
        headers: { authorization: `Bearer ${shop.net.apiKey}` },
      })
      expect(byKey.status).toBe(401)
      expect((await fetch(shop.net.url + path)).status).toBe(401)
    }
    const close = `/v1/channels/${payer.address}/close`
    expect((await shop.post(other, close)).status).toBe(404)
    expect((await shop.chat(payer)).status).toBe(200)
  })

  it('close: after what runs, with a release by which the payer is paid back at once', async () => {
    const payer = await shop.payee.payer()
    shop.gate = new Gate()
    const running = shop.chat(payer)
    await shop.gate.reached
    const path = `/v1/channels/${payer.address}/close`
    const closing = shop.post(payer, path)
    await until(() => shop.net.ledger.channelNow(payer.address)?.state === 'closing')
    expect(await refused(await shop.chat(payer))).toEqual([402, 'channel_closing'])
    shop.gate.open()
    shop.gate = undefined
    expect((await running).status).toBe(200)
    const answer = (await told('/v1/channels/{address}/close', await closing)) as {
      object: string
      amount: string
      release: string
    }
    expect(answer.object).toBe('channel.release')
    const amount = BigInt(answer.amount)
    expect(amount).toBe(await shop.charged(payer))
    const release = Buffer.from(answer.release, 'base64')
    const { params, client } = payer
    const terms = { globalId: shop.chain.globalId, channel: client.address, amount }
    expect(verifyRelease(params.payeeKey, terms, release)).toBe(true)
    expect(await (await shop.post(payer, path)).json()).toEqual(answer)

    const before = await shop.payee.wallet.balance(shop.chain)
    await payer.client.coopClose(payer.wallet, amount, release)
    expect((await shop.payee.wallet.balance(shop.chain)) - before).toBe(amount)
    expect(await refused(await shop.chat(payer))).toEqual([402, 'channel_closing'])
  })
})
