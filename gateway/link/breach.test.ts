import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import { CHUNK, CLOSE, type CloseName, encodeChunk, LINK_SUBPROTOCOL } from '../../worker/protocol/link.ts'
import type { Lease, PoolListener } from './index.ts'
import { type FakeWorker, MODEL, PRICES } from './testing/fake-worker.ts'
import { TestGateway } from './testing/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await TestGateway.open()
})
afterEach(() => gateway.close())

function leaseNow(): Lease {
  const picked = gateway.pool.pick(MODEL.id)
  if (picked.kind !== 'lease') throw new Error('no slot')
  return picked.lease
}

const chunk = (stream: number, bytes = 10) => encodeChunk(CHUNK.response, stream, new Uint8Array(bytes))
const receipt = { payload: 'AAAA', signature: Buffer.alloc(64).toString('base64url') }

/** A worker acts; it must be cut off under this name, its streams lost under it, and the pool goes on. */
const breaches: Record<string, { by: CloseName; act: (worker: FakeWorker, stream: number) => void }> = {
  'text that is not JSON': { by: 'malformed_message', act: (worker) => worker.say('{') },
  'JSON of no schema': { by: 'malformed_message', act: (worker) => worker.say('{"type":"heartbeat"}') },
  'a field too many': {
    by: 'malformed_message',
    act: (worker) => worker.say('{"type":"heartbeat","active":0,"queued":0,"x":1}'),
  },
  'a message of the gateway': { by: 'malformed_message', act: (worker) => worker.say('{"type":"drain"}') },
  'an empty binary message': { by: 'malformed_message', act: (worker) => worker.sendRaw(new Uint8Array()) },
  'a binary message of no kind': {
    by: 'malformed_message',
    act: (worker) => worker.sendRaw(new Uint8Array(9)),
  },
  'a request chunk': {
    by: 'unexpected_message',
    act: (worker, stream) => worker.sendRaw(encodeChunk(CHUNK.request, stream, new Uint8Array(1))),
  },
  'a chunk for a stream that never was': {
    by: 'unexpected_message',
    act: (worker) => worker.sendRaw(chunk(999)),
  },
  'an end for a stream that never was': {
    by: 'unexpected_message',
    act: (worker) => worker.say({ type: 'end', stream: 999 }),
  },
  'a chunk after the end': {
    by: 'unexpected_message',
    act: (worker, stream) => {
      worker.say({ type: 'end', stream })
      worker.sendRaw(chunk(stream))
    },
  },
  'a receipt for a stream that never was': {
    by: 'unexpected_message',
    act: (worker) =>
      worker.say({ type: 'receipt', requestId: 'some-request', stream: 999, receipt, final: true }),
  },
  'held receipts a second time': {
    by: 'unexpected_message',
    act: (worker) => worker.say({ type: 'held', receipts: [], done: true }),
  },
  'evidence that nobody asked for': {
    by: 'unexpected_message',
    act: (worker) =>
      worker.say({ type: 'evidence', evidence: {}, signature: Buffer.alloc(64).toString('base64') }),
  },
  'a chunk too large': {
    by: 'limit_exceeded',
    act: (worker, stream) => {
      const bytes = new Uint8Array(300 * 1024)
      bytes.set([CHUNK.response, 0, 0, 0, stream])
      worker.sendRaw(bytes)
    },
  },
  'a message too large': {
    by: 'limit_exceeded',
    act: (worker) => worker.sendRaw(new Uint8Array(1024 * 1024 + 1)),
  },
  'more chunks than it has credit for': {
    by: 'limit_exceeded',
    act: (worker, stream) => {
      for (let i = 0; i < 65; i++) worker.sendRaw(chunk(stream))
    },
  },
  'attest-requests in a flood': {
    by: 'limit_exceeded',
    act: (worker) => {
      worker.say({ type: 'attest-request' })
      worker.say({ type: 'attest-request' })
    },
  },
}

describe('a worker is cut off for', () => {
  for (const [name, { by, act }] of Object.entries(breaches)) {
    it(name, async () => {
      const worker = await gateway.join({ serve: async () => {} })
      const stream = leaseNow().open()
      act(worker, stream.id)
      await worker.closed
      let item = await stream.next()
      while (item.type === 'chunk') item = await stream.next()
      if (name !== 'a chunk after the end') expect(item).toEqual({ type: 'lost', code: by })
      const [closed] = gateway.logged('link closed')
      expect(closed).toMatchObject({ code: by })
      expect(gateway.pool.pick(MODEL.id)).toEqual({ kind: 'none' })
      await gateway.join()
      expect(gateway.pool.pick(MODEL.id).kind).toBe('lease')
    })
  }

  it('any garbage, without harm to anybody else', async () => {
    const honest = await gateway.join()
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 64 }).map((bytes) => ({ bytes, text: undefined })),
      fc.json({ maxDepth: 3 }).map((text) => ({ bytes: undefined, text })),
    )
    const property = fc.asyncProperty(garbage, async ({ bytes, text }) => {
      const ws = new WebSocket(`ws://127.0.0.1:${gateway.port}/link`, [LINK_SUBPROTOCOL])
      await once(ws, 'open')
      if (bytes) ws.send(bytes, { binary: true })
      else ws.send(text ?? '')
      await once(ws, 'close')
      expect(gateway.pool.workers().map(({ bootId }) => bootId)).toEqual([honest.boot.bootId])
    })
    await fc.assert(property, { numRuns: 40 })
  })
})

describe('the door', () => {
  async function knock(
    path: string,
    protocols: string[],
    headers: Record<string, string> = {},
  ): Promise<string> {
    const ws = new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, protocols, { headers })
    const [error] = (await once(ws, 'error')) as [Error]
    return error.message
  }

  it('survives a reset right after it turned somebody away', async () => {
    const uncaught: unknown[] = []
    const onUncaught = (error: unknown) => void uncaught.push(error)
    process.on('uncaughtException', onUncaught)
    const head = 'GET /link HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n'
    for (let i = 0; i < 100; i++) {
      const socket = connect(gateway.port, '127.0.0.1')
      await once(socket, 'connect')
      socket.write(`${head}origin: https://example.org\r\n\r\n`)
      if (i % 2) await new Promise(setImmediate)
      socket.resetAndDestroy()
      await once(socket, 'close')
    }
    await gateway.join()
    process.off('uncaughtException', onUncaught)
    expect(uncaught).toEqual([])
  })

  it('is shut for web pages and other protocols', async () => {
    expect(await knock('/link', [LINK_SUBPROTOCOL], { origin: 'https://example.org' })).toContain('403')
    expect(await knock('/link', ['other'])).toContain('400')
  })

  it('keeps no worker out because of a crowd that only stands there', async () => {
    const crowd: WebSocket[] = []
    for (let i = 0; i < 33; i++) {
      const ws = new WebSocket(`ws://127.0.0.1:${gateway.port}/link`, [LINK_SUBPROTOCOL])
      await once(ws, 'message')
      crowd.push(ws)
    }
    await gateway.join()
    await gateway.until(() => crowd[1]?.readyState === WebSocket.CLOSED)
    expect(crowd.map((ws) => ws.readyState === WebSocket.OPEN)).toEqual(crowd.map((_, i) => i > 1))
    for (const ws of crowd) ws.terminate()
  })

  it('is shut for a crowd that is being judged', async () => {
    const busy = await TestGateway.open({
      limits: { maxPending: 2 },
      paymentFor: () => {
        asked += 1
        return new Promise(() => {})
      },
    })
    let asked = 0
    for (const _ of [1, 2]) await busy.dial()
    await busy.until(() => asked === 2)
    const ws = new WebSocket(`ws://127.0.0.1:${busy.port}/link`, [LINK_SUBPROTOCOL])
    expect(String(await once(ws, 'error'))).toContain('503')
    await busy.close()
  })

  it('closes on whoever does not join in time', async () => {
    const ws = new WebSocket(`ws://127.0.0.1:${gateway.port}/link`, [LINK_SUBPROTOCOL])
    await once(ws, 'message')
    gateway.clock.advance(10_000)
    const [code] = await once(ws, 'close')
    expect([CLOSE.heartbeat_lost, 1006]).toContain(code)
    expect(gateway.logged('link closed')[0]).toMatchObject({ code: 'heartbeat_lost' })
  })
})

describe('a model id that workers claim for different things', () => {
  it('is picked by digest and context', async () => {
    const other = 'cd'.repeat(32)
    const policy = { ...simulatedWithoutLog(gateway.tee.rootSha256), roles: ['worker' as const] }
    const open = await TestGateway.open(
      {
        policy,
        quotesFor: ({ models }) =>
          models.map(({ id, sha256 }) => ({
            v: 1,
            model: { id, sha256 },
            client: PRICES,
            worker: PRICES,
            step: '1',
          })),
      },
      { tee: gateway.tee, clock: gateway.clock },
    )
    const claim = async (sha256: string, contextLength: number) => {
      const extra = {
        quantization: 'q8_0',
        tokenizerSha256: 'cd'.repeat(32),
        templateSha256: 'ef'.repeat(32),
      }
      return open.join({ slots: 1, claims: { models: [{ id: MODEL.id, sha256, contextLength, ...extra }] } })
    }
    await claim(other, 512)
    await claim(MODEL.sha256, 64)
    const options = { sha256: MODEL.sha256, contextLength: 512 }
    expect(open.pool.pick(MODEL.id, options)).toEqual({ kind: 'none' })
    const right = await claim(MODEL.sha256, 512)
    const picked = open.pool.pick(MODEL.id, options)
    expect(picked.kind === 'lease' && picked.lease.worker.bootId).toBe(right.boot.bootId)
    expect(open.pool.pick(MODEL.id, options)).toEqual({ kind: 'busy' })
    await open.close()
  })
})

describe('liveness', () => {
  it('drops a worker after 2.5 silent intervals, and its streams are lost', async () => {
    await gateway.join({ serve: async () => {} })
    const stream = leaseNow().open()
    gateway.clock.advance(37_500)
    expect(gateway.pool.workers()).toHaveLength(1)
    gateway.clock.advance(7_500)
    expect(await stream.next()).toEqual({ type: 'lost', code: 'heartbeat_lost' })
    expect(gateway.pool.workers()).toEqual([])
  })

  it('keeps a worker that only answers pings', async () => {
    const worker = await gateway.join()
    for (let beat = 0; beat < 6; beat++) {
      const ping = once(worker.ws, 'ping')
      gateway.clock.advance(15_000)
      await ping
      // The pong is on its way before this; so is heard before it.
      worker.say({ type: 'heartbeat', active: 0, queued: beat + 1 })
      await gateway.until(() => gateway.pool.workers()[0]?.queued === beat + 1)
    }
    expect(gateway.pool.workers()).toHaveLength(1)
  })
})

describe('slots and streams', () => {
  it('go to the least loaded worker, and not beyond what each offers', async () => {
    const [a, b] = [
      await gateway.join({ slots: 2, serve: async () => {} }),
      await gateway.join({ slots: 2, serve: async () => {} }),
    ]
    const leases = Array.from({ length: 4 }, leaseNow)
    const boots = leases.map(({ worker }) => worker.bootId)
    expect(boots.slice(0, 2).sort()).toEqual([a.boot.bootId, b.boot.bootId].sort())
    expect(gateway.pool.pick(MODEL.id)).toEqual({ kind: 'busy' })
    leases[0]?.release()
    leases[0]?.release()
    expect(leaseNow().worker.bootId).toBe(boots[0])
    const exclude = new Set(boots)
    expect(gateway.pool.pick(MODEL.id, { exclude })).toEqual({ kind: 'none' })
    expect(gateway.pool.pick(MODEL.id, { accepts: () => false })).toEqual({ kind: 'none' })
  })

  it('a worker that drains gets nothing new', async () => {
    const worker = await gateway.join()
    worker.say({ type: 'draining' })
    await gateway.until(() => gateway.pool.workers()[0]?.state === 'draining')
    expect(gateway.pool.pick(MODEL.id)).toEqual({ kind: 'none' })
  })

  it('close tells the workers, waits for what runs, and then hangs up', async () => {
    const worker = await gateway.join({ serve: async () => {} })
    const stream = leaseNow().open()
    const closing = gateway.pool.close(60_000)
    await worker.hear('drain')
    worker.say({ type: 'end', stream: stream.id })
    await closing
    expect((await worker.closed).code).toBe(CLOSE.going_away)
  })

  it('a request is sent whole, in chunks', async () => {
    const worker = await gateway.join({ serve: async () => {} })
    const stream = leaseNow().open()
    const seen: number[] = []
    const all = Promise.withResolvers<void>()
    worker.ws.on('message', (data: Buffer, binary) => {
      if (!binary) return
      seen.push(data[0] ?? 0, data.length - 5)
      if (data[0] === CHUNK.lastRequest) all.resolve()
    })
    await stream.send(new Uint8Array(randomBytes(700)), 300)
    await all.promise
    expect(seen).toEqual([1, 300, 1, 300, 2, 100])
  })

  it('many large requests at once do not count as a worker that reads nothing', async () => {
    await gateway.close()
    gateway = await TestGateway.open({ limits: { maxBufferedBytes: 600 * 1024 } })
    const worker = await gateway.join({ slots: 64, serve: async () => {} })
    const streams = Array.from({ length: 64 }, () => leaseNow().open())
    const whole = new Uint8Array(256 * 1024)
    let lasts = 0
    const all = Promise.withResolvers<void>()
    worker.ws.on('message', (data: Buffer, binary) => {
      if (binary && data[0] === CHUNK.lastRequest) lasts += 1
      if (lasts === 64) all.resolve()
    })
    const sent = Promise.all(streams.map((stream) => stream.send(whole, 256 * 1024)))
    // The next beat looks at what waits in the socket.
    gateway.clock.advance(15_000)
    await sent
    await all.promise
    expect(gateway.pool.workers()).toHaveLength(1)
  })

  it('late final receipts reach the listener once', async () => {
    const late: string[] = []
    const listener: PoolListener = {
      onCapacity: () => {},
      onHeld: async () => {},
      onLateReceipt: (_worker, { requestId }) => late.push(requestId),
    }
    gateway.pool.listen(listener)
    const worker = await gateway.join({ serve: async () => {} })
    const stream = leaseNow().open()
    // Its second chunk never goes out.
    void stream.send(new Uint8Array(10), 5)
    stream.release('abandoned')
    await worker.hear('cancel')
    const message = { type: 'receipt' as const, requestId: 'late-request', stream: stream.id, receipt }
    worker.say({ ...message, final: false })
    worker.say({ ...message, final: true })
    worker.say({ ...message, final: true })
    worker.say({ type: 'end', stream: stream.id })
    await gateway.until(() => gateway.pool.workers()[0]?.active === 0)
    expect(late).toEqual(['late-request'])
  })
})
