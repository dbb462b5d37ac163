import { describe, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { FRAME, type ResponseFrame } from '../../attest/seal/index.ts'
import type { Lease, PickOptions, PickResult } from '../link/index.ts'
import { ManualClock } from '../link/testing/manual-clock.ts'
import { ContentCheck } from './content.ts'
import { parseFinal } from './final.ts'
import { Handoff } from './handoff.ts'
import { SlotQueue, type SlotRequest } from './queue.ts'
import { parseWorkerRef } from './settle.ts'
import { DEFAULT_DISPATCH_LIMITS } from './types.ts'

describe('ContentCheck', () => {
  const bounds = { stream: true, maxPromptTokens: 1, maxOutputTokens: 1, bodyBytes: 0 }
  const frame = (type: number, text: string) => ({ type, content: utf8(text), final: false }) as ResponseFrame

  it('puts an event together that is longer than a frame', () => {
    const check = new ContentCheck(bounds)
    expect(check.take(frame(FRAME.body, '{"a":'))).toBeUndefined()
    expect(check.take(frame(FRAME.body, '"b'))).toBeUndefined()
    expect(check.take(frame(FRAME.event, '"}'))).toEqual({ type: 'event', json: utf8('{"a":"b"}') })
    expect(check.take(frame(FRAME.event, '{}'))).toEqual({ type: 'event', json: utf8('{}') })
    expect(() => check.end()).not.toThrow()
  })

  it('refuses an event that is never ended, and one whose pieces are no JSON object together', () => {
    const check = new ContentCheck(bounds)
    check.take(frame(FRAME.body, '{}'))
    expect(() => check.end()).toThrow('without its end')
    expect(() => check.take(frame(FRAME.event, '{}'))).toThrow('not a JSON object')
  })

  it('allows what a request asks for besides text', () => {
    const long = '{"vector":"'.padEnd(200_000, 'x')
    const body = { ...bounds, stream: false }
    expect(() => new ContentCheck(body).take(frame(FRAME.body, long))).toThrow('more content')
    expect(new ContentCheck({ ...body, extraBytes: 200_000 }).take(frame(FRAME.body, long))).toBeDefined()
  })
})

describe('Handoff', () => {
  it('holds the producer until the consumer took the value', async () => {
    const handoff = new Handoff<number>(() => {})
    let taken = 0
    const first = handoff.put(1).then((wanted) => {
      taken += 1
      return wanted
    })
    await Promise.resolve()
    expect(taken).toBe(0)
    const iterator = handoff[Symbol.asyncIterator]()
    expect(await iterator.next()).toEqual({ value: 1, done: false })
    expect(await first).toBe(true)
  })

  it('answers a pull that waits, and ends after what lies in it', async () => {
    const handoff = new Handoff<number>(() => {})
    const iterator = handoff[Symbol.asyncIterator]()
    const pull = iterator.next()
    expect(await handoff.put(1)).toBe(true)
    expect(await pull).toEqual({ value: 1, done: false })
    void handoff.put(2)
    handoff.fail(new Error('over'))
    expect(await iterator.next()).toEqual({ value: 2, done: false })
    await expect(iterator.next()).rejects.toThrow('over')
    expect(await handoff.put(3)).toBe(false)
  })

  it('tells once that the consumer left, and takes nothing any more', async () => {
    let left = 0
    const handoff = new Handoff<number>(() => {
      left += 1
    })
    const put = handoff.put(1)
    const iterator = handoff[Symbol.asyncIterator]()
    await iterator.return?.()
    expect(left).toBe(1)
    expect(await put).toBe(false)
    expect(() => handoff[Symbol.asyncIterator]()).toThrow('once')
  })
})

/** Slots that a test gives out by hand. */
class Slots {
  free = 0
  readonly busy = new Set<string>()
  readonly picks: string[] = []

  quotes(): [] {
    return []
  }

  pick(model: string, _options?: PickOptions): PickResult {
    this.picks.push(model)
    if (model === 'unknown') return { kind: 'none' }
    if (this.free === 0 || this.busy.has(model)) return { kind: 'busy' }
    this.free -= 1
    const release = () => {
      this.free += 1
    }
    return { kind: 'lease', lease: { release } as unknown as Lease }
  }
}

describe('SlotQueue', () => {
  const clock = new ManualClock()
  const open = (limits: Partial<typeof DEFAULT_DISPATCH_LIMITS> = {}) => {
    const slots = new Slots()
    const queue = new SlotQueue(slots, clock, { ...DEFAULT_DISPATCH_LIMITS, ...limits })
    const ask = (changes: Partial<SlotRequest> = {}) =>
      queue.acquire({
        model: 'tiny',
        key: 'key',
        deadline: clock.now() + 1e6,
        signal: new AbortController().signal,
        ...changes,
      })
    return { slots, queue, ask }
  }

  it('serves in order, urgent ones first; a newcomer does not overtake', async () => {
    const { slots, queue, ask } = open()
    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    const all = [ask().then(note('one')), ask().then(note('two')), ask({ urgent: true }).then(note('urgent'))]
    slots.free = 1
    const newcomer = ask().then(note('newcomer'))
    for (let i = 0; i < 4; i++) {
      queue.onCapacity()
      await Promise.resolve()
      slots.free = 1
    }
    await Promise.all([...all, newcomer])
    expect(order).toEqual(['urgent', 'one', 'two', 'newcomer'])
  })

  it('keys take turns, however many requests one of them has', async () => {
    const { slots, queue, ask } = open()
    const order: string[] = []
    const arrive = (key: string, name: string) => ask({ key }).then(() => void order.push(name))
    const all = ['a1', 'a2', 'a3', 'a4'].map((name) => arrive('a', name))
    all.push(arrive('b', 'b1'), arrive('c', 'c1'), arrive('b', 'b2'))
    const serve = async (free: number) => {
      slots.free = free
      queue.onCapacity()
      await new Promise(setImmediate)
    }
    await serve(1)
    await serve(2)
    expect(order).toEqual(['a1', 'b1', 'c1'])
    // Whoever comes back after its turn stands behind those that wait for theirs.
    all.push(arrive('c', 'c2'))
    await serve(1)
    await serve(9)
    await Promise.all(all)
    expect(order).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'c2', 'a3', 'a4'])
    expect(queue.length).toBe(0)
  })

  it('a key whose model is busy keeps its turn while others are served', async () => {
    const { slots, queue, ask } = open()
    const order: string[] = []
    slots.busy.add('large')
    const all = [
      ask({ key: 'a', model: 'large' }).then(() => void order.push('large')),
      ask({ key: 'b' }).then(() => void order.push('b')),
      ask({ key: 'c' }).then(() => void order.push('c')),
    ]
    for (let turn = 0; turn < 3; turn++) {
      slots.free = 1
      queue.onCapacity()
      await new Promise(setImmediate)
      slots.busy.clear()
    }
    await Promise.all(all)
    expect(order).toEqual(['b', 'large', 'c'])
  })

  it('one key cannot fill the queue for the others', async () => {
    const { queue, ask } = open({ maxQueued: 3, maxQueuedPerKey: 2 })
    const waiting = [ask({ key: 'a' }), ask({ key: 'a' })]
    await expect(ask({ key: 'a' })).rejects.toMatchObject({ status: 429, apiCode: 'queue_full' })
    waiting.push(ask({ key: 'b' }))
    await expect(ask({ key: 'b' })).rejects.toMatchObject({ status: 429 })
    expect(queue.length).toBe(3)
    queue.close()
    for (const promise of waiting) await expect(promise).rejects.toMatchObject({ apiCode: 'server_draining' })
  })

  it('a model without a waiter is not held up by another', async () => {
    const { ask } = open()
    void ask({ model: 'large' }).catch(() => {})
    await expect(ask({ model: 'unknown' })).rejects.toMatchObject({ status: 503, apiCode: 'no_worker' })
    await expect(ask({ deadline: clock.now() })).rejects.toMatchObject({ status: 504 })
  })

  it('a wait ends with the deadline of the request, told apart from a full queue', async () => {
    const { ask } = open()
    const waiting = ask({ deadline: clock.now() + 100 })
    clock.advance(100)
    await expect(waiting).rejects.toMatchObject({ status: 504 })
  })
})

describe('parseFinal', () => {
  it('takes nothing that is not the schema, whatever it is', () => {
    for (const text of ['', '{', 'null', '[]', '{"status":200}', `{"status":${'9'.repeat(70_000)}}`]) {
      expect(() => parseFinal(utf8(text))).toThrow(expect.objectContaining({ code: 'ERR_FINAL_MALFORMED' }))
    }
    expect(() => parseFinal(new Uint8Array([0xff, 0xfe]))).toThrow()
  })
})

it('a worker reference of another make is no reference', () => {
  expect(parseWorkerRef({ id: 'worker-1', bootId: 'x' })).toBeUndefined()
  const id = `${'ab'.repeat(32)}/0:11/22`
  expect(parseWorkerRef({ id, bootId: 'x' })).toEqual({
    signingKey: 'ab'.repeat(32),
    ledgerChannel: '0:11/22',
  })
})
