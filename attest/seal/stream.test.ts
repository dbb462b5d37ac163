import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '../bytes.ts'
import { SealError } from './errors.ts'
import type { ResponseOpener } from './response-opener.ts'
import { responsePair } from './testing.ts'

type Part = { kind: 'event' | 'body' | 'pad'; bytes: Uint8Array }

const part = fc.record({
  kind: fc.constantFrom<Part['kind']>('event', 'body', 'pad'),
  bytes: fc.uint8Array({ maxLength: 700 }),
})
const stream = fc.record({
  parts: fc.array(part, { maxLength: 6 }),
  last: fc.uint8Array({ maxLength: 300 }),
  padded: fc.boolean(),
})

interface Sealed {
  units: Uint8Array[]
  opener: () => ResponseOpener
  transcript: Uint8Array
}

function sealStream(plan: { parts: Part[]; last: Uint8Array; padded: boolean }): Sealed {
  const { sealer, opener } = responsePair({ padded: plan.padded })
  const units = [sealer.start()]
  for (const { kind, bytes } of plan.parts) {
    units.push(kind === 'pad' ? sealer.pad() : sealer.frame(kind === 'event' ? 1 : 2, bytes))
  }
  units.push(sealer.final(plan.last))
  return { units, opener, transcript: sealer.transcript() }
}

/** Reads a whole stream the way a careful client does: success only after end(). */
function read(opener: ResponseOpener, chunks: Iterable<Uint8Array>): { type: number; content: Uint8Array }[] {
  const frames = []
  for (const chunk of chunks) frames.push(...opener.push(chunk))
  opener.end()
  return frames
}

function refusal(opener: ResponseOpener, chunks: Iterable<Uint8Array>): SealError {
  try {
    read(opener, chunks)
  } catch (error) {
    if (error instanceof SealError) return error
    throw error
  }
  throw new Error('the stream was accepted')
}

/** Cuts bytes at pseudo-random places, one-byte pieces included. */
function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

const chunking = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 5 })

describe('response streams', () => {
  it('give back every frame, in any split of the bytes', () => {
    fc.assert(
      fc.property(stream, chunking, (plan, sizes) => {
        const { units, opener, transcript } = sealStream(plan)
        const reader = opener()
        const frames = read(reader, cut(concat(...units), sizes))
        const expected = plan.parts.map(({ kind, bytes }) => ({
          type: { pad: 0, event: 1, body: 2 }[kind],
          content: kind === 'pad' ? new Uint8Array(0) : bytes,
        }))
        expected.push({ type: 3, content: plan.last })
        expect(frames.map((frame) => [frame.type, Buffer.from(frame.content).toString('hex')])).toEqual(
          expected.map((frame) => [frame.type, Buffer.from(frame.content).toString('hex')]),
        )
        expect(reader.transcript()).toEqual(transcript)
      }),
      { numRuns: 60 },
    )
  })

  it('refuse any flipped bit, whatever the split', () => {
    fc.assert(
      fc.property(stream, chunking, fc.nat(), fc.nat(7), (plan, sizes, where, bit) => {
        const { units, opener } = sealStream(plan)
        const bytes = concat(...units)
        const at = where % bytes.length
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
        refusal(opener(), cut(bytes, sizes))
      }),
      { numRuns: 150 },
    )
  })

  it('refuse every cut, at every byte', () => {
    const { units, opener } = sealStream({
      parts: [{ kind: 'event', bytes: utf8('{}') }],
      last: utf8('{}'),
      padded: false,
    })
    const bytes = concat(...units)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(refusal(opener(), [bytes.subarray(0, length)]).code).toBe('ERR_STREAM_TRUNCATED')
    }
    expect(read(opener(), [bytes])).toHaveLength(2)
  })

  it('refuse dropped, repeated and swapped frames', () => {
    fc.assert(
      fc.property(
        stream,
        fc.nat(),
        fc.nat(),
        fc.constantFrom('drop', 'repeat', 'swap'),
        (plan, a, b, change) => {
          const { units, opener } = sealStream(plan)
          const i = a % units.length
          const j = b % units.length
          const changed = [...units]
          if (change === 'drop') changed.splice(i, 1)
          if (change === 'repeat') changed.splice(j, 0, units[i] ?? new Uint8Array(0))
          if (change === 'swap')
            [changed[i], changed[j]] = [units[j] ?? new Uint8Array(0), units[i] ?? new Uint8Array(0)]
          if (Buffer.concat(changed).equals(Buffer.concat(units))) return
          refusal(opener(), changed)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('refuse any bytes that a worker may send, as SealError', () => {
    const { units, opener } = sealStream({ parts: [], last: utf8('{}'), padded: true })
    const head = units[0] ?? new Uint8Array(0)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), chunking, (bytes, valid, sizes) => {
        refusal(opener(), cut(valid ? concat(head, bytes) : bytes, sizes))
      }),
      { numRuns: 150 },
    )
  })

  it('refuse bytes after the final frame, in the same chunk and in a later one', () => {
    const { units, opener } = sealStream({ parts: [], last: utf8('{}'), padded: true })
    expect(refusal(opener(), [concat(...units, new Uint8Array(1))]).code).toBe('ERR_STREAM_TRAILING')
    expect(refusal(opener(), [...units, new Uint8Array(1)]).code).toBe('ERR_STREAM_TRAILING')
  })

  it('stay refused: after an error every further call throws it again', () => {
    const { units, opener } = sealStream({
      parts: [{ kind: 'event', bytes: utf8('{}') }],
      last: utf8('{}'),
      padded: true,
    })
    const [start = new Uint8Array(0), event = new Uint8Array(0), final = new Uint8Array(0)] = units
    const bad = event.slice()
    bad[40] = (bad[40] ?? 0) ^ 1
    const reader = opener()
    reader.push(start)
    expect(() => reader.push(bad)).toThrow(SealError)
    expect(() => reader.push(event)).toThrow(SealError)
    expect(() => reader.push(final)).toThrow(SealError)
    expect(() => reader.end()).toThrow(SealError)
  })

  it('refuse a response to another seal and a response under another key', () => {
    const { units, opener } = sealStream({ parts: [], last: utf8('{}'), padded: true })
    const bytes = concat(...units)
    const otherSeal = bytes.slice()
    otherSeal[0] = 9
    expect(refusal(opener(), [otherSeal]).code).toBe('ERR_RESPONSE_SEAL_ID')
    for (const at of [16, 48, 79]) {
      const otherKey = bytes.slice()
      otherKey[at] = (otherKey[at] ?? 0) ^ 1
      expect(refusal(opener(), [otherKey]).code).toBe('ERR_SEAL_COMMITMENT')
    }
  })

  it('name a transcript after each frame, which the final frame leaves as it was', () => {
    const { sealer, opener } = responsePair()
    const reader = opener()
    reader.push(sealer.start())
    expect(reader.transcript()).toEqual(sealer.transcript())
    for (const text of ['a', 'b']) {
      const [frame] = reader.push(sealer.frame(1, utf8(text)))
      expect(frame?.transcript).toEqual(sealer.transcript())
    }
    const before = sealer.transcript()
    const [final] = reader.push(sealer.final(utf8('{}')))
    expect(final?.transcript).toEqual(before)
    expect(sealer.transcript()).toEqual(before)
  })

  it('report the good frames of a transcript only: frames of one failing push are not returned', () => {
    const { units, opener } = sealStream({
      parts: [{ kind: 'event', bytes: utf8('x') }],
      last: utf8('{}'),
      padded: true,
    })
    const bytes = concat(...units)
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    expect(() => opener().push(bytes)).toThrow(SealError)
  })
})

describe('response sizes', () => {
  it('are whole buckets: 256 bytes times a power of two, and at least 4096 for the final frame', () => {
    const { sealer } = responsePair()
    expect(sealer.start()).toHaveLength(80)
    for (const [content, bytes] of [
      [0, 256],
      [231, 256],
      [232, 512],
      [487, 512],
      [488, 1024],
      [262_119, 262_144],
    ] as const) {
      expect(sealer.frame(1, new Uint8Array(content))).toHaveLength(bytes)
    }
    expect(sealer.pad()).toHaveLength(256)
    expect(sealer.pad(1024)).toHaveLength(1024)
    expect(sealer.final(new Uint8Array(4071))).toHaveLength(4096)
  })

  it('are exact without padding, but for the final frame', () => {
    const { sealer } = responsePair({ padded: false })
    sealer.start()
    expect(sealer.frame(2, new Uint8Array(100))).toHaveLength(125)
    expect(sealer.final(new Uint8Array(4072))).toHaveLength(8192)
  })

  it('refuse content over one frame, and split bodies into frames that fit', () => {
    const { sealer, opener } = responsePair({ padded: false })
    const reader = opener()
    reader.push(sealer.start())
    expect(() => sealer.frame(1, new Uint8Array(262_120))).toThrow(/do not fit/)
    const body = new Uint8Array(600_000).map((_, i) => i % 251)
    const parts = [...sealer.body(body)].flatMap((unit) => reader.push(unit))
    expect(parts.map((frame) => frame.content.length)).toEqual([262_119, 262_119, 75_762])
    expect(Buffer.concat(parts.map((frame) => frame.content)).equals(body)).toBe(true)
  })

  it('are refused when a pad is no bucket', () => {
    const { sealer } = responsePair()
    sealer.start()
    expect(() => sealer.pad(300)).toThrow(/power of two/)
    expect(() => sealer.pad(524_288)).toThrow(/do not fit/)
  })
})

describe('a response sealer used out of order', () => {
  it('throws before start(), on a second start() and after final()', () => {
    const { sealer } = responsePair()
    expect(() => sealer.frame(1, utf8('x'))).toThrow(/start/)
    sealer.start()
    expect(() => sealer.start()).toThrow(/started/)
    sealer.final(utf8('{}'))
    expect(() => sealer.frame(1, utf8('x'))).toThrow(/final frame/)
    expect(() => sealer.final(utf8('x'))).toThrow(/final frame/)
  })

  it('an opener has no transcript before the response, and none of anything once given up', () => {
    const { sealer, opener } = responsePair()
    const reader = opener()
    expect(() => reader.transcript()).toThrow(/not begun/)
    reader.push(sealer.start())
    reader.destroy()
    expect(() => reader.push(sealer.frame(1, utf8('x')))).toThrow(/given up/)
    expect(() => reader.end()).toThrow(/given up/)
  })
})
