import OpenAI from 'openai'
import { afterEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { ApiError } from '../../worker/protocol/index.ts'
import type { DispatchEvent, DispatchRequest, DispatchResponse } from '../dispatch/index.ts'
import { ManualClock } from '../link/testing/manual-clock.ts'
import { chunk, scripted, serveFace, TEST_SECRET } from './testing/face.ts'

const KEEP_ALIVE = ': keep-alive\n\n'
const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const lost = new ApiError({
  status: 502,
  type: 'server_error',
  message: 'The worker was lost.',
  apiCode: 'worker_lost',
})

async function face(dispatch: (request: DispatchRequest) => Promise<DispatchResponse>) {
  const clock = new ManualClock()
  const served = await serveFace(dispatch, { after: (ms, fn) => clock.after(ms, fn) })
  closers.push(served.close)
  const sdk = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: TEST_SECRET, maxRetries: 0 })
  const post = (path: string, body: object) =>
    fetch(served.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'chrysalis/tiny', stream: true, ...body }),
    })
  const chat = () => post('/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] })
  return { clock, sdk, post, chat }
}

/** The text of the next read of a body. */
function reader(response: Response): () => Promise<string> {
  const from = response.body?.getReader()
  return async () => new TextDecoder().decode((await from?.read())?.value)
}

describe('silence', () => {
  it('within a stream is broken by a comment, and only there', async () => {
    const more = Promise.withResolvers<void>()
    const { clock, chat } = await face(async (request) => {
      async function* events(): AsyncGenerator<DispatchEvent> {
        yield chunk({ content: 'first' })
        await more.promise
        yield chunk({ content: 'second' })
      }
      return { ...scripted(request, []), events: events() }
    })
    const next = reader(await chat())
    expect(await next()).toContain('first')
    // The first look comes in the interval of the event.
    clock.advance(15_000)
    clock.advance(15_000)
    expect(await next()).toBe(KEEP_ALIVE)
    more.resolve()
    expect(await next()).toContain('second')
    expect(clock.pending).toBe(0)
  })

  it('before the first event opens the stream; what fails then is an event', async () => {
    const answer = Promise.withResolvers<DispatchResponse>()
    const dispatched = Promise.withResolvers<void>()
    const { clock, chat } = await face(() => {
      dispatched.resolve()
      return answer.promise
    })
    const pending = chat()
    await dispatched.promise
    clock.advance(15_000)
    const response = await pending
    expect(response.status).toBe(200)
    expect(response.headers.get('chrysalis-receipt')).toBe(response.headers.get('x-request-id'))
    const next = reader(response)
    expect(await next()).toBe(KEEP_ALIVE)
    answer.reject(lost)
    expect(JSON.parse((await next()).slice('data: '.length))).toEqual(lost.toJSON())
    expect(await next()).toBe('')
  })

  it('is nothing to the official SDK', async () => {
    const answer = Promise.withResolvers<DispatchResponse>()
    const asked = Promise.withResolvers<DispatchRequest>()
    const { clock, sdk } = await face((request) => {
      asked.resolve(request)
      return answer.promise
    })
    const pending = sdk.chat.completions.create({
      model: 'chrysalis/tiny',
      messages: [{ role: 'user', content: 'Hi' }],
      stream: true,
    })
    const request = await asked.promise
    clock.advance(15_000)
    const stream = await pending
    clock.advance(15_000)
    answer.resolve(scripted(request, [chunk({ content: 'late' }), chunk({}, 'stop')]))
    const chunks = await Array.fromAsync(stream)
    expect(chunks.map((part) => part.choices[0]?.delta.content)).toEqual(['late', undefined])
  })

  it('before the first event does not cost a failure its status', async () => {
    const { chat } = await face(() => Promise.reject(lost))
    const response = await chat()
    expect([response.status, response.headers.get('content-type')]).toEqual([502, 'application/json'])
    expect(response.headers.get('chrysalis-receipt')).toBeNull()
  })
})

describe('the Responses API', () => {
  const event = (document: object): DispatchEvent => ({ type: 'event', json: utf8(JSON.stringify(document)) })
  const events = [
    event({ type: 'response.created', sequence_number: 0 }),
    event({ type: 'response.completed', sequence_number: 1 }),
  ]

  it('names each event, and has no end of its own', async () => {
    const { post } = await face(async (request) => scripted(request, events))
    const text = await (await post('/v1/responses', { input: 'Hi' })).text()
    expect(text).toBe(
      'event: response.created\ndata: {"type":"response.created","sequence_number":0}\n\n' +
        'event: response.completed\ndata: {"type":"response.completed","sequence_number":1}\n\n',
    )
  })

  it('tells of an error in an event that is counted', async () => {
    const { post } = await face(async (request) => scripted(request, events.slice(0, 1), { fail: lost }))
    const text = await (await post('/v1/responses', { input: 'Hi' })).text()
    expect(text.split('\n\n')[1]).toBe(
      `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'worker_lost', message: lost.message, param: null, sequence_number: 1 })}`,
    )
  })

  it('takes no name from a worker that could break the framing', async () => {
    const odd = [event({ type: 'a\u2028b' }), event({ type: 'A:' }), event({ type: '' }), event({ other: 1 })]
    const { post } = await face(async (request) => scripted(request, odd))
    const text = await (await post('/v1/responses', { input: 'Hi' })).text()
    expect(text).not.toContain('event:')
    expect(text.match(/^data: /gm)).toHaveLength(4)
  })
})
