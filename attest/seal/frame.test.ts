import { describe, expect, it } from 'vitest'
import { concat, u32be } from '../bytes.ts'
import { secretbox } from './cipher.ts'
import { SealError } from './errors.ts'
import { FrameOpener, FrameSealer } from './frame.ts'
import type { StreamSecrets } from './keys.ts'

function secrets(): StreamSecrets {
  return {
    key: new Uint8Array(32).fill(1),
    prefix: new Uint8Array(16).fill(2),
    commit: new Uint8Array(32),
  }
}

function nonce(index: number, flag: number): Uint8Array {
  const bytes = new Uint8Array(24).fill(2, 0, 16)
  new DataView(bytes.buffer).setBigUint64(16, (BigInt(index) << 8n) | BigInt(flag))
  return bytes
}

/** A frame made by hand, so that it can break every rule. */
function raw(plain: Uint8Array, index = 0, flag = 0): Uint8Array {
  const box = secretbox.box(plain, nonce(index, flag), new Uint8Array(32).fill(1))
  return concat(u32be(box.length), box)
}

const opener = (first = 0) => new FrameOpener(secrets(), secretbox, [0, 1, 3], first)

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return error instanceof SealError ? error.code : String(error)
  }
  return 'no error'
}

describe('frames', () => {
  it('are what the format says: nonce = prefix || u56be(index) || flag', () => {
    const sealer = new FrameSealer(secrets(), secretbox, 0x01020304)
    const content = new Uint8Array([9, 8])
    const expected = new Uint8Array([1, 0, 0, 0, 2, 9, 8, 0, 0, 0])
    expect(sealer.seal(1, content, 4 + 16 + 10)).toEqual(raw(expected, 0x01020304, 0))
    expected[0] = 3
    expect(sealer.seal(3, content, 4 + 16 + 10)).toEqual(raw(expected, 0x01020305, 1))
  })

  it('are refused with padding that is not zero', () => {
    expect(codeOf(() => opener().push(raw(new Uint8Array([1, 0, 0, 0, 1, 7, 0, 0, 1]))))).toBe('ERR_FRAME')
    expect(codeOf(() => opener().push(raw(new Uint8Array([1, 0, 0, 0, 1, 7, 0, 0, 0]))))).toBe('no error')
  })

  it('are refused with content that overruns the box', () => {
    expect(codeOf(() => opener().push(raw(new Uint8Array([1, 0, 0, 0, 2, 7]))))).toBe('ERR_FRAME')
    expect(codeOf(() => opener().push(raw(new Uint8Array([1, 255, 255, 255, 255, 7]))))).toBe('ERR_FRAME')
  })

  it('are refused with a type that is unknown or not of this direction', () => {
    for (const type of [2, 4, 255]) {
      expect(codeOf(() => opener().push(raw(new Uint8Array([type, 0, 0, 0, 0]))))).toBe('ERR_FRAME')
    }
  })

  it('are refused when type and final flag disagree', () => {
    expect(codeOf(() => opener().push(raw(new Uint8Array([1, 0, 0, 0, 0]), 0, 1)))).toBe('ERR_FRAME')
    expect(codeOf(() => opener().push(raw(new Uint8Array([3, 0, 0, 0, 0]), 0, 0)))).toBe('ERR_FRAME')
    expect(codeOf(() => opener().push(raw(new Uint8Array([3, 0, 0, 0, 0]), 0, 1)))).toBe('no error')
  })

  it('are refused as padding with content', () => {
    expect(codeOf(() => opener().push(raw(new Uint8Array([0, 0, 0, 0, 1, 7]))))).toBe('ERR_FRAME')
  })

  it('are refused by their announced length, before anything is allocated for them', () => {
    for (const length of [0, 20, 262_141, 0xffff_ffff]) {
      expect(codeOf(() => opener().push(u32be(length)))).toBe('ERR_FRAME')
    }
    for (const length of [21, 262_140]) expect(codeOf(() => opener().push(u32be(length)))).toBe('no error')
  })

  it('are refused at index 2^32, sealing and opening', () => {
    const last = new FrameSealer(secrets(), secretbox, 2 ** 32 - 1)
    const wire = last.seal(1, new Uint8Array(0), 25)
    expect(codeOf(() => last.seal(1, new Uint8Array(0), 25))).toBe('ERR_FRAME_INDEX')
    const reader = opener(2 ** 32 - 1)
    expect(reader.push(wire)).toHaveLength(1)
    expect(codeOf(() => reader.push(wire))).toBe('ERR_FRAME_INDEX')
  })

  it('erase their key with the final frame, on both sides', () => {
    const sealing = secrets()
    const opening = secrets()
    const wire = new FrameSealer(sealing, secretbox).seal(3, new Uint8Array(0), 25)
    const reader = new FrameOpener(opening, secretbox, [3])
    reader.push(wire)
    reader.end()
    for (const { key, prefix } of [sealing, opening]) {
      expect(key).toEqual(new Uint8Array(32))
      expect(prefix).toEqual(new Uint8Array(16))
    }
  })

  it('erase the key on the first error too', () => {
    const opening = secrets()
    const reader = new FrameOpener(opening, secretbox, [3])
    expect(codeOf(() => reader.push(raw(new Uint8Array([1, 0, 0, 0, 0]))))).toBe('ERR_FRAME')
    expect(opening.key).toEqual(new Uint8Array(32))
  })

  it('throw the first error again at every later call', () => {
    const reader = opener()
    const errors: unknown[] = []
    for (const call of [() => reader.push(u32be(0)), () => reader.push(u32be(21)), () => reader.end()]) {
      try {
        call()
      } catch (error) {
        errors.push(error)
      }
    }
    expect(errors).toHaveLength(3)
    expect(new Set(errors).size).toBe(1)
  })
})
