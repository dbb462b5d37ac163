import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../worker/engine/testing/scripted.ts'
import { InProcess } from './inprocess.ts'
import { until } from './turns.ts'

const messages = [{ role: 'user' as const, content: 'Hello?' }]
const KEY = { 'idempotency-key': 'order-1' }

const ask = (net: InProcess, body: object = {}, key = net.apiKey, headers: Record<string, string> = KEY) =>
  net.post('/v1/chat/completions', { messages, ...body }, key, headers)

/** What of two answers has to be the same, and what the second says of itself. */
async function seen(response: Response) {
  return {
    status: response.status,
    receipt: response.headers.get('chrysalis-receipt'),
    text: await response.text(),
  }
}

async function expectOneCharge(net: InProcess, requestId: string | null): Promise<void> {
  const { stored } = await net.receipt(String(requestId))
  expect(await net.ledger.channelState('client')).toMatchObject({ charged: stored.charged, reserved: 0n })
  expect(net.engine.runs).toHaveLength(1)
}

describe('a repeat of an Idempotency-Key', () => {
  it.each([false, true])('gets the same answer and costs nothing (stream: %s)', async (stream) => {
    await using net = await InProcess.open()
    const first = await ask(net, { stream })
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    const before = await seen(first)
    const second = await ask(net, { stream })
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect(second.headers.get('x-request-id')).not.toBe(before.receipt)
    expect(await seen(second)).toEqual(before)
    await expectOneCharge(net, before.receipt)
  })

  it.each([false, true])('joins the first while it runs (stream: %s)', async (stream) => {
    const gate = new Gate()
    await using net = await InProcess.open({ engine: { script: () => ['Hello', gate, ' again'] } })
    const first = ask(net, { stream })
    await gate.reached
    const requests = net.requests
    const second = ask(net, { stream })
    await until(() => net.requests > requests)
    gate.open()
    const [one, two] = await Promise.all([first.then(seen), second.then(seen)])
    expect(two).toEqual(one)
    expect(one.text).toContain('again')
    await expectOneCharge(net, one.receipt)
  })

  it('keeps the run alive when the first caller goes away, and is served', async () => {
    const gate = new Gate()
    await using net = await InProcess.open({ engine: { script: () => ['Hello', gate, ' again'] } })
    const control = new AbortController()
    const body = JSON.stringify({ model: net.model, messages })
    const headers = { authorization: `Bearer ${net.apiKey}`, 'content-type': 'application/json', ...KEY }
    const url = `${net.url}/v1/chat/completions`
    const first = fetch(url, { method: 'POST', headers, body, signal: control.signal }).catch(() => {})
    await gate.reached
    const requests = net.requests
    const second = fetch(url, { method: 'POST', headers, body })
    await until(() => net.requests > requests)
    // Both have joined once a later request has been answered.
    await fetch(`${net.url}/healthz`)
    control.abort()
    await first
    gate.open()
    const answer = await seen(await second)
    expect(answer.text).toContain('Hello again')
    await expectOneCharge(net, answer.receipt)
  })

  it('with another body or path is refused once by the SDK', async () => {
    await using net = await InProcess.open()
    await (await ask(net)).text()
    const sdk = new OpenAI({ baseURL: `${net.url}/v1`, apiKey: net.apiKey, defaultHeaders: KEY })
    const requests = net.requests
    const other = { model: net.model, messages: [{ role: 'user' as const, content: 'Something else' }] }
    await expect(sdk.chat.completions.create(other)).rejects.toMatchObject({
      status: 409,
      code: 'idempotency_conflict',
      type: 'invalid_request_error',
    })
    expect(net.requests).toBe(requests + 1)
    expect(net.engine.runs).toHaveLength(1)
  })

  it('by another API key is another request', async () => {
    await using net = await InProcess.open()
    const { secret } = await net.ledger.keys.create({ name: 'second', channel: 'client' })
    const first = await seen(await ask(net))
    const second = await ask(net, {}, secret)
    expect(second.headers.get('idempotent-replayed')).toBeNull()
    expect((await seen(second)).receipt).not.toBe(first.receipt)
    expect(net.engine.runs).toHaveLength(2)
  })

  it('runs anew when the first was refused', async () => {
    await using net = await InProcess.open()
    const refused = await ask(net, {}, net.poorKey)
    expect(refused.status).toBe(402)
    expect(net.idempotency.size).toBe(0)
    const again = await ask(net, {}, net.poorKey)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([402, null])
  })
})
