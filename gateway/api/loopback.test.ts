import { once } from 'node:events'
import { request } from 'node:http'
import { expect, it } from 'vitest'
import { serveFace } from './testing/face.ts'

async function ask(url: string, headers: Record<string, string>): Promise<{ status: number; code?: string }> {
  const asked = request(`${url}/healthz`, { headers }).end()
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const part of response) text += part
  const code = (JSON.parse(text) as { error?: { code: string } }).error?.code
  return { status: response.statusCode, ...(code !== undefined && { code }) }
}

const dispatch = () => Promise.reject(new Error('not asked'))
const foreignHosts = ['example.org', 'localhost.example.org:8787', '127.0.0.1.example.org', '10.0.0.1:8787']
const foreignOrigins = ['https://example.org', 'http://localhost.example.org', 'null']

it('a gateway on loopback is nothing for foreign hosts and pages', async () => {
  const face = await serveFace(dispatch, { loopback: true })
  for (const host of foreignHosts)
    expect(await ask(face.url, { host })).toEqual({ status: 403, code: 'forbidden_host' })
  for (const origin of foreignOrigins)
    expect(await ask(face.url, { origin })).toEqual({ status: 403, code: 'forbidden_origin' })
  await face.close()
})

it('serves programs and pages of this machine', async () => {
  const face = await serveFace(dispatch, { loopback: true })
  for (const host of ['localhost:8787', 'LOCALHOST', '127.0.0.1', '127.1.2.3:80', '[::1]:8787'])
    expect((await ask(face.url, { host })).status).toBe(200)
  expect((await ask(face.url, { origin: 'http://localhost:3000' })).status).toBe(200)
  expect((await ask(face.url, {})).status).toBe(200)
  await face.close()
})

it('does not ask where the gateway serves others too', async () => {
  const face = await serveFace(dispatch)
  expect((await ask(face.url, { host: 'gateway.example.org', origin: 'https://example.org' })).status).toBe(
    200,
  )
  await face.close()
})
