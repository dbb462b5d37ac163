import { describe, expect, it } from 'vitest'
import { ReplaySet, UsedRequests } from './replay.ts'

const key = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const limits = { capacity: 10, storeBytes: 1000, responseBytes: 600 }

describe('the replay set', () => {
  it('keeps a whole response and gives it back as it was', () => {
    const set = new ReplaySet(limits)
    const entry = set.insert(key(1), key(2))
    entry.record(new Uint8Array([1]))
    expect(entry.response).toBeUndefined()
    expect(entry.running).toBe(true)
    entry.record(new Uint8Array([2]))
    entry.finish()
    entry.record(new Uint8Array([3]))
    expect(set.find(key(1))?.response).toEqual([new Uint8Array([1]), new Uint8Array([2])])
  })

  it('drops the oldest stored bytes for new ones, and never an entry', () => {
    const set = new ReplaySet(limits)
    const entries = [1, 2, 3].map((n) => {
      const entry = set.insert(key(n), key(n))
      entry.record(new Uint8Array(400))
      entry.finish()
      return entry
    })
    expect(entries.map((entry) => entry.response !== undefined)).toEqual([false, true, true])
    expect(set.size).toBe(3)
    expect(set.find(key(1))?.running).toBe(false)
  })

  it('does not keep a response over its own limit, and gives the room back', () => {
    const set = new ReplaySet(limits)
    const long = set.insert(key(1), key(1))
    long.record(new Uint8Array(500))
    long.record(new Uint8Array(101))
    long.record(new Uint8Array(1))
    long.finish()
    expect(long.response).toBeUndefined()
    const others = [2, 3].map((n) => {
      const entry = set.insert(key(n), key(n))
      entry.record(new Uint8Array(500))
      entry.finish()
      return entry
    })
    expect(others.every((entry) => entry.response !== undefined)).toBe(true)
  })

  it('has nothing to repeat of a response that was given up', () => {
    const entry = new ReplaySet(limits).insert(key(1), key(1))
    entry.record(new Uint8Array(5))
    entry.abandon()
    expect([entry.running, entry.response]).toEqual([false, undefined])
  })

  it('takes a key once', () => {
    const set = new ReplaySet(limits)
    set.insert(key(1), key(1))
    expect(() => set.insert(key(1), key(1))).toThrow(/already/)
  })

  it('accepts nothing once full or erased', () => {
    const set = new ReplaySet({ ...limits, capacity: 1 })
    const running = set.insert(key(1), key(1))
    expect(() => set.insert(key(2), key(2))).toThrow(/full/)
    set.erase()
    expect(set.full).toBe(true)
    running.record(new Uint8Array(1))
    running.finish()
    expect(running.response).toBeUndefined()
  })
})

describe('used request ids', () => {
  it('are kept for their time, by payer', () => {
    let now = 0
    const used = new UsedRequests({ capacity: 2, keepMs: 100, monotonic: () => now })
    used.add('a', '1')
    now = 50
    used.add('b', '1')
    expect([used.has('a', '1'), used.has('b', '1'), used.has('b', '2'), used.full]).toEqual([
      true,
      true,
      false,
      true,
    ])
    now = 100
    expect([used.has('a', '1'), used.has('b', '1'), used.full]).toEqual([false, true, false])
  })
})
