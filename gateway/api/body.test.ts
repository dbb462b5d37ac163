import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../attest/bytes.ts'
import { scripted, serveFace, TEST_SECRET } from './testing/face.ts'

const chat = JSON.stringify({ model: 'chrysalis/tiny', messages: [{ role: 'user', content: 'Hi' }] })
const headers = { authorization: `Bearer ${TEST_SECRET}`, 'content-type': 'application/json' }
const LIMIT = 4096

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function face() {
  const bodies: string[] = []
  const served = await serveFace(async (request) => {
    bodies.push(fromUtf8(request.body))
    return scripted(request, [{ type: 'body', bytes: utf8('{}') }])
  })
  closers.push(served.close)
  const url = `${served.url}/v1/chat/completions`
  const post = async (body: Uint8Array<ArrayBuffer>, coding: string) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-encoding': coding },
      body,
    })
    const { error } = (await response.json()) as { error?: { code: string } }
    return { status: response.status, code: error?.code, accepts: response.headers.get('accept-encoding') }
  }
  return { ...served, bodies, url, post }
}

describe('a compressed body', () => {
  const codings: [string, (text: string) => Uint8Array<ArrayBuffer>][] = [
    ['gzip', (text) => new Uint8Array(gzipSync(text))],
    ['GZIP', (text) => new Uint8Array(gzipSync(text))],
    ['x-gzip', (text) => new Uint8Array(gzipSync(text))],
    ['deflate', (text) => new Uint8Array(deflateSync(text))],
    ['br', (text) => new Uint8Array(brotliCompressSync(text))],
  ]
  it.each(codings)(
    'in %s is read, cut off at the limit, and refused when it is none',
    async (coding, pack) => {
      const { post, bodies } = await face()
      expect(await post(pack(chat), coding)).toMatchObject({ status: 200 })
      expect(bodies).toEqual([chat])
      // A bomb: some hundred bytes that would be a hundred megabytes.
      const bomb = pack(' '.repeat(20 * LIMIT))
      expect(bomb.length).toBeLessThan(LIMIT)
      expect(await post(bomb, coding)).toMatchObject({ status: 413, code: 'request_too_large' })
      const cut = pack(chat).slice(0, -4)
      const followed = new Uint8Array(Buffer.concat([pack(chat), Buffer.from('more')]))
      const plain = new Uint8Array(Buffer.from(chat))
      for (const broken of [cut, followed, plain, new Uint8Array()])
        expect(await post(broken, coding)).toMatchObject({ status: 400, code: 'invalid_body' })
      expect(bodies).toHaveLength(1)
    },
  )

  it('may have exactly the limit', async () => {
    const { post, bodies } = await face()
    const exact = chat.replace('Hi', 'x'.repeat(LIMIT - chat.length + 2))
    expect(await post(new Uint8Array(gzipSync(exact)), 'gzip')).toMatchObject({ status: 200 })
    expect(bodies).toEqual([exact])
  })

  it('in another coding, or in two, is told which there are', async () => {
    const { post } = await face()
    for (const coding of ['zstd', 'gzip, gzip', 'compress', 'constructor'])
      expect(await post(new Uint8Array(gzipSync(chat)), coding)).toEqual({
        status: 415,
        code: 'unsupported_content_encoding',
        accepts: 'gzip, deflate, br',
      })
  })
})

/** Sends a head that asks before it sends its body. */
async function ask(url: string, more: Record<string, string>) {
  const sent = httpRequest(url, { method: 'POST', headers: { ...headers, expect: '100-continue', ...more } })
  sent.on('error', () => {})
  let continued = false
  sent.once('continue', () => {
    continued = true
    sent.end(chat)
  })
  sent.flushHeaders()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  sent.destroy()
  return { status: response.statusCode, continued }
}

describe('a client that asks before it sends', () => {
  it('is asked for the body once everything else is in order', async () => {
    const { url, bodies } = await face()
    expect(await ask(url, { 'content-length': String(chat.length) })).toEqual({
      status: 200,
      continued: true,
    })
    expect(bodies).toEqual([chat])
  })

  it('is refused before it sends for nothing', async () => {
    const { url } = await face()
    const refusals: [Record<string, string>, number][] = [
      [{ 'content-length': String(LIMIT + 1) }, 413],
      [{ 'content-length': '10', authorization: 'Bearer wrong' }, 401],
      [{ 'content-length': '10', 'content-type': 'text/plain' }, 415],
    ]
    for (const [more, status] of refusals) expect(await ask(url, more)).toEqual({ status, continued: false })
  })
})

it('a body that ends early is no fault inside, and nothing is run for it', async () => {
  const { url, bodies, logged } = await face()
  for (const more of [{ 'content-length': String(chat.length + 10) }, {}]) {
    const sent = httpRequest(url, { method: 'POST', headers: { ...headers, ...more } })
    sent.on('error', () => {})
    const connected = once(sent, 'socket')
    sent.write(chat)
    const [socket] = await connected
    await new Promise<void>((resolve) => sent.write('', () => resolve()))
    sent.destroy()
    await once(socket, 'close')
  }
  // The server has seen both ends once it has answered a later request.
  await fetch(new URL('/healthz', url))
  expect([bodies, logged]).toEqual([[], []])
})
