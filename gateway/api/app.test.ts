import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import OpenAI from 'openai'
import { afterEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { ApiError, insufficientQuota } from '../../worker/protocol/index.ts'
import type { DispatchRequest, DispatchResponse } from '../dispatch/index.ts'
import { RateLimiter } from './limits.ts'
import { chunk, scripted, serveFace, TEST_SECRET } from './testing/face.ts'

const chat = { model: 'chrysalis/tiny', messages: [{ role: 'user' as const, content: 'Hi' }] }

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

type Dispatch = (request: DispatchRequest) => Promise<DispatchResponse>
const never: Dispatch = () => Promise.reject(new Error('must not be dispatched'))

async function face(dispatch: Dispatch = never, overrides = {}) {
  const served = await serveFace(dispatch, overrides)
  closers.push(served.close)
  const sdk = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: TEST_SECRET, maxRetries: 0 })
  const post = (body: unknown, headers: Record<string, string> = {}, path = '/v1/chat/completions') =>
    fetch(served.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  return { ...served, sdk, post }
}

interface Envelope {
  error: { message: string; type: string; param: string | null; code: string | null }
}

describe('errors', () => {
  const table: [string, unknown, Record<string, string>, number, string | null, string | null][] = [
    ['broken JSON', '{"model":', {}, 400, null, null],
    ['an array', [], {}, 400, null, null],
    ['null', 'null', {}, 400, null, null],
    ['a number', '42', {}, 400, null, null],
    ['missing messages', { model: chat.model }, {}, 400, 'messages', 'missing_required_parameter'],
    ['messages of a wrong type', { ...chat, messages: 'x' }, {}, 400, 'messages', 'invalid_type'],
    ['empty messages', { ...chat, messages: [] }, {}, 400, 'messages', 'empty_array'],
    ['temperature above 2', { ...chat, temperature: 2.1 }, {}, 400, 'temperature', 'decimal_above_max_value'],
    ['an unknown field', { ...chat, nonsense: 1 }, {}, 400, 'nonsense', 'unknown_parameter'],
    ['n = 129', { ...chat, n: 129 }, {}, 400, 'n', 'integer_above_max_value'],
    ['an unknown model', { ...chat, model: 'gpt-9' }, {}, 404, 'model', 'model_not_found'],
    ['another content type', 'x', { 'content-type': 'text/plain' }, 415, null, 'unsupported_media_type'],
    ['an unknown coding', 'x', { 'content-encoding': 'zstd' }, 415, null, 'unsupported_content_encoding'],
    ['a body that is not in its coding', 'x', { 'content-encoding': 'br' }, 400, null, 'invalid_body'],
    ['a large body', { ...chat, user: 'x'.repeat(5000) }, {}, 413, null, 'request_too_large'],
    ['a wrong key', chat, { authorization: 'Bearer sk-chry-wrong' }, 401, null, 'invalid_api_key'],
    ['no key', chat, { authorization: '' }, 401, null, null],
  ]
  it.each(table)('%s', async (_, body, headers, status, param, code) => {
    const { post, logged } = await face()
    const response = await post(body, headers)
    expect(response.status).toBe(status)
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    const { error } = (await response.json()) as Envelope
    expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type'])
    expect({ param: error.param, code: error.code }).toEqual({ param, code })
    expect(logged).toEqual([])
  })

  it('counts a chunked body and stops at the limit', async () => {
    const { url } = await face()
    const request = httpRequest(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' },
    })
    request.on('error', () => {})
    for (let i = 0; i < 8; i++) request.write('x'.repeat(1024))
    const [response] = await once(request, 'response')
    expect(response.statusCode).toBe(413)
    request.destroy()
  })

  it('names the methods that work', async () => {
    const { url } = await face()
    const headers = { authorization: `Bearer ${TEST_SECRET}` }
    const response = await fetch(`${url}/v1/chat/completions`, { headers })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await fetch(`${url}/v1/nothing`, { headers })).status).toBe(404)
    expect((await fetch(`${url}/nothing`)).status).toBe(404)
  })

  it('never shows or logs the text of an unexpected error', async () => {
    const { post, logged } = await face(() => Promise.reject(new Error('CANARY prompt text')))
    const response = await post(chat)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('CANARY')
    expect(JSON.stringify(logged)).not.toContain('CANARY')
    expect(logged).toHaveLength(1)
  })

  it('answers 402 once: the SDK does not retry', async () => {
    let calls = 0
    const { url } = await face(() => {
      calls++
      return Promise.reject(insufficientQuota('The channel is empty.'))
    })
    const sdk = new OpenAI({ baseURL: `${url}/v1`, apiKey: TEST_SECRET, maxRetries: 3 })
    await expect(sdk.chat.completions.create(chat)).rejects.toMatchObject({
      status: 402,
      code: 'insufficient_quota',
    })
    expect(calls).toBe(1)
  })

  it('answers 429 so that the SDK comes back when it is told to, and then is served', async () => {
    const headers = { 'retry-after': '1', 'retry-after-ms': '1' }
    const busy = { status: 429, type: 'rate_limit_error', message: 'Busy.', apiCode: 'queue_full', headers }
    let calls = 0
    const { sdk } = await face(async (request) => {
      calls++
      if (calls < 3) throw new ApiError(busy)
      return scripted(request, [{ type: 'body', bytes: utf8('{"id":"x"}') }])
    })
    expect(await sdk.withOptions({ maxRetries: 2 }).chat.completions.create(chat)).toMatchObject({ id: 'x' })
    expect(calls).toBe(3)
    const refused = await sdk.withOptions({ maxRetries: 0 }).chat.completions.create(chat, {}).asResponse()
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('996')
  })

  it('says 503, not 404, for a model whose workers are away', async () => {
    const { post } = await face(never, { catalog: () => [], mayReturn: () => true })
    const response = await post(chat)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(((await response.json()) as Envelope).error.code).toBe('model_unavailable')
  })

  it('limits the rate of each key with 429 and Retry-After', async () => {
    const { post } = await face(async (r) => scripted(r, [{ type: 'body', bytes: utf8('{}') }]), {
      limiter: new RateLimiter({ requests: 2 }, () => 0),
    })
    expect((await post(chat)).status).toBe(200)
    expect((await post(chat)).headers.get('x-ratelimit-remaining-requests')).toBe('0')
    const refused = await post(chat)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30'])
    expect(((await refused.json()) as Envelope).error.code).toBe('rate_limit_exceeded')
  })
})

describe('answers', () => {
  it('sends a JSON body exactly as the worker wrote it, and names the receipt', async () => {
    const { post } = await face(async (r) =>
      scripted(r, [
        { type: 'body', bytes: utf8('{"object":') },
        { type: 'body', bytes: utf8('"chat.completion"}') },
      ]),
    )
    const response = await post(chat)
    expect(await response.text()).toBe('{"object":"chat.completion"}')
    expect(response.headers.get('chrysalis-receipt')).toBe(response.headers.get('x-request-id'))
    expect(response.headers.get('chrysalis-tee')).toBe('simulated')
  })

  it('frames a stream so that the official SDK reads it, and ends it with [DONE]', async () => {
    const events = [chunk({ role: 'assistant', content: '' }), chunk({ content: 'Hé 😀' }), chunk({}, 'stop')]
    const { sdk, post } = await face(async (r) => scripted(r, events))
    const stream = await sdk.chat.completions.create({ ...chat, stream: true })
    let text = ''
    for await (const part of stream) text += part.choices[0]?.delta.content ?? ''
    expect(text).toBe('Hé 😀')
    const raw = await post({ ...chat, stream: true })
    expect(raw.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(raw.headers.get('cache-control')).toContain('no-cache')
    const frames = (await raw.text()).split('\n\n')
    expect(frames.at(-1)).toBe('')
    expect(frames.at(-2)).toBe('data: [DONE]')
    expect(frames.slice(0, -2).every((frame) => frame.startsWith('data: {'))).toBe(true)
  })

  it('puts an error inside a stream into a data event and never says [DONE] after it', async () => {
    const fail = new ApiError({
      status: 502,
      type: 'server_error',
      message: 'The worker was lost.',
      apiCode: 'worker_lost',
    })
    const { sdk, post } = await face(async (r) => scripted(r, [chunk({ content: 'half' })], { fail }))
    const stream = await sdk.chat.completions.create({ ...chat, stream: true })
    await expect(Array.fromAsync(stream)).rejects.toMatchObject({ code: 'worker_lost' })
    const text = await (await post({ ...chat, stream: true })).text()
    expect(text).toContain('data: {"error":{"message":"The worker was lost."')
    expect(text).not.toContain('[DONE]')
  })

  it('tells the dispatcher when the client goes away', async () => {
    const { promise: left, resolve: onLeave } = Promise.withResolvers<void>()
    const { promise: aborted, resolve: onAbort } = Promise.withResolvers<void>()
    const { url } = await face(async (r) => {
      r.signal.addEventListener('abort', () => onAbort())
      const endless = Array.from({ length: 5_000 }, () => chunk({ content: 'x'.repeat(4000) }))
      return scripted(r, endless, { onLeave })
    })
    const control = new AbortController()
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...chat, stream: true }),
      signal: control.signal,
    })
    await response.body?.getReader().read()
    control.abort()
    await aborted
    await Promise.race([left, aborted])
  })

  it('reads no further ahead than a slow client', async () => {
    let pulled = 0
    const { promise: dispatched, resolve } = Promise.withResolvers<void>()
    const { url } = await face(async (r) => {
      async function* count() {
        for (;;) {
          pulled++
          yield chunk({ content: 'x'.repeat(60_000) })
        }
      }
      resolve()
      return { ...scripted(r, []), events: count() }
    })
    const control = new AbortController()
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...chat, stream: true }),
      signal: control.signal,
    })
    await dispatched
    const reader = response.body?.getReader()
    await reader?.read()
    // The socket's buffers fill up and the pulling stops: two looks apart in time see the same count.
    let before = -1
    while (before !== pulled) {
      before = pulled
      for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
    }
    expect(pulled).toBeLessThan(1000)
    control.abort()
  })
})

describe('catalog and health', () => {
  it('lists and retrieves models, also with a slash in the id', async () => {
    const { sdk } = await face()
    const list = await sdk.models.list()
    expect(list.data).toMatchObject([{ id: 'chrysalis/tiny', object: 'model', owned_by: 'chrysalis' }])
    expect(await sdk.models.retrieve('chrysalis/tiny')).toMatchObject({ id: 'chrysalis/tiny' })
    await expect(sdk.models.retrieve('gpt-9')).rejects.toMatchObject({ status: 404, code: 'model_not_found' })
  })

  it('says alive without a key, and ready only when nothing is missing', async () => {
    const { url } = await face(never, { missing: () => ['worker'] })
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' })
    const response = await fetch(`${url}/readyz`)
    expect([response.status, await response.json()]).toEqual([
      503,
      { status: 'unavailable', missing: ['worker'] },
    ])
  })
})

describe('a gateway that is about to stop', () => {
  it('says 503 to what is new before it reads it, sends clients away, and finishes what runs', async () => {
    let stopping = false
    const more = Promise.withResolvers<void>()
    const { post, url } = await face(
      async (request) => {
        async function* events() {
          yield chunk({ content: 'one' })
          await more.promise
          yield chunk({}, 'stop')
        }
        return { ...scripted(request, []), events: events() }
      },
      { draining: () => stopping },
    )
    const running = await post({ ...chat, stream: true })
    stopping = true
    const refused = await post('not even JSON')
    expect([refused.status, ((await refused.json()) as Envelope).error.code]).toEqual([
      503,
      'server_draining',
    ])
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      connection: 'close',
      'retry-after': '1',
      'retry-after-ms': '1000',
      'x-should-retry': 'true',
    })
    for (const path of ['/readyz', '/health', '/v1/health'])
      expect((await fetch(url + path)).status).toBe(503)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    more.resolve()
    expect(await running.text()).toMatch(/\[DONE\]\n\n$/)
  })
})
