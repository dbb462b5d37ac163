import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../attest/bytes.ts'
import type { DispatchEvent, DispatchRequest, DispatchResponse } from '../../dispatch/index.ts'
import { ManualClock } from '../../link/testing/manual-clock.ts'
import { chunk, scripted } from '../testing/face.ts'
import type { SharedRun } from './shared-run.ts'
import { type IdempotencyOptions, IdempotencyStore } from './store.ts'

function open(options: Partial<IdempotencyOptions> = {}) {
  const clock = new ManualClock()
  const store = new IdempotencyStore({ keepMs: 1000, after: (ms, fn) => clock.after(ms, fn), ...options })
  let begun = 0
  const run = (
    account: string,
    key: string,
    start: (signal: AbortSignal) => Promise<DispatchResponse>,
    fingerprint = 'same',
  ) =>
    store.run({ account, key, fingerprint, requestId: `${account}${key}` }, (signal) => {
      begun += 1
      return start(signal)
    })
  return { clock, store, run, begun: () => begun }
}

/** An execution that says these texts. */
const says =
  (...texts: string[]) =>
  async () =>
    scripted({ requestId: 'r' } as DispatchRequest, texts.map(body))
const body = (text: string): DispatchEvent => ({ type: 'body', bytes: utf8(text) })

async function hear(run: SharedRun, signal = new AbortController().signal): Promise<string> {
  let text = ''
  for await (const event of (await run.listen(signal)).events)
    if (event.type === 'body') text += new TextDecoder().decode(event.bytes)
  return text
}

describe('the same key', () => {
  it('has one execution, which is heard by all from its beginning, whenever they come', async () => {
    const { run, begun } = open()
    const first = run('a', 'k', says('one ', 'two'))
    const heard = await Promise.all([hear(first.run), hear(run('a', 'k', says('no')).run)])
    expect(heard).toEqual(['one two', 'one two'])
    const late = run('a', 'k', says('no'))
    expect(await hear(late.run)).toBe('one two')
    expect([first.replayed, late.replayed, late.requestId, begun()]).toEqual([false, true, 'ak', 1])
  })

  it('of another account is another key', async () => {
    const { run } = open()
    await hear(run('a', 'k', says('mine')).run)
    expect(await hear(run('b', 'k', says('yours')).run)).toBe('yours')
    // Neither do account and key run into each other.
    expect(await hear(run('a k', 'x', says('one')).run)).toBe('one')
  })

  it('for another request is refused, also while the first runs', async () => {
    const { run } = open()
    const never = Promise.withResolvers<DispatchResponse>()
    run('a', 'k', () => never.promise)
    expect(() => run('a', 'k', says('no'), 'other')).toThrow(
      expect.objectContaining({ status: 409, apiCode: 'idempotency_conflict' }),
    )
  })

  it.each(['', ' ', 'a b', 'ä', 'x'.repeat(256)])('%j is none', (key) => {
    expect(() => open().run('a', key, says('no'))).toThrow(expect.objectContaining({ status: 400 }))
  })
})

describe('an execution', () => {
  it('that fails is forgotten, and all who listen are told', async () => {
    const { store, run } = open()
    const shared = run('a', 'k', () => Promise.reject(new Error('busy')))
    await Promise.all([1, 2].map(() => expect(hear(shared.run)).rejects.toThrow('busy')))
    expect(store.size).toBe(0)
    const half = async () =>
      scripted({ requestId: 'r' } as DispatchRequest, [chunk({ content: 'half' })], {
        fail: new Error('lost'),
      })
    await expect(hear(run('a', 'k', half).run)).rejects.toThrow('lost')
    expect([store.size, store.bytes]).toEqual([0, 0])
    expect(await hear(run('a', 'k', says('again')).run)).toBe('again')
  })

  it('goes on while somebody listens, and is cancelled and forgotten when nobody does', async () => {
    const { store, run } = open()
    const begun = Promise.withResolvers<AbortSignal>()
    const { run: shared } = run('a', 'k', (signal) => {
      begun.resolve(signal)
      return new Promise((_, reject) =>
        signal.addEventListener('abort', () => reject(new Error('cancelled'))),
      )
    })
    const cancelled = await begun.promise
    const [one, two] = [new AbortController(), new AbortController()]
    const heard = [hear(shared, one.signal), hear(shared, two.signal)]
    one.abort()
    one.abort()
    expect([cancelled.aborted, store.size]).toEqual([false, 1])
    two.abort()
    expect([cancelled.aborted, store.size]).toEqual([true, 0])
    for (const each of heard) await expect(each).rejects.toThrow('cancelled')
  })

  it('that is paid for is kept although its listener left before the end', async () => {
    const { run, store } = open()
    const shared = run('a', 'k', says('one', ' two'))
    const { events, done } = await shared.run.listen(new AbortController().signal)
    await done
    for await (const _ of events) break
    expect(await hear(run('a', 'k', says('no')).run)).toBe('one two')
    expect(store.size).toBe(1)
  })
})

describe('what is kept', () => {
  it('is forgotten after its time', async () => {
    const { clock, store, run, begun } = open()
    await hear(run('a', 'k', says('text')).run)
    clock.advance(999)
    expect([store.size, store.bytes]).toEqual([1, 4])
    clock.advance(1)
    expect([store.size, store.bytes]).toEqual([0, 0])
    await hear(run('a', 'k', says('text')).run)
    expect(begun()).toBe(2)
  })

  it('is nothing where nothing is to be kept', async () => {
    const { store, run } = open({ keepMs: 0 })
    await hear(run('a', 'k', says('text')).run)
    expect(store.size).toBe(0)
  })

  it('makes room from whoever holds the most, oldest first', async () => {
    const { store, run } = open({ maxBytes: 10 })
    await hear(run('small', '1', says('xx')).run)
    await hear(run('large', '1', says('xxxx')).run)
    await hear(run('large', '2', says('xxxx')).run)
    await hear(run('other', '1', says('xxx')).run)
    expect(store.bytes).toBe(9)
    const kept = (account: string, key: string) => run(account, key, says('y')).replayed
    expect([kept('small', '1'), kept('large', '2'), kept('other', '1')]).toEqual([true, true, true])
    expect(kept('large', '1')).toBe(false)
  })

  it('forgets no answer for another account that holds more, be it in answers that still run', async () => {
    const { store, run } = open({ maxBytes: 10 })
    await hear(run('small', '1', says('xxx')).run)
    expect(await hear(run('large', '1', says('12345', '67890', 'abcde')).run)).toBe('1234567890abcde')
    expect(store.bytes).toBeLessThanOrEqual(10)
    expect(run('small', '1', says('y')).replayed).toBe(true)
  })

  it('is bounded in number', async () => {
    const { store, run } = open({ maxEntries: 3 })
    for (let n = 0; n < 10; n++) await hear(run('a', String(n), says('x')).run)
    expect(store.size).toBe(3)
  })

  it('is no answer larger than all the room: who listens gets it, a repeat is refused, not run again', async () => {
    const { store, run, begun } = open({ maxBytes: 10 })
    const shared = run('a', 'k', says('12345', '67890', 'abcde', 'fghij'))
    expect(await hear(shared.run)).toBe('1234567890abcdefghij')
    expect(store.bytes).toBe(10)
    expect(() => run('a', 'k', says('no'))).toThrow(
      expect.objectContaining({ status: 409, apiCode: 'idempotency_replay_unavailable' }),
    )
    expect(begun()).toBe(1)
  })
})
