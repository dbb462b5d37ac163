import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Address } from '@ton/core'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  connectLocalChain,
  decodePaymentRequired,
  decodePaymentResponse,
  type LocalChain,
} from '../../contracts/index.ts'
import { Payer, type Signed, TON } from '../pay/testing/payer.ts'
import { openChannel } from '../pay/testing/stranger.ts'
import { channelStatus } from './money.ts'
import { bodyOf, cleanUp, type Stack, startStack } from './stack.ts'

const CHAT = '/v1/chat/completions'

let stack: Stack
let chain: LocalChain
let payer: Payer

beforeAll(async () => {
  stack = await startStack()
  chain = await localChain()
  payer = await openChannel(chain, stack.origin)
})
afterAll(cleanUp)

const localChain = async () =>
  await connectLocalChain({
    url: (await readFile(join(stack.dir, 'chain/url'), 'utf8')).trim(),
    token: (await readFile(join(stack.dir, 'chain/token'), 'utf8')).trim(),
  })

type Sent = Partial<Signed> & { path: string; payment?: string; idempotencyKey?: string }

function pay(signed: Partial<Signed> & { path: string }): string {
  return payer.header({ ceiling: TON / 10n, expires: Math.floor(Date.now() / 1000) + 280, ...signed })
}

function send({ payment, idempotencyKey, ...signed }: Sent): Promise<Response> {
  const { method = 'POST', path, body } = signed
  const headers = {
    'content-type': 'application/json',
    'payment-signature': payment ?? pay(signed),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  }
  return fetch(stack.origin + path, { method, headers, ...(body !== undefined && { body: String(body) }) })
}

const question = () =>
  JSON.stringify({ model: stack.ready.models[0], messages: [{ role: 'user', content: 'Hello' }] })
const stateOf = (response: Response) =>
  decodePaymentResponse(response.headers.get('payment-response') ?? '').extra

/** The newest entry of the status that is about the payer's channel. */
async function reported() {
  const { channels, balances } = await channelStatus(stack)
  expect(balances.difference).toBe('0')
  return channels.find(({ address }) => Address.parse(address).equals(payer.client.address))
}

describe('paying without an API key', () => {
  it('is told by a 402, and answered on a channel of one’s own', async () => {
    const bare = await fetch(stack.origin + CHAT, { method: 'POST', body: question() })
    expect(bare.status).toBe(402)
    const { accepts } = decodePaymentRequired(bare.headers.get('payment-required') ?? '')
    expect(accepts[0]?.payTo).toBe(payer.params.payee.toRawString())
    const answer = await send({ path: CHAT, body: question() })
    expect(answer.status).toBe(200)
    const charged = BigInt(stateOf(answer)?.chargedAmount ?? 0)
    expect(charged).toBeGreaterThan(0n)
    expect(await reported()).toMatchObject({
      state: 'open',
      charged: String(charged),
      ceiling: String(TON / 10n),
    })
  })

  it('works for the official client, with a fetch that signs', async () => {
    const sdk = new OpenAI({
      baseURL: `${stack.origin}/v1`,
      apiKey: 'unused',
      fetch: (_url, init) => send({ path: CHAT, body: String(init?.body), short: true }),
    })
    const stream = await sdk.chat.completions.create({
      model: stack.ready.models[0] ?? '',
      messages: [{ role: 'user', content: 'Thank you' }],
      stream: true,
    })
    let text = ''
    for await (const part of stream) text += part.choices[0]?.delta.content ?? ''
    expect(text).not.toBe('')
  })

  /** Requests with the payments that they came with. */
  const captured: Sent[] = []

  it('takes a payment once, also where it cost nothing', async () => {
    const channel = `/v1/channels/${payer.address}`
    const answers: [Sent, number][] = [
      [{ path: CHAT, body: question(), idempotencyKey: 'asked-before' }, 200],
      // Answered from memory, charged under the first one's id.
      [{ path: CHAT, body: question(), idempotencyKey: 'asked-before' }, 200],
      [{ path: CHAT, body: question(), amount: 1n }, 402],
      [{ path: channel, method: 'GET' }, 200],
    ]
    for (const [asked, status] of answers) {
      const sent = { ...asked, payment: pay(asked) }
      expect((await send(sent)).status).toBe(status)
      // The key is not part of what was signed: whoever replays leaves it out.
      const { idempotencyKey: _, ...stripped } = sent
      captured.push(stripped)
    }
  })

  it('goes on after the gateway ended, also by the channel’s address alone', async () => {
    const before = await reported()
    expect(await stack.stop()).toBe(0)
    stack = await startStack({ dir: stack.dir })
    chain = await localChain()
    payer = new Payer({ ...payer, chain })
    expect(await reported()).toEqual(before)
    const answer = await send({ path: CHAT, body: question(), short: true })
    expect(answer.status).toBe(200)
    const page = await bodyOf<{ data: { charged: string }[] }>(
      await send({ method: 'GET', path: `/v1/channels/${payer.address}/receipts` }),
    )
    const sum = page.data.reduce((total, { charged }) => total + BigInt(charged), 0n)
    expect(page.data).toHaveLength(4)
    expect(stateOf(answer)?.channelState.chargedCumulativeAmount).toBe(String(sum))
  })

  it('and none of what it was paid with before is good for anything', async () => {
    const before = await reported()
    const again = await Promise.all(captured.map((sent) => send(sent)))
    const codes = again.map(async (answer) => (await bodyOf<{ error: { code: string } }>(answer)).error.code)
    expect(await Promise.all(codes)).toEqual(captured.map(() => 'payment_replayed'))
    expect(await reported()).toEqual(before)
  })

  it('ends by agreement: the gateway has what it charged, the payer the rest, nothing is missing', async () => {
    const closed = await send({ path: `/v1/channels/${payer.address}/close` })
    const { amount, release } = await bodyOf<{ amount: string; release: string }>(closed)
    expect(amount).toBe(stateOf(closed)?.channelState.chargedCumulativeAmount)
    const before = await payer.wallet.balance(chain)
    await payer.client.coopClose(payer.wallet, BigInt(amount), Buffer.from(release, 'base64'))
    // The deposit less what was charged, and the rent reserve less fees.
    expect((await payer.wallet.balance(chain)) - before).toBeGreaterThan(TON - BigInt(amount))
    // The gateway looks every five seconds, and what it sees is the end: nobody has to wait until `openUntil`.
    await expect
      .poll(async () => (await reported())?.state, { timeout: 60_000, interval: 500 })
      .toBe('closed')
    expect(await reported()).toMatchObject({ charged: amount, settled: amount, reserved: '0' })
    expect((await send({ path: CHAT, body: question() })).status).toBe(402)
    // The delegated channel of the API key goes on.
    expect((await stack.post(CHAT, JSON.parse(question()))).status).toBe(200)
  })
})
