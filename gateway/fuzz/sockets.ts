/** Bad bytes, halves of requests, slow and half-closed connections, to the real server. */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { utf8 } from '../../attest/bytes.ts'
import { generator, mutate, type Random } from '../../attest/fuzz/mutate.ts'
import { RateLimiter } from '../api/limits.ts'
import { serveFace, TEST_SECRET } from '../api/testing/face.ts'
import { ROUTES } from './routes.ts'
import { answer } from './stands.ts'

export interface SocketsOptions {
  connections: number
  seed: number
  onProgress?: (opened: number) => void
}

export interface SocketsResult {
  opened: number
  /** First answers by their status; 0 where the connection was closed without one. */
  statuses: Map<number, number>
  crashes: string[]
}

/** Connections at once. */
const SIDE_BY_SIDE = 64
/** Of a head or a request, so that those who never finish it are soon done with. */
const PATIENCE = { headersMs: 100, requestMs: 100, checkMs: 20 }

/** Opens connections until so many were open, and then asks whether the server is as it was. */
export async function fuzzSockets({ connections, seed, onProgress }: SocketsOptions): Promise<SocketsResult> {
  const limiter = new RateLimiter({ requests: 1e12 }, Date.now)
  const face = await serveFace(async (request) => answer(request), { limiter }, PATIENCE)
  const port = Number(new URL(face.url).port)
  const random = generator(seed)
  const result: SocketsResult = { opened: 0, statuses: new Map(), crashes: [] }
  const seeds = ROUTES.flatMap(({ path, good }) =>
    good.map((json) => requestBytes(path, JSON.stringify(json))),
  )
  const one = async () => {
    while (result.opened < connections && result.crashes.length < 10) {
      result.opened += 1
      const bytes = mutate(seeds, random)
      const text = await misbehave(port, bytes, random)
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0)
      result.statuses.set(status, (result.statuses.get(status) ?? 0) + 1)
      if (status >= 500) result.crashes.push(`status ${status}: ${Buffer.from(bytes).toString('base64')}`)
      onProgress?.(result.opened)
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, one))
  if (!(await serves(face.url))) result.crashes.push('the server no longer serves')
  if (face.logged.length > 0) result.crashes.push(`logged: ${JSON.stringify(face.logged[0])}`)
  face.server.closeIdleConnections()
  const left = await new Promise<number>((resolve, reject) =>
    face.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
  if (left > 1) result.crashes.push(`${left} connections leaked`)
  await face.close()
  return result
}

/** With the patience that it has here, a busy machine may cost a request or two. */
async function serves(url: string): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) if ((await fetch(`${url}/healthz`)).ok) return true
  return false
}

const requestBytes = (path: string, body: string) =>
  utf8(
    `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TEST_SECRET}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )

/** Sends bytes in one of several bad manners; returns what came back until the connection was closed. */
async function misbehave(port: number, bytes: Uint8Array, random: Random): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  let text = ''
  socket.on('data', (part) => {
    text += part.toString('latin1')
  })
  socket.on('end', () => socket.end())
  await Promise.race([once(socket, 'connect'), closed])
  await MANNERS[random(MANNERS.length)]?.(socket, bytes, random)
  await closed
  return text
}

type Manner = (socket: Socket, bytes: Uint8Array, random: Random) => Promise<void> | void

const MANNERS: readonly Manner[] = [
  // All at once, then its half is closed.
  (socket, bytes) => void socket.end(bytes),
  // All at once, then it is gone.
  (socket, bytes) => void socket.write(bytes, () => socket.destroy()),
  // All at once and then nothing, until the server has had enough; a whole request is followed by the end.
  (socket, bytes) => {
    socket.write(bytes)
    socket.once('data', () => socket.end())
  },
  // Piece by piece, then gone in the middle.
  async (socket, bytes, random) => {
    const size = 1 + random(64)
    for (let at = 0; at < bytes.length && !socket.destroyed; at += size) {
      socket.write(bytes.subarray(at, at + size))
      await new Promise(setImmediate)
    }
    if (random(2) === 0) socket.resetAndDestroy()
    else socket.end()
  },
]
