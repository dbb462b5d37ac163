import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, toBase64, toHex, utf8 } from '../bytes.ts'
import { sampleClaims } from '../evidence/testing.ts'
import { simulatedEventLog } from '../simulate/eventlog.ts'
import {
  encodeCcel,
  encodeEventLog,
  eventDigest,
  MAX_EVENT_LOG,
  measuredEvents,
  parseEventLog,
  replay,
} from './index.ts'
import { readOrRefuse } from './testing.ts'

const FORMAT = 'chrysalis/event-log/1'
const parse = (json: unknown): ReturnType<typeof parseEventLog> => parseEventLog(utf8(JSON.stringify(json)))

describe('our events', () => {
  it('are measured as the README writes it', () => {
    const bytes = Buffer.concat([Buffer.from('chrysalis/event/1\0chrysalis.software\0'), Buffer.from([1, 2])])
    const digest = createHash('sha384').update(bytes).digest('hex')
    expect(toHex(eventDigest('chrysalis.software', Uint8Array.of(1, 2)))).toBe(digest)
    const zeros = Buffer.alloc(48)
    const register = createHash('sha384').update(zeros).update(Buffer.from(digest, 'hex')).digest('hex')
    const log = encodeEventLog({ events: [{ name: 'chrysalis.software', payload: Uint8Array.of(1, 2) }] })
    expect(replay(parseEventLog(log)).map(toHex)).toEqual([...Array(3).fill('00'.repeat(48)), register])
  })

  it('state software, configuration and models, in the order of the claims', () => {
    const { models, software } = sampleClaims()
    const [model] = models
    const events = measuredEvents({ software, models: [...models, ...models] }, { b: 1, a: [2] })
    expect(events.map(({ name, payload }) => [name, fromUtf8(payload)])).toEqual([
      ['chrysalis.software', '{"commit":"test","version":"0.1.0"}'],
      ['chrysalis.configuration', '{"a":[2],"b":1}'],
      ['chrysalis.model', JSON.stringify(model, Object.keys(model ?? {}).sort())],
      ['chrysalis.model', JSON.stringify(model, Object.keys(model ?? {}).sort())],
    ])
  })

  it('have names that leave no doubt where the payload begins', () => {
    for (const name of ['', 'A', 'a b', 'a\0', 'a'.repeat(65), 'é', 'a_b']) {
      expect(() => eventDigest(name, utf8(''))).toThrow('its name')
      expect(() => encodeEventLog({ events: [{ name, payload: utf8('') }] })).toThrow('its name')
      expect(() => parse({ format: FORMAT, events: [{ name, payload: '' }] })).toThrow('its name')
    }
    expect(eventDigest('a'.repeat(64), utf8('')).length).toBe(48)
  })
})

describe('our log', () => {
  const events = [{ name: 'a.b-c', payload: Uint8Array.of(0, 255) }]

  it('is canonical JSON, with the CCEL data without its padding', () => {
    const ccel = encodeCcel([])
    const bytes = encodeEventLog({ ccel: encodeCcel([], 65_536), events })
    const json = `{"ccel":"${toBase64(ccel)}","events":[{"name":"a.b-c","payload":"AP8="}],"format":"${FORMAT}"}`
    expect(fromUtf8(bytes)).toBe(json)
    expect(fromUtf8(encodeEventLog({ events: [] }))).toBe(`{"events":[],"format":"${FORMAT}"}`)
  })

  it('is read as it was written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ name: fc.stringMatching(/^[a-z0-9.-]{1,64}$/), payload: fc.uint8Array() }), {
          maxLength: 9,
        }),
        (list) => {
          const { source, entries } = parseEventLog(encodeEventLog({ events: list }))
          expect(source).toBe('chrysalis')
          expect(entries.map(({ name, data }) => [name, toHex(data)])).toEqual(
            list.map(({ name, payload }) => [name, toHex(payload)]),
          )
          for (const { rtmr, check } of entries) expect([rtmr, check]).toEqual([3, 'recomputed'])
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each<[string, unknown, string]>([
    ['another format', { format: 'chrysalis/event-log/2', events: [] }, 'format'],
    ['no events', { format: FORMAT }, 'events'],
    ['a key that nobody knows', { format: FORMAT, events: [], rtmr: [] }, 'rtmr'],
    [
      'an event’s key that nobody knows',
      { format: FORMAT, events: [{ name: 'a', payload: '', digest: '' }] },
      'digest',
    ],
    [
      'base64 that is not canonical',
      { format: FORMAT, events: [{ name: 'a', payload: 'AA' }] },
      'canonical base64',
    ],
    ['CCEL data that is no log', { format: FORMAT, ccel: 'AAAA', events: [] }, 'too short'],
    ['CCEL data in base64url', { format: FORMAT, ccel: '_-__', events: [] }, 'ccel is not canonical'],
    ['too many events', { format: FORMAT, events: Array(1025).fill({ name: 'a', payload: '' }) }, 'events'],
  ])('is refused with %s', (_name, json, message) => {
    expect(() => parse(json)).toThrow(message)
    expect(readOrRefuse(() => parse(json))).toBeUndefined()
  })

  it('is not made larger than a parser reads', () => {
    const big = { name: 'a', payload: new Uint8Array(MAX_EVENT_LOG) }
    expect(() => encodeEventLog({ events: [big] })).toThrow('more than')
    expect(() => encodeEventLog({ events: Array(1025).fill({ name: 'a', payload: utf8('') }) })).toThrow(
      '1024 events',
    )
    expect(() => encodeEventLog({ ccel: utf8('no log'), events: [] })).toThrow('too short')
  })

  it('cut at any length is refused', () => {
    const { bytes } = simulatedEventLog({ software: 'x', events })
    for (let at = 0; at < bytes.length; at++) {
      expect(readOrRefuse(() => parseEventLog(bytes.subarray(0, at)))).toBeUndefined()
    }
  })
})
