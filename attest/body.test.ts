import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BodyTooLong, readBody } from './body.ts'
import { utf8 } from './bytes.ts'
import { fetchServiceKeys } from './gpu/eat-keys.ts'
import { httpOcspClient } from './gpu/ocsp.ts'
import { httpRimService } from './gpu/rim-service.ts'

/** A body without end, in pieces of 64 KiB, that counts what was taken of it. */
function endless(status = 200, headers: Record<string, string> = {}) {
  const seen = { taken: 0, cancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        seen.taken += 65_536
        controller.enqueue(new Uint8Array(65_536).fill(0x20))
      },
      cancel() {
        seen.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { seen, response: new Response(stream, { status, headers }) }
}

describe('the body of an answer', () => {
  it('is read whole up to the very limit, and also when there is none', async () => {
    expect(await readBody(new Response('12345'), 5)).toEqual(utf8('12345'))
    expect(await readBody(new Response(null), 0)).toEqual(new Uint8Array())
    await expect(readBody(new Response('123456'), 5)).rejects.toThrow(BodyTooLong)
  })

  it('is not read at all when its length says that it is too long', async () => {
    const { seen, response } = endless(200, { 'content-length': '6' })
    await expect(readBody(response, 5)).rejects.toThrow('longer than 5 bytes')
    expect(seen).toEqual({ taken: 0, cancelled: true })
  })

  it.each([
    ['keys', (response: Response) => fetchServiceKeys(async () => response), 'longer than 524288 bytes', 9],
    [
      'an OCSP answer',
      (response: Response) => httpOcspClient(async () => response).ask(new Uint8Array()),
      'longer than 32768 bytes',
      1,
    ],
    [
      'a manifest',
      (response: Response) => httpRimService(async () => response).rim('NV_GPU_DRIVER_GH100_580.65.06'),
      'longer than',
      17,
    ],
  ])('without end is given up at the first byte too many: %s', async (_name, ask, problem, pieces) => {
    const { seen, response } = endless()
    await expect(ask(response)).rejects.toThrow(problem)
    expect(seen.cancelled).toBe(true)
    expect(seen.taken / 65_536).toBeLessThanOrEqual(pieces)
    const refused = endless(503)
    await expect(ask(refused.response)).rejects.toThrow('503')
    expect(refused.seen).toEqual({ taken: 0, cancelled: true })
  })

  it('that stops coming ends with the deadline of the request', async () => {
    const server = createServer((_, response) => void response.write('[')).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const late = new AbortController()
    const response = await fetch(`http://127.0.0.1:${port}`, { signal: late.signal })
    const body = readBody(response, 5)
    late.abort()
    await expect(body).rejects.toThrow('abort')
    server.closeAllConnections()
    server.close()
  })
})
