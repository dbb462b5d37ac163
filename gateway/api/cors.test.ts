import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { corsOrigins } from '../config.ts'
import { serveFace, TEST_SECRET } from './testing/face.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function face(corsOrigins: string[], loopback = false) {
  const served = await serveFace(() => Promise.reject(new Error('not asked')), { corsOrigins, loopback })
  closers.push(served.close)
  return async (method: string, path: string, headers: Record<string, string>) => {
    const [response] = (await once(request(served.url + path, { method, headers }).end(), 'response')) as [
      IncomingMessage,
    ]
    response.resume()
    return { status: response.statusCode, headers: response.headers }
  }
}

const PAGE = 'https://page.example'
const PREFLIGHT = {
  origin: PAGE,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization,content-type,x-stainless-os,x-stainless-retry-count',
}

describe('a web page', () => {
  it('of any origin may send what the SDK sends, where all may call', async () => {
    const ask = await face(['*'])
    const { status, headers } = await ask('OPTIONS', '/v1/chat/completions', PREFLIGHT)
    expect(status).toBe(204)
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'authorization, content-type, x-stainless-os, x-stainless-retry-count',
      'access-control-max-age': '7200',
    })
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  })

  it('sees the headers of answers and of errors', async () => {
    const ask = await face(['*'])
    for (const authorization of [`Bearer ${TEST_SECRET}`, 'Bearer wrong']) {
      const { headers } = await ask('GET', '/v1/models', { origin: PAGE, authorization })
      expect(headers).toMatchObject({
        'access-control-allow-origin': '*',
        'access-control-expose-headers': '*',
      })
    }
  })

  it('of another origin than the named ones gets no leave, and caches keep the two apart', async () => {
    const ask = await face([PAGE])
    const other = { ...PREFLIGHT, origin: 'https://other.example' }
    const refused = await ask('OPTIONS', '/v1/chat/completions', other)
    expect(refused.headers['access-control-allow-origin']).toBeUndefined()
    expect(refused.headers.vary).toContain('Origin')
    const { headers } = await ask('OPTIONS', '/v1/chat/completions', PREFLIGHT)
    expect(headers['access-control-allow-origin']).toBe(PAGE)
    expect(headers.vary).toContain('Origin')
  })

  it('is nothing to a gateway on loopback unless it is named', async () => {
    const closed = await face([], true)
    expect((await closed('OPTIONS', '/v1/chat/completions', PREFLIGHT)).status).toBe(403)
    const ask = await face([PAGE], true)
    const private_ = { ...PREFLIGHT, 'access-control-request-private-network': 'true' }
    const { status, headers } = await ask('OPTIONS', '/v1/chat/completions', private_)
    expect([status, headers['access-control-allow-private-network']]).toEqual([204, 'true'])
    const foreign = { ...PREFLIGHT, origin: 'https://other.example' }
    expect((await ask('OPTIONS', '/v1/chat/completions', foreign)).status).toBe(403)
  })

  it('cannot put into the answer what is no name of a header', async () => {
    const ask = await face(['*'])
    const odd = { ...PREFLIGHT, 'access-control-request-headers': `x-ok, "a b", ${'x'.repeat(100)}` }
    const { headers } = await ask('OPTIONS', '/v1/models', odd)
    expect(headers['access-control-allow-headers']).toBe('x-ok')
  })
})

it('asks no page to be named where the network reaches it, and every page where only this machine does', () => {
  expect(corsOrigins({ host: '0.0.0.0', corsOrigin: undefined })).toEqual(['*'])
  expect(corsOrigins({ host: '127.0.0.1', corsOrigin: undefined })).toEqual([])
  expect(corsOrigins({ host: '0.0.0.0', corsOrigin: 'none' })).toEqual([])
  expect(corsOrigins({ host: '127.0.0.1', corsOrigin: `${PAGE},http://localhost:3000` })).toEqual([
    PAGE,
    'http://localhost:3000',
  ])
  expect(() => corsOrigins({ host: '::1', corsOrigin: '*' })).toThrow(/corsOrigin/)
})
