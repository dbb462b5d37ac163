/** What every answer of the face has in common, whatever was asked. */

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { PATHS } from '../../worker/protocol/index.ts'
import { validateAgainstOpenAi } from '../../worker/testing/openai-schemas.ts'
import { scripted, serveFace, TEST_MODEL, TEST_SECRET } from './testing/face.ts'

const bearer = { authorization: `Bearer ${TEST_SECRET}` }
const json = { ...bearer, 'content-type': 'application/json' }
const chat = { model: TEST_MODEL.id, messages: [{ role: 'user', content: 'Hi' }] }

let face: Awaited<ReturnType<typeof serveFace>>
beforeAll(async () => {
  face = await serveFace(async (asked) => scripted(asked, [{ type: 'body', bytes: utf8('{}') }]))
})
afterAll(() => face.close())

async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: unknown) {
  const sent = request(face.url + path, { method, headers })
  sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const bytes = Buffer.concat(await Array.fromAsync(response as AsyncIterable<Buffer>))
  return { status: response.statusCode, headers: response.headers, text: bytes.toString() }
}

const POSTS = Object.keys(PATHS)
const GETS = [
  '/v1/models',
  `/v1/models/${TEST_MODEL.id}`,
  '/v1/attestation',
  '/healthz',
  '/readyz',
  '/health',
]

describe('methods', () => {
  it.each(GETS)('%s: HEAD is GET without a body, OPTIONS names both, others are 405', async (path) => {
    const [get, head] = [await ask('GET', path, bearer), await ask('HEAD', path, bearer)]
    expect([get.status, head.status, head.text]).toEqual([200, 200, ''])
    expect(head.headers['content-type']).toBe(get.headers['content-type'])
    const options = await ask('OPTIONS', path)
    expect([options.status, options.headers.allow, options.text]).toEqual([204, 'GET, HEAD', ''])
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const refused = await ask(method, path)
      expect([refused.status, refused.headers.allow]).toEqual([405, 'GET, HEAD'])
      validateAgainstOpenAi('Failure', JSON.parse(refused.text))
    }
  })

  it.each(POSTS)('%s: OPTIONS names POST, others are 405', async (path) => {
    const options = await ask('OPTIONS', path)
    expect([options.status, options.headers.allow]).toEqual([204, 'POST'])
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      const refused = await ask(method, path, bearer)
      expect([refused.status, refused.headers.allow]).toEqual([405, 'POST'])
    }
  })

  it('are no matter where there is nothing: 404, in the envelope', async () => {
    for (const [method, path] of [
      ['GET', '/v1/nothing'],
      ['POST', '/v1/chat/completion'],
      ['GET', '/'],
      ['DELETE', '/v1/files/1'],
      ['POST', `/v1/${'x'.repeat(4000)}`],
    ] as const) {
      const { status, text } = await ask(method, path, bearer)
      expect(status).toBe(404)
      expect(text.length).toBeLessThan(500)
      validateAgainstOpenAi('Failure', JSON.parse(text))
    }
  })
})

describe('every answer', () => {
  const asked: [string, string, string, Record<string, string>, unknown, number][] = [
    ['success', 'POST', '/v1/chat/completions', json, chat, 200],
    ['list', 'GET', '/v1/models', bearer, undefined, 200],
    ['no key', 'POST', '/v1/chat/completions', {}, chat, 401],
    ['wrong field', 'POST', '/v1/embeddings', json, { model: TEST_MODEL.id }, 400],
    ['wrong type', 'POST', '/v1/responses', { ...bearer, 'content-type': 'text/plain' }, 'x', 415],
    ['unknown model', 'GET', '/v1/models/gpt-9', bearer, undefined, 404],
    ['unknown URL', 'GET', '/nothing', {}, undefined, 404],
  ]
  it.each(asked)('(%s) has an id of its own', async (_, method, path, headers, body, status) => {
    const answers = [await ask(method, path, headers, body), await ask(method, path, headers, body)]
    expect(answers.map((answer) => answer.status)).toEqual([status, status])
    const ids = answers.map((answer) => answer.headers['x-request-id'])
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(new Set(ids).size).toBe(2)
    for (const { headers: got, text } of answers) {
      expect(got['content-type']).toMatch(/^application\/json/)
      expect(got['chrysalis-tee']).toBe('simulated')
      if (status >= 400) validateAgainstOpenAi('Failure', JSON.parse(text))
    }
  })

  it('of a worker, and every refusal, tells how long it took and what is left', async () => {
    for (const body of [chat, {}]) {
      const { headers } = await ask('POST', '/v1/chat/completions', json, body)
      expect(headers['openai-processing-ms']).toMatch(/^\d+$/)
      expect(headers['x-ratelimit-limit-requests']).toBe('1000')
      expect(Number(headers['x-ratelimit-remaining-requests'])).toBeLessThan(1000)
      expect(headers['x-ratelimit-reset-requests']).toMatch(/^(\d+m)?[\d.]+m?s$/)
      expect(headers['x-ratelimit-limit-tokens']).toBeUndefined()
    }
  })

  it('takes no id from the client for its own, but gives its name for the request back', async () => {
    const theirs = { ...bearer, 'x-request-id': 'mine', 'x-client-request-id': 'call-7' }
    const { headers } = await ask('GET', '/v1/models', theirs)
    expect(headers['x-request-id']).not.toBe('mine')
    expect(headers['x-client-request-id']).toBe('call-7')
    const odd = await ask('GET', '/v1/models', { ...bearer, 'x-client-request-id': 'two words' })
    expect([odd.status, JSON.parse(odd.text).error.code]).toEqual([400, 'invalid_client_request_id'])
  })
})

describe('a key', () => {
  it.each([
    ['Authorization: bearer', { authorization: `bearer ${TEST_SECRET}` }],
    ['Authorization: BEARER', { authorization: `BEARER   ${TEST_SECRET} ` }],
    ['x-api-key', { 'x-api-key': TEST_SECRET }],
    ['api-key', { 'api-key': TEST_SECRET }],
    ['Authorization before others', { ...bearer, 'x-api-key': 'sk-other' }],
  ])('is taken as %s', async (_, headers) => {
    expect((await ask('GET', '/v1/models', headers)).status).toBe(200)
  })

  it.each([
    ['wrong', { authorization: 'Bearer sk-chry-Zanzibarquokka7391' }, 'invalid_api_key'],
    ['wrong x-api-key', { 'x-api-key': 'sk-chry-Zanzibarquokka7391' }, 'invalid_api_key'],
    [
      'wrong, beside a right one elsewhere',
      { authorization: 'Bearer sk-x', 'x-api-key': TEST_SECRET },
      'invalid_api_key',
    ],
    ['of another scheme', { authorization: `Basic ${TEST_SECRET}`, 'x-api-key': TEST_SECRET }, null],
    ['two', { authorization: `Bearer ${TEST_SECRET} ${TEST_SECRET}` }, null],
    ['none', {}, null],
  ])('that is %s is 401 and not echoed', async (_, headers, code) => {
    const { status, text, headers: got } = await ask('POST', '/v1/chat/completions', headers, chat)
    expect([status, JSON.parse(text).error.code]).toEqual([401, code])
    expect(got['www-authenticate']).toBe('Bearer')
    expect(text + JSON.stringify(got)).not.toContain('Zanzibarquokka')
  })
})

it('no refusal repeats what was asked', async () => {
  const CANARY = 'Zanzibarquokka7391'
  const message = (content: unknown, role: unknown = 'user') => ({ ...chat, messages: [{ role, content }] })
  const bodies: unknown[] = [
    `{"model": "${TEST_MODEL.id}", "messages": [{"role": "user", "content": "${CANARY}`,
    `{"messages": ${CANARY}}`,
    message({ text: CANARY }),
    message([{ type: 'text', text: CANARY, more: 1 }]),
    message([{ type: 'image_url', image_url: { url: `data:${CANARY}` } }]),
    message(CANARY, CANARY.repeat(10)),
    { ...message(CANARY), temperature: CANARY },
    { ...message(CANARY), stop: [CANARY, 7] },
    { ...message(CANARY), tools: [{ type: 'function', function: { name: `${CANARY} !` } }] },
    { ...message(CANARY), response_format: { type: CANARY } },
    { model: 'gpt-9', messages: [{ role: 'user', content: CANARY }] },
    { model: TEST_MODEL.id, messages: CANARY },
  ]
  for (const body of bodies) {
    const { status, text, headers } = await ask('POST', '/v1/chat/completions', json, body)
    expect(status, text).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    expect(text + JSON.stringify(headers)).not.toContain(CANARY)
  }
  expect(JSON.stringify(face.logged)).not.toContain(CANARY)
})

it("the official client's types hold for models", async () => {
  const list = JSON.parse((await ask('GET', '/v1/models', bearer)).text)
  validateAgainstOpenAi('Models', list)
  const one = await ask('GET', `/v1/models/${encodeURIComponent(TEST_MODEL.id)}`, bearer)
  validateAgainstOpenAi('Model', JSON.parse(one.text))
  const sdk = new OpenAI({ baseURL: `${face.url}/v1`, apiKey: TEST_SECRET })
  expect(await sdk.models.retrieve(TEST_MODEL.id)).toEqual(list.data[0])
})
