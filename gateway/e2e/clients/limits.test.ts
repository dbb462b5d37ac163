/** Keys, money and slots as the official client meets them; the engine plays a script. */
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { Gate } from '../../../worker/engine/testing/scripted.ts'
import { InProcess } from '../inprocess.ts'
import { turn } from '../turns.ts'

const messages = [{ role: 'user' as const, content: 'Hello?' }]
const client = (net: InProcess, apiKey = net.apiKey) =>
  new OpenAI({ baseURL: `${net.url}/v1`, apiKey, maxRetries: 2 })

/** Waits until so many requests hold money back. */
async function holding(net: InProcess, count: number): Promise<void> {
  while ((await net.ledger.openReservations()).length !== count) await turn()
}

describe('a key', () => {
  it('that is revoked is refused at once, and the client does not try again', async () => {
    await using net = await InProcess.open()
    const { key, secret } = await net.ledger.keys.create({ name: 'gone', channel: 'client' })
    const sdk = client(net, secret)
    await sdk.models.list()
    await net.ledger.keys.revoke(key.id)
    const requests = net.requests
    await expect(sdk.models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' })
    expect(net.requests).toBe(requests + 1)
  })

  it('spends no more than its channel holds, however many ask at once', async () => {
    const TOKENS = 100
    await using net = await InProcess.open({ engine: { script: () => Array(TOKENS).fill('word ') } })
    const ask = { model: net.model, messages, max_completion_tokens: TOKENS }
    const { response } = await client(net).chat.completions.create(ask).withResponse()
    const { stored } = await net.receipt(String(response.headers.get('chrysalis-receipt')))
    const deposited = 8n * stored.charged
    await net.ledger.putChannel({ id: 'small', address: 'small', role: 'client', params: '{}', deposited })
    const { secret } = await net.ledger.keys.create({ name: 'small', channel: 'small' })
    const sdk = client(net, secret)
    const asked = Array.from({ length: 20 }, () => sdk.chat.completions.create(ask))
    const answers = await Promise.allSettled(asked)
    const refused = answers.filter((answer) => answer.status === 'rejected')
    for (const { reason } of refused)
      expect(reason).toMatchObject({ status: 402, code: 'insufficient_quota' })
    const served = answers.length - refused.length
    expect(served).toBeGreaterThan(0)
    expect(await net.ledger.channelState('small')).toMatchObject({
      charged: BigInt(served) * stored.charged,
      reserved: 0n,
    })
    expect(BigInt(served) * stored.charged).toBeLessThanOrEqual(deposited)
    await net.ledger.audit()
  })
})

it('a stream that is given up before its first token frees the slot and what was held back', async () => {
  const gate = new Gate()
  let runs = 0
  const script = () => (runs++ === 0 ? [gate, 'never'] : ['Hello'])
  await using net = await InProcess.open({ engine: { sequences: 1, script } })
  const control = new AbortController()
  const ask = { model: net.model, messages }
  const first = client(net).chat.completions.create({ ...ask, stream: true }, { signal: control.signal })
  const refused = expect(first).rejects.toThrow(OpenAI.APIUserAbortError)
  await gate.reached
  await holding(net, 1)
  control.abort()
  await refused
  const run = await net.engine.run(0)
  await run.settled
  expect(run.state).toBe('cancelled')
  const after = await client(net).chat.completions.create(ask)
  expect(after.choices[0]?.message.content).toBe('Hello')
  await holding(net, 0)
  await net.ledger.audit()
})
