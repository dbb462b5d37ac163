/**
 * The least that a proxy built of our parts can be: Hono on node-server, undici's pool, bytes passed through. Takes the
 * upstream's URL, prints its own.
 */

import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'

/** The part of undici that is used here; it is installed beside Portkey, not with Chrysalis. */
interface Undici {
  Pool: new (
    origin: string,
    options: { connections: number },
  ) => {
    request(options: { path: string; method: string; headers: object; body: Uint8Array }): Promise<{
      statusCode: number
      headers: Record<string, string | string[] | undefined>
      body: Readable
    }>
  }
}

const { Pool } = createRequire(new URL('../portkey/package.json', import.meta.url))('undici') as Undici
const pool = new Pool(process.argv[2] ?? '', { connections: 256 })

const app = new Hono()
app.post('/v1/*', async (c) => {
  const body = new Uint8Array(await c.req.arrayBuffer())
  const headers = { 'content-type': 'application/json' }
  const answer = await pool.request({ path: c.req.path, method: 'POST', headers, body })
  const type = String(answer.headers['content-type'])
  return c.body(Readable.toWeb(answer.body) as ReadableStream<Uint8Array>, answer.statusCode as 200, {
    'content-type': type,
  })
})

const server = createAdaptorServer({ fetch: app.fetch })
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ event: 'ready', url: `http://127.0.0.1:${port}` })}\n`)
})
