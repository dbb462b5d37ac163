import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import { setupSender } from '../epoch/kem.ts'
import { FRAME } from './constants.ts'
import { SESSION_MS, SESSION_REQUESTS, SenderSessions } from './sessions.ts'
import { fixture } from './testing.ts'

/** Where `enc` lies in a request: behind the length and the context. */
function encOf(request: Uint8Array): string {
  const length = new DataView(request.buffer, request.byteOffset).getUint32(0)
  return toHex(request.subarray(4 + length, 4 + length + 1120))
}

async function withSessions() {
  const f = await fixture()
  const timers: { run: () => void; at: number }[] = []
  let made = 0
  const sessions = new SenderSessions({
    monotonic: f.clock.monotonic,
    timer: (run, ms) => {
      timers.push({ run, at: f.clock.steady + ms })
      return () => {}
    },
    setup: (publicKey, info) => {
      made += 1
      return setupSender(publicKey, info)
    },
  })
  const seal = (body: string) => f.seal(utf8(body), {}, { setupSender: sessions.setup })
  return { ...f, seal, sessions, timers, made: () => made }
}

describe('a sender session', () => {
  it('encapsulates once for many requests, each of which has keys of its own', async () => {
    const f = await withSessions()
    const sealed = await Promise.all(['one', 'two', 'three'].map((body) => f.seal(body)))
    expect(f.made()).toBe(1)
    expect(new Set(sealed.map(({ request }) => encOf(request))).size).toBe(1)
    // The commitment names the key: no two are alike.
    const keys = sealed.map(({ request }) => {
      const length = new DataView(request.buffer).getUint32(0)
      return toHex(request.subarray(4 + length + 1120 + 64, 4 + length + 1120 + 96))
    })
    expect(new Set(keys).size).toBe(3)
    for (const [i, { request, open }] of sealed.entries()) {
      const opened = await f.open(request)
      expect(Buffer.from(opened.body).toString()).toBe(['one', 'two', 'three'][i])
      const answer = opened.respond()
      open.push(answer.start())
      const [frame] = open.push(answer.frame(FRAME.event, utf8('{}')))
      expect(frame?.content).toEqual(utf8('{}'))
    }
  })

  it('gives no request the answer of another one of the same session', async () => {
    const f = await withSessions()
    const [first, second] = [await f.seal('one'), await f.seal('two')]
    const opened = await f.open(first.request)
    expect(() => second.open.push(opened.respond().start())).toThrow('belongs to another seal')
  })

  it('takes no frames of another request of the same session', async () => {
    const f = await withSessions()
    const [first, second] = [await f.seal('one'), await f.seal('two')]
    const mixed = second.request.slice()
    mixed.set(first.request.subarray(-1024), mixed.length - 1024)
    await expect(f.open(mixed)).rejects.toMatchObject({ code: 'ERR_FRAME' })
    expect(Buffer.from((await f.open(second.request)).body).toString()).toBe('two')
  })

  it('refuses the repeat of a request as without sessions', async () => {
    const f = await withSessions()
    const { request } = await f.seal('one')
    await f.open(request)
    await expect(f.open(request)).rejects.toMatchObject({ code: 'ERR_REPLAY' })
  })

  it('ends after a minute, and is gone then without any further request', async () => {
    const f = await withSessions()
    await f.seal('one')
    f.clock.advance(SESSION_MS - 1)
    await f.seal('two')
    expect(f.made()).toBe(1)
    f.clock.advance(1)
    await f.seal('three')
    expect(f.made()).toBe(2)
    // The timer of the first session leaves the second alone.
    f.timers[0]?.run()
    await f.seal('four')
    expect(f.made()).toBe(2)
    f.timers[1]?.run()
    await f.seal('five')
    expect(f.made()).toBe(3)
  })

  it('ends after 4,096 requests', async () => {
    const f = await withSessions()
    const key = f.epochs.current().publicKey
    for (let i = 0; i < SESSION_REQUESTS; i++) await f.sessions.setup(key, utf8('info'))
    expect(f.made()).toBe(1)
    await f.sessions.setup(key, utf8('info'))
    expect(f.made()).toBe(2)
  })

  it('is one for each epoch and its claims', async () => {
    const f = await withSessions()
    const key = f.epochs.current().publicKey
    const [a, b] = [await f.sessions.setup(key, utf8('a')), await f.sessions.setup(key, utf8('b'))]
    expect(toHex(a.enc)).not.toBe(toHex(b.enc))
  })

  it('is begun anew after an encapsulation that failed', async () => {
    let failing = true
    const sessions = new SenderSessions({
      setup: async (publicKey, info) => {
        if (failing) throw new Error('no entropy')
        return await setupSender(publicKey, info)
      },
    })
    const { epochs } = await fixture()
    const key = epochs.current().publicKey
    await expect(sessions.setup(key, utf8('a'))).rejects.toThrow('no entropy')
    failing = false
    await expect(sessions.setup(key, utf8('a'))).resolves.toHaveProperty('enc')
  })
})
