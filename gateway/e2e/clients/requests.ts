import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorBody } from '../stack.ts'
import { type CheckedFetch, checkedFetch } from './checked.ts'
import { stack } from './shared.ts'

interface Chance {
  token: string
  bytes: number[]
  logprob: number
  top_logprobs: Chance[]
}
interface Chat {
  choices: {
    index: number
    finish_reason: string
    message: { content: string; tool_calls?: { function: { arguments: string } }[] }
    logprobs: { content: Chance[] } | null
  }[]
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number }
}

let checked: CheckedFetch
/** Each answer that a test sees is checked at its end. */
function checking(): void {
  beforeEach(() => {
    checked = checkedFetch()
  })
  afterEach(() => checked.check())
}

const CHAT = '/v1/chat/completions'
const user = (content: unknown) => ({ role: 'user', content })
/** The model knows the answer by heart, and tokens that it begins with are few. */
const QUESTION = { model: 'chrysalis/tiny', messages: [user('What is Chrysalis?')], temperature: 0 }

const send = (path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  checked.fetch(stack().origin + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack().ready.apiKey}`,
      'content-type': 'application/json',
      ...headers,
    },
    body,
  })
const post = (path: string, body: object) => send(path, JSON.stringify(body))

async function chat(changes: object = {}): Promise<Chat> {
  const response = await post(CHAT, { ...QUESTION, ...changes })
  const text = await response.text()
  expect(response.status, text).toBe(200)
  return JSON.parse(text)
}
async function say(changes: object = {}): Promise<string> {
  const { choices } = await chat(changes)
  return choices[0]?.message.content ?? ''
}

async function failure(response: Response) {
  const { error } = (await response.json()) as ErrorBody
  return { status: response.status, ...error }
}

describe('a field is honoured', () => {
  checking()
  it('counts: what is told adds up, and absent things are null', async () => {
    const answer = await chat()
    expect(answer.usage.total_tokens).toBe(answer.usage.prompt_tokens + answer.usage.completion_tokens)
    expect(answer.choices[0]).toMatchObject({ logprobs: null, message: { refusal: null } })
  })

  it.each(['max_completion_tokens', 'max_tokens'])('%s: 1', async (name) => {
    const { choices, usage } = await chat({ [name]: 1 })
    expect([choices[0]?.finish_reason, usage.completion_tokens]).toEqual(['length', 1])
  })

  it('stop: the text ends before it', async () => {
    const whole = await say()
    const word = whole.split(' ')[3] ?? ''
    const { choices } = await chat({ stop: ['never', 'not this', ` ${word}`, 'neither'] })
    expect(choices[0]).toMatchObject({
      finish_reason: 'stop',
      message: { content: whole.slice(0, whole.indexOf(` ${word}`)) },
    })
  })

  it('seed: the same twice, another for another', async () => {
    const draw = (seed: number) =>
      say({ messages: [user('Tell me a story')], temperature: 2, seed, max_tokens: 40 })
    expect(await draw(7)).toBe(await draw(7))
    expect(await draw(8)).not.toBe(await draw(7))
  })

  it('n: choices by index, one prompt', async () => {
    const one = await chat()
    const { choices, usage } = await chat({ n: 2 })
    expect(choices.map(({ index }) => index)).toEqual([0, 1])
    expect(usage.prompt_tokens).toBe(one.usage.prompt_tokens)
    expect(usage.completion_tokens).toBe(2 * one.usage.completion_tokens)
  })

  it('logprobs: of exactly the text, none above 0', async () => {
    const { choices } = await chat({ logprobs: true, top_logprobs: 2 })
    const { content: told = [] } = choices[0]?.logprobs ?? {}
    expect(Buffer.from(told.flatMap(({ bytes }) => bytes)).toString()).toBe(choices[0]?.message.content)
    expect(told.every(({ logprob, top_logprobs }) => logprob <= 0 && top_logprobs.length === 2)).toBe(true)
  })

  it('logit_bias: -100 bans a token', async () => {
    // Its number is not told: one of them is the first token, so one ban changes the beginning.
    const begins = await say({ max_tokens: 1 })
    const ids = Array.from({ length: 1024 }, (_, i) => i)
    const bans = [0, 1024, 2048].map((from) => Object.fromEntries(ids.map((id) => [from + id, -100])))
    const starts = await Promise.all(bans.map((logit_bias) => say({ max_tokens: 1, logit_bias })))
    expect(starts.filter((start) => start !== begins)).toHaveLength(1)
  })

  it('content as a part is the same as a text, and developer as system', async () => {
    const whole = await chat()
    const parts = [{ type: 'text', text: 'What is Chrysalis?' }]
    expect(await chat({ messages: [user(parts)] })).toMatchObject({
      choices: whole.choices,
      usage: whole.usage,
    })
    const led = (role: string) => say({ messages: [{ role, content: 'Be brief' }, ...QUESTION.messages] })
    expect(await led('developer')).toBe(await led('system'))
  })

  it('null stands for every default', async () => {
    const nullable = `frequency_penalty logit_bias logprobs max_completion_tokens max_tokens metadata modalities n
      parallel_tool_calls prediction presence_penalty reasoning_effort response_format seed service_tier stop store stream
      stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options`
    const nulls = Object.fromEntries(nullable.split(/\s+/).map((name) => [name, null]))
    await chat({ ...nulls, max_tokens: 1 })
  })

  it('any text of Unicode is read, and written', async () => {
    const text = '😀 مرحبا 你好 \u0000 é'
    const grammar = 'root ::= "😀 مرحبا 你好"'
    expect(await say({ messages: [user(text)], grammar })).toBe('😀 مرحبا 你好')
    const response = await post(CHAT, { ...QUESTION, messages: [user(text)], grammar, stream: true })
    const streamed = await response.text()
    expect(streamed).not.toContain('\uFFFD')
    const pieces = [...streamed.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)].map(([, json]) =>
      JSON.parse(json ?? ''),
    )
    expect(pieces.join('')).toBe('😀 مرحبا 你好')
  })

  it('response_format json_object: an object', async () => {
    const content = await say({ response_format: { type: 'json_object' } })
    expect(JSON.parse(content)).toBeTypeOf('object')
  })
})

describe('a field is refused by name', () => {
  checking()
  const tool = { type: 'function', function: { name: 'now' } }
  const orphan = { role: 'tool', tool_call_id: 'call_1', content: '12:00' }
  const schema = { type: 'object', properties: { a: { type: 'string', pattern: '(?<=a)b' } } }
  const json_schema = { name: 'a', schema }
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }
  it.each<[body: object, param: string]>([
    [{ max_tokens: 5, max_completion_tokens: 5 }, 'max_tokens'],
    [{ stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop'],
    [{ n: 0 }, 'n'],
    [{ n: 129 }, 'n'],
    [{ temperature: 2.1 }, 'temperature'],
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: 'hot' }, 'temperature'],
    [{ top_logprobs: 1 }, 'top_logprobs'],
    [{ logit_bias: { 5: 101 } }, 'logit_bias.5'],
    [{ messages: [] }, 'messages'],
    [{ messages: undefined }, 'messages'],
    [{ messages: 'x' }, 'messages'],
    [{ messages: [123] }, 'messages[0]'],
    [{ messages: [{}] }, 'messages[0].role'],
    [{ messages: [user([image])] }, 'messages[0].content[0].type'],
    [{ messages: [user('What?'), orphan] }, 'messages[1].tool_call_id'],
    [{ no_such_field: 1 }, 'no_such_field'],
    [{ web_search_options: {} }, 'web_search_options'],
    [{ store: true }, 'store'],
    [{ stream_options: { include_usage: true } }, 'stream_options'],
    [{ tools: [tool], tool_choice: { type: 'function', function: { name: 'then' } } }, 'tool_choice'],
    [
      { response_format: { type: 'json_schema', json_schema } },
      'response_format.json_schema.schema.properties.a.pattern',
    ],
  ])('%j', async (changes, param) => {
    const told = await failure(await post(CHAT, { ...QUESTION, ...changes }))
    expect(told).toMatchObject({ status: 400, type: 'invalid_request_error', param })
  })

  it.each(['42', 'null', '[]', '{"model":', ''])('the body %j', async (body) => {
    expect(await failure(await send(CHAT, body))).toMatchObject({ status: 400, param: null })
  })

  it('an empty text to embed', async () => {
    for (const input of ['', ['a', ''], []])
      expect(await failure(await post('/v1/embeddings', { model: QUESTION.model, input }))).toMatchObject({
        status: 400,
        param: expect.stringMatching(/^input/),
      })
  })

  it.each([false, true])('a prompt beyond the context, before any head (stream: %s)', async (stream) => {
    const messages = [user('word '.repeat(2_000))]
    const told = await failure(await post(CHAT, { ...QUESTION, messages, stream }))
    expect(told).toMatchObject({ status: 400, code: 'context_length_exceeded' })
    expect(told.message).toMatch(/maximum context length is 512 tokens/)
  })
})

describe('a body', () => {
  checking()
  it('beyond the limit is 413, of another type 415', async () => {
    const huge = JSON.stringify({ ...QUESTION, messages: [user('x'.repeat(9 << 20))] })
    expect(await failure(await send(CHAT, huge))).toMatchObject({ status: 413, code: 'request_too_large' })
    const plain = await send(CHAT, JSON.stringify(QUESTION), { 'content-type': 'text/plain' })
    expect((await failure(plain)).status).toBe(415)
  })

  it('may be compressed', async () => {
    const gzip = new Uint8Array(gzipSync(JSON.stringify(QUESTION)))
    expect((await send(CHAT, gzip, { 'content-encoding': 'gzip' })).status).toBe(200)
  })
})

describe('a key', () => {
  checking()
  const list = (headers: Record<string, string>) => checked.fetch(`${stack().ready.url}/models`, { headers })

  it('may be named by any case of bearer', async () => {
    expect((await list({ authorization: `bearer ${stack().ready.apiKey}` })).status).toBe(200)
  })

  it('that is missing or wrong is 401, with all four members, and is not repeated', async () => {
    const none = await list({})
    expect(none.headers.get('www-authenticate')).toBe('Bearer')
    expect(Object.keys(await failure(none)).sort()).toEqual(['code', 'message', 'param', 'status', 'type'])
    const secret = `sk-chry-${'w'.repeat(43)}`
    const wrong = await failure(await list({ authorization: `Bearer ${secret}` }))
    expect(wrong).toMatchObject({ status: 401, code: 'invalid_api_key', param: null })
    expect(wrong.message).not.toContain(secret)
  })
})

describe('a stream', () => {
  checking()
  const streamed = async (changes: object = {}) => {
    const response = await post(CHAT, { ...QUESTION, stream: true, ...changes })
    const lines = (await response.text()).split('\n\n')
    expect(lines.pop()).toBe('')
    expect(lines.pop()).toBe('data: [DONE]')
    const chunks = lines.map((line) => JSON.parse(line.replace(/^data: /, '')))
    return { headers: response.headers, chunks }
  }

  it('is not to be kept, changed or held back on its way', async () => {
    const { headers } = await streamed()
    expect(headers.get('content-type')).toMatch(/^text\/event-stream/)
    expect(headers.get('cache-control')).toMatch(/\bno-cache\b/)
    expect(headers.get('x-accel-buffering')).toBe('no')
  })

  it('names the role once, ends each choice once, and is one answer', async () => {
    const { chunks } = await streamed({ n: 2 })
    const same = chunks.map(({ id, created, model }) => JSON.stringify([id, created, model]))
    expect(new Set(same).size).toBe(1)
    for (const index of [0, 1]) {
      const own = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index)
      expect(own.map(({ delta }) => delta.role)).toEqual(['assistant', ...own.slice(1).map(() => undefined)])
      const ends = own.map(({ finish_reason }) => finish_reason)
      expect(ends).toEqual([...ends.slice(1).map(() => null), 'stop'])
      expect(own.at(-1).delta).toEqual({})
      expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe(await say())
    }
  })

  it('tells usage in a last chunk iff it is asked for', async () => {
    for (const stream_options of [undefined, {}, { include_usage: false }]) {
      const { chunks } = await streamed({ max_tokens: 3, stream_options })
      expect(chunks.some((chunk) => 'usage' in chunk)).toBe(false)
    }
    const { chunks } = await streamed({ stream_options: { include_usage: true } })
    const last = chunks.pop()
    expect(chunks.every(({ usage }) => usage === null)).toBe(true)
    expect(last).toMatchObject({ choices: [], usage: (await chat()).usage })
  })
})
