import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import type { DispatchRequest } from '../dispatch/index.ts'
import type { HttpServerOptions } from './http-server.ts'
import { chunk, scripted, serveFace, TEST_SECRET } from './testing/face.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const never = () => Promise.reject(new Error('must not be dispatched'))

async function open(
  options: HttpServerOptions = {},
  dispatch: Parameters<typeof serveFace>[0] = never,
): Promise<{ socket: Socket; all: Promise<string>; logged: unknown[] }> {
  const face = await serveFace(dispatch, {}, options)
  closers.push(face.close)
  const socket = connect({ port: Number(new URL(face.url).port), host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const all = Array.fromAsync(socket).then((parts) => Buffer.concat(parts).toString())
  return { socket, all, logged: face.logged }
}

/** Status and error of a raw HTTP response. */
function read(response: string) {
  const [head = '', body = ''] = response.split('\r\n\r\n')
  expect(head).toMatch(/^x-request-id: [0-9a-f]{32}$/im)
  const { error } = JSON.parse(body) as { error: Record<string, unknown> }
  expect(Object.keys(error).sort()).toEqual(['code', 'message', 'param', 'type'])
  return { status: Number(head.split(' ')[1]), code: error.code }
}

const HEAD = `POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TEST_SECRET}\r\nContent-Type: application/json\r\n`
const SLOW = { headersMs: 20, requestMs: 20, checkMs: 5 }

it('Continue comes in its turn where requests stand in line', async () => {
  const second = Promise.withResolvers<void>()
  const body = { type: 'body', bytes: utf8('{"object":"answer"}') } as const
  let asked = 0
  const { socket, all } = await open({}, async (request) => {
    asked += 1
    if (asked === 2) second.resolve()
    await second.promise
    return scripted(request, [body])
  })
  const chat = JSON.stringify({ model: 'chrysalis/tiny', messages: [{ role: 'user', content: 'a' }] })
  const rest = (connection: string) =>
    `Connection: ${connection}\r\nContent-Length: ${chat.length}\r\n\r\n${chat}`
  socket.write(`${HEAD}${rest('keep-alive')}${HEAD}Expect: 100-continue\r\n${rest('close')}`)
  const lines = (await all).split(/\r\n|(?=HTTP)/).filter((line) => /^HTTP|answer/.test(line))
  const whole = ['HTTP/1.1 200 OK', '{"object":"answer"}']
  const at = lines.indexOf('HTTP/1.1 100 Continue')
  // None is due where the answer was there before its turn came.
  expect([-1, 2]).toContain(at)
  expect(lines.toSpliced(at, at < 0 ? 0 : 1)).toEqual([...whole, ...whole])
})

describe('what never becomes a request is told so in the envelope', () => {
  it('bytes that are no HTTP', async () => {
    const { socket, all } = await open()
    socket.write('\x16\x03\x01 hello\r\n\r\n')
    expect(read(await all)).toEqual({ status: 400, code: 'malformed_request' })
  })

  it.each(['GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 'GET /\\x HTTP/1.1\r\nHost: localhost\r\n\r\n'])(
    'a head that names nothing: %j',
    async (head) => {
      const { socket, all } = await open()
      socket.end(head)
      expect(read(await all).status).toBe(400)
    },
  )

  it('a head that is too large', async () => {
    const { socket, all } = await open()
    socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)
    expect(read(await all)).toEqual({ status: 431, code: 'headers_too_large' })
  })

  it('an expectation that nobody can meet', async () => {
    const { socket, all } = await open()
    socket.end(`${HEAD}Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}`)
    expect(read(await all)).toEqual({ status: 417, code: 'expectation_failed' })
  })

  it('a request without a Host', async () => {
    const { socket, all } = await open()
    socket.end('GET /v1/models HTTP/1.1\r\n\r\n')
    expect(read(await all)).toEqual({ status: 400, code: 'malformed_request' })
  })

  it('two lengths, or a length beside chunks: nothing is smuggled', async () => {
    for (const lines of [
      'Content-Length: 1\r\nContent-Length: 2',
      'Content-Length: 1\r\nTransfer-Encoding: chunked',
    ]) {
      const { socket, all } = await open()
      socket.write(`${HEAD}${lines}\r\n\r\n`)
      expect(read(await all).status).toBe(400)
    }
  })

  it.each([
    ['a head that does not end', 'GET /healthz HTTP/1.1\r\nHost: loc'],
    ['a body that does not come', `${HEAD}Content-Length: 10\r\n\r\n`],
    ['a body that comes too slowly', `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`],
  ])('%s', async (_, bytes) => {
    const { socket, all, logged } = await open(SLOW)
    socket.write(bytes)
    expect(read(await all)).toEqual({ status: 408, code: 'request_timeout' })
    expect(logged).toEqual([])
  })
})

describe('a client in mid-answer', () => {
  const body = JSON.stringify({
    model: 'chrysalis/tiny',
    stream: true,
    messages: [{ role: 'user', content: 'Hi' }],
  })
  const request = `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`

  async function streaming() {
    const aborted = Promise.withResolvers<void>()
    const opened = await open({}, async (asked: DispatchRequest) => {
      asked.signal.addEventListener('abort', () => aborted.resolve())
      async function* one() {
        yield chunk({ content: 'first' })
        await aborted.promise
      }
      return { ...scripted(asked, []), events: one() }
    })
    const first = once(opened.socket, 'data')
    opened.socket.write(request)
    await first
    return { ...opened, aborted: aborted.promise }
  }

  it('that closes its half is gone: the worker is told', async () => {
    const { socket, aborted } = await streaming()
    socket.end()
    await aborted
  })

  it('that sends bytes which are no HTTP finds no envelope within the answer', async () => {
    const { socket, all, aborted } = await streaming()
    socket.write('\x16\x03\x01 garbage\r\n\r\n')
    await aborted
    expect(await all).not.toContain('malformed_request')
  })
})
