import { describe, expect, it } from 'vitest'
import { toHex } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import { Clock } from '../seal/testing.ts'
import { EpochKeys, type EpochKeysOptions } from './epoch-keys.ts'
import type { KemKeyPair } from './kem.ts'

/** Keys without cryptography: what is tested here is time. */
function fakeKeys(): () => Promise<KemKeyPair> {
  let serial = 0
  return async () => ({
    publicKey: new Uint8Array(1216).fill(++serial),
    setup: async () => ({ export: async (_context, length) => new Uint8Array(length) }),
  })
}

/** A timer that runs when told. */
class ManualTimer {
  pending: { callback: () => void; ms: number } | undefined
  readonly set = (callback: () => void, ms: number): (() => void) => {
    const entry = { callback, ms }
    this.pending = entry
    return () => {
      if (this.pending === entry) this.pending = undefined
    }
  }
}

async function make(changes: Partial<EpochKeysOptions> = {}) {
  const clock = new Clock()
  const timer = new ManualTimer()
  const keys = await EpochKeys.create({
    now: clock.now,
    monotonic: clock.monotonic,
    timer: timer.set,
    generate: fakeKeys(),
    ...changes,
  })
  return { clock, timer, keys }
}

describe('epoch keys', () => {
  it('name their epoch after the public key and date it', async () => {
    const { clock, keys } = await make()
    const epoch = keys.current()
    expect(epoch.id).toBe(toHex(sha256(epoch.publicKey)).slice(0, 32))
    expect(epoch.notAfter - epoch.notBefore).toBe(600_000)
    expect(epoch.notBefore).toBe(clock.now())
  })

  it('publish the next epoch 120 s early and keep the old one until 60 s after its end', async () => {
    const { clock, keys } = await make()
    const seen: string[] = []
    const stop = keys.onRotate((epoch) => seen.push(epoch.id))
    const first = keys.current()
    clock.advance(479_999)
    await keys.tick()
    expect(keys.current()).toBe(first)
    clock.advance(1)
    await keys.tick()
    const second = keys.current()
    expect(second).not.toBe(first)
    expect(seen).toEqual([second.id])
    expect(keys.find(first.id)).toBe(first)
    clock.advance(179_999)
    expect(keys.find(first.id)).toBe(first)
    clock.advance(1)
    expect(keys.find(first.id)).toBeUndefined()
    expect(first.erased).toBe(false)
    await keys.tick()
    expect(first.erased).toBe(true)
    expect(keys.find(second.id)).toBe(second)
    await expect(first.setup(new Uint8Array(1120), new Uint8Array(0))).rejects.toThrow(/erased/)
    stop()
    clock.advance(480_000)
    await keys.tick()
    expect(seen).toHaveLength(1)
  })

  it('erase the replay set with the key', async () => {
    const { clock, keys } = await make()
    const first = keys.current()
    first.replay.insert(new Uint8Array(32), new Uint8Array(32))
    clock.advance(660_000)
    await keys.tick()
    expect(first.replay.size).toBe(0)
    expect(first.replay.full).toBe(true)
  })

  it('live no longer when the wall clock is set back, nor when the monotonic clock stops', async () => {
    const back = await make()
    const first = back.keys.current()
    back.clock.steady += 660_000
    back.clock.wall -= 3_600_000
    expect(back.keys.find(first.id)).toBeUndefined()

    const asleep = await make()
    const other = asleep.keys.current()
    asleep.clock.wall += 660_000
    expect(asleep.keys.find(other.id)).toBeUndefined()
    await asleep.keys.tick()
    expect(other.erased).toBe(true)
    expect(asleep.keys.current()).not.toBe(other)
  })

  it('are made again after a failure, by the timer', async () => {
    const errors: unknown[] = []
    const generate = fakeKeys()
    let fail = false
    const { clock, timer, keys } = await make({
      onError: (error) => errors.push(error),
      generate: () => (fail ? Promise.reject(new Error('no entropy')) : generate()),
    })
    const first = keys.current()
    clock.advance(500_000)
    fail = true
    await expect(keys.tick()).rejects.toThrow(/entropy/)
    expect(keys.current()).toBe(first)
    fail = false
    const rotated = new Promise((resolve) => keys.onRotate(resolve))
    timer.pending?.callback()
    await rotated
    expect(keys.current()).not.toBe(first)
    expect(errors).toEqual([])
  })

  it('go on when a listener throws, and say so', async () => {
    const errors: unknown[] = []
    const { clock, keys } = await make({ onError: (error) => errors.push(error) })
    keys.onRotate(() => {
      throw new Error('listener')
    })
    clock.advance(500_000)
    await keys.tick()
    expect(errors).toHaveLength(1)
  })

  it('make one next epoch when two ticks come together', async () => {
    const { clock, keys } = await make()
    let rotations = 0
    keys.onRotate(() => rotations++)
    clock.advance(500_000)
    await Promise.all([keys.tick(), keys.tick()])
    expect(rotations).toBe(1)
  })

  it('wake within 5 s, because timers sleep when machines do', async () => {
    const { timer, keys } = await make()
    expect(timer.pending?.ms).toBe(5000)
    keys.close()
    expect(timer.pending).toBeUndefined()
    expect(() => keys.current()).toThrow(/closed/)
  })

  it('refuse impossible times', async () => {
    await expect(make({ lifetimeMs: 600_001 })).rejects.toThrow(/lifetimeMs/)
    await expect(make({ lifetimeMs: 0 })).rejects.toThrow(/lifetimeMs/)
    await expect(make({ earlyMs: 600_000 })).rejects.toThrow(/earlyMs/)
    await expect(make({ graceMs: -1 })).rejects.toThrow(/graceMs/)
    await expect(make({ lifetimeMs: Number.NaN })).rejects.toThrow(/lifetimeMs/)
  })
})
