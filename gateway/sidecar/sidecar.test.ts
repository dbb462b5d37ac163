import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { SLICE, Stand } from './testing/stand.ts'

const messages = [{ role: 'user' as const, content: 'PROMPT-CANARY' }]

describe('a sidecar', () => {
  it('pays request by request, and signs one slice ahead of what was proven', async () => {
    await using stand = await Stand.open()
    const { gateway } = stand
    for (let i = 1; i <= 5; i++) {
      await stand.chat()
      await stand.until(() => stand.sidecar.state.verified === BigInt(25 * i))
      expect(gateway.ceiling).toBeLessThanOrEqual(stand.sidecar.state.verified + SLICE)
    }
    expect(gateway.charged).toBe(125n)
    expect(stand.sidecar.state.halted).toBeUndefined()
  })

  it('signs more as charges are proven, for far more than one slice in all', async () => {
    await using stand = await Stand.open()
    const { gateway } = stand
    for (let i = 1; i <= 60; i++) {
      await stand.chat()
      expect(gateway.ceiling).toBeLessThanOrEqual(BigInt(25 * i) + SLICE)
    }
    await stand.until(() => stand.sidecar.state.verified === 1500n)
    expect(gateway.ceiling).toBeGreaterThan(SLICE)
  })

  it('sends the parameters of its channel once, and then its address', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    await stand.chat()
    const paid = stand.gateway.seen.filter(({ method }) => method === 'POST')
    expect(paid.map(({ payment }) => 'id' in payment.payload.channel)).toEqual([false, true, true])
    await stand.until(() => stand.sidecar.state.verified === 50n)
    // A gateway that forgot is told again.
    stand.gateway.known = false
    await stand.chat()
    const again = stand.gateway.seen.filter(({ method }) => method === 'POST').slice(3)
    expect(again.map(({ payment }) => 'id' in payment.payload.channel)).toEqual([true, false])
  })

  it('passes a stream on as it comes, byte by byte', async () => {
    await using stand = await Stand.open()
    const gate = Promise.withResolvers<void>()
    stand.gateway.gate = gate.promise
    const response = await fetch(`${stand.sidecar.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${(await stand.folder.apiKey()).key}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ model: 'm', messages, stream: true }),
    })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const reader = response.body?.getReader()
    const text = async () => Buffer.from((await reader?.read())?.value ?? []).toString()
    // The first event is here although the answer is not done.
    expect(await text()).toBe('data: {"a":1}\n\n')
    gate.resolve()
    expect(await text()).toBe('data: [DONE]\n\n')
    await stand.until(() => stand.sidecar.state.verified === 25n)
  })

  it('passes on that a client went away, and counts what was charged all the same', async () => {
    await using stand = await Stand.open()
    const { gateway } = stand
    const gate = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<void>()
    gateway.gate = gate.promise
    gateway.onAborted = aborted.resolve
    const leave = new AbortController()
    const response = await fetch(`${stand.sidecar.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${(await stand.folder.apiKey()).key}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ model: 'm', messages, stream: true }),
      signal: leave.signal,
    })
    await response.body?.getReader().read()
    leave.abort()
    await aborted.promise
    gate.resolve()
    await stand.until(() => stand.sidecar.state.open().length === 0)
    gateway.onAborted = () => {}
    gateway.gate = Promise.resolve()
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 32n)
    expect(gateway.charged).toBe(32n)
  })

  it('runs many requests at once under one slice: those without room wait for it', async () => {
    await using stand = await Stand.open({ slice: 250n })
    await Promise.all(Array.from({ length: 12 }, () => stand.chat()))
    await stand.until(() => stand.sidecar.state.verified === 300n)
    expect(stand.gateway.ceiling).toBeLessThanOrEqual(300n + 250n)
  })

  it('tells a request that can never fit how to help itself', async () => {
    await using stand = await Stand.open({ slice: 60n, perRequest: 60n })
    stand.gateway.reserve = 60n
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 25n)
    stand.gateway.reserve = 61n
    await expect(stand.chat()).rejects.toMatchObject({ status: 402, code: 'price_above_amount' })
  })

  it('never signs above the deposit, and passes on that it is used up', async () => {
    await using stand = await Stand.open({}, 120n)
    await stand.chat()
    await stand.until(() => stand.sidecar.state.verified === 25n)
    await expect(stand.chat()).rejects.toMatchObject({ status: 402, code: 'insufficient_quota' })
    expect(stand.gateway.ceiling).toBe(120n)
  })

  it('tells its clients in their own shape when the gateway is away, and goes on when it is back', async () => {
    await using stand = await Stand.open()
    await stand.chat()
    const { url } = stand.sidecar
    await stand.gateway.close()
    const sdk = await stand.sdk()
    const ask = () => sdk.chat.completions.create({ model: 'm', messages })
    await expect(ask()).rejects.toMatchObject({ status: 502, code: 'gateway_unreachable' })
    expect(url).toContain('127.0.0.1')
  })
})

/** A request by hand: fetch would not let us choose Host and Origin. */
async function raw(
  stand: Stand,
  headers: Record<string, string>,
  method = 'POST',
  path = '/v1/chat/completions',
) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number
    code: string | null
    text: string
  }>()
  const sent = request(stand.sidecar.url + path, { method, headers })
  sent.on('error', reject)
  sent.on('response', async (response) => {
    let text = ''
    for await (const part of response) text += part
    resolve({ status: response.statusCode ?? 0, code: JSON.parse(text).error?.code, text })
  })
  sent.end(method === 'POST' ? JSON.stringify({ model: 'm', messages }) : undefined)
  return await promise
}

describe('the local face', () => {
  it('serves programs of this machine that know the key, and nobody else', async () => {
    await using stand = await Stand.open()
    const good = {
      authorization: `Bearer ${(await stand.folder.apiKey()).key}`,
      'content-type': 'application/json',
    }
    const refused: [Record<string, string>, number, string | null][] = [
      [{ ...good, authorization: '' }, 401, null],
      [{ ...good, authorization: 'Bearer wrong' }, 401, 'invalid_api_key'],
      [{ ...good, host: 'evil.example' }, 403, 'forbidden_host'],
      [{ ...good, origin: 'https://evil.example' }, 403, 'forbidden_origin'],
      [{ ...good, origin: 'null' }, 403, 'forbidden_origin'],
      [{ ...good, 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
      [{ authorization: good.authorization }, 415, 'unsupported_media_type'],
    ]
    for (const [headers, status, code] of refused) {
      const answer = await raw(stand, headers)
      expect([answer.status, answer.code]).toEqual([status, code])
      expect(answer.text).not.toContain('CANARY')
    }
    expect((await raw(stand, good, 'DELETE', '/v1/files/x')).status).toBe(405)
    expect((await raw(stand, good, 'GET', '/elsewhere')).status).toBe(404)
    // Who may spend may not end the channel.
    for (const path of ['/v1/channels/x/close', '/v1/%63hannels/x/close', '/v1/./channels/x/close'])
      expect((await raw(stand, good, 'POST', path)).status).toBe(404)
    expect(stand.gateway.seen.filter(({ method }) => method === 'POST')).toEqual([])
    expect((await raw(stand, good)).status).toBe(200)
    const { authorization: _, ...rest } = good
    expect((await raw(stand, { ...rest, 'x-api-key': (await stand.folder.apiKey()).key })).status).toBe(200)
  })

  it('keeps its key to itself, and cookies and origins of its clients too', async () => {
    await using stand = await Stand.open()
    const heads: Record<string, unknown>[] = []
    const sent = new Set([
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'payment-signature',
      'x-mine',
    ])
    stand.gateway.onHead = (headers) => heads.push(headers)
    const good = {
      authorization: `Bearer ${(await stand.folder.apiKey()).key}`,
      'content-type': 'application/json',
    }
    await raw(stand, {
      ...good,
      cookie: 'a=b',
      referer: 'http://localhost/',
      'x-mine': '1',
      'payment-signature': 'x',
    })
    const [paid] = heads.filter((each) => each['x-mine'] === '1')
    expect(Object.keys(paid ?? {}).filter((name) => !sent.has(name))).toEqual([])
  })
})
