import { sha384 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, toHex, utf8 } from '../bytes.ts'
import { EV, type EventLogEntry, MAX_EVENT_LOG, parseEventLog } from './index.ts'
import { readOrRefuse } from './testing.ts'

const RUNTIME = EV.dstackRuntime
const v1 = (name: string, payload: string): string =>
  toHex(sha384(concat(Uint8Array.of(1, 0, 0, 8), utf8(`:${name}:`), Buffer.from(payload, 'hex'))))
const v2 = (name: string, payload: string): string =>
  toHex(sha384(utf8(`{"name":${JSON.stringify(name)},"payload":"${payload}","type":${RUNTIME}}`)))

const runtime = (changes: Record<string, unknown>): Record<string, unknown> => ({
  imr: 3,
  event_type: RUNTIME,
  digest: '',
  event: 'app-id',
  event_payload: 'abcd',
  ...changes,
})

const parse = (events: unknown): readonly EventLogEntry[] =>
  parseEventLog(utf8(JSON.stringify(events))).entries
function only(event: Record<string, unknown>): EventLogEntry {
  const [entry] = parse([event])
  if (entry === undefined) throw new Error('no entry')
  return entry
}

describe('dstack’s log', () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    ['V1 with its digest', { digest: v1('app-id', 'abcd') }, 'recomputed', v1('app-id', 'abcd')],
    ['V1 without', {}, 'recomputed', v1('app-id', 'abcd')],
    ['V2 with its digest', { digest: v2('app-id', 'abcd') }, 'recomputed', v2('app-id', 'abcd')],
    ['V2 without', { version: 2 }, 'recomputed', v2('app-id', 'abcd')],
    ['V2 with a name to escape', { version: 2, event: 'a"\\é' }, 'recomputed', v2('a"\\é', 'abcd')],
    ['V2 with a colon in its name', { version: 2, event: 'a:b' }, 'recomputed', v2('a:b', 'abcd')],
    ['V1 with a colon in its name', { event: 'a:b' }, 'opaque', v1('a:b', 'abcd')],
    ['the digest of another payload', { digest: v1('app-id', '00') }, 'mismatch', v1('app-id', '00')],
    [
      'V1 that calls itself V2',
      { version: 2, digest: v1('app-id', 'abcd') },
      'mismatch',
      v1('app-id', 'abcd'),
    ],
  ])('%s', (_name, changes, check, digest) => {
    const entry = only(runtime(changes))
    expect(entry.check).toBe(check)
    expect(toHex(entry.digest)).toBe(digest)
    expect(entry.name).toBe(check === 'recomputed' ? (changes.event ?? 'app-id') : undefined)
    if (entry.measured !== undefined) expect(toHex(sha384(entry.measured))).toBe(digest)
  })

  it('judges boot events as those of CCEL, and believes nothing of data that was left out', () => {
    const boot = (data: string, digestOf: string): Record<string, unknown> => ({
      imr: 1,
      event_type: EV.efiAction,
      digest: toHex(sha384(utf8(digestOf))),
      event: '',
      event_payload: toHex(utf8(data)),
    })
    expect(parse([boot('go', 'go'), boot('go', 'stop'), boot('', 'go')]).map(({ check }) => check)).toEqual([
      'recomputed',
      'mismatch',
      'opaque',
    ])
    expect(parse([{ ...boot('', ''), event_type: EV.noAction, digest: '' }])).toEqual([])
  })

  it('is found in an answer of its service, as text or as an array', () => {
    for (const event_log of [[runtime({})], JSON.stringify([runtime({})])]) {
      const log = parseEventLog(utf8(JSON.stringify({ quote: '00', event_log, report_data: '' })))
      expect([log.source, log.entries.length]).toEqual(['dstack', 1])
    }
    expect(parseEventLog(utf8(' \n[]')).entries).toEqual([])
  })

  it.each<[string, unknown, string]>([
    ['register 4', [runtime({ imr: 4 })], '0.imr'],
    ['no payload', [{ ...runtime({}), event_payload: undefined }], '0.event_payload'],
    ['a payload in capitals', [runtime({ event_payload: 'AB' })], 'hex'],
    ['half a byte', [runtime({ event_payload: 'abc' })], 'hex'],
    ['a short digest', [runtime({ digest: 'ab' })], 'not 48 bytes'],
    ['a third version', [runtime({ version: 3 })], '0.version'],
    ['a key that nobody knows', [runtime({ note: 1 })], 'note'],
    ['a boot event without a digest', [runtime({ event_type: EV.efiAction })], 'has no digest'],
    [
      'a silent event with a digest',
      [runtime({ event_type: EV.noAction, digest: v1('a', '') })],
      'extends nothing',
    ],
    ['a log that is no array', { event_log: { imr: 0 } }, 'not an array'],
    ['too many events', Array(4097).fill(runtime({})), 'more than 4096'],
    ['a log that is no JSON', { event_log: '[{' }, 'not JSON'],
    ['an object without a log', { quote: '00' }, 'neither'],
    ['events that are no objects', [7], 'dstack event 0'],
  ])('refuses %s', (_name, json, message) => {
    const bytes = utf8(JSON.stringify(json))
    expect(() => parseEventLog(bytes)).toThrow(message)
    expect(readOrRefuse(() => parseEventLog(bytes))).toBeUndefined()
  })

  it('refuses names that are there twice, where two parsers could differ', () => {
    const text = JSON.stringify([runtime({})]).replace('"imr":3', '"imr":0,"imr":3')
    expect(() => parseEventLog(utf8(text))).toThrow('twice')
    expect(() => parseEventLog(utf8(JSON.stringify({ event_log: text })))).toThrow('twice')
  })

  it('refuses every cut of a log, and any JSON at all, with ERR_EVENT_LOG only', () => {
    const bytes = utf8(JSON.stringify({ event_log: [runtime({ digest: v1('app-id', 'abcd') })] }))
    for (let at = 0; at < bytes.length; at++) {
      expect(readOrRefuse(() => parseEventLog(bytes.subarray(0, at)))).toBeUndefined()
    }
    fc.assert(fc.property(fc.json(), (text) => void readOrRefuse(() => parseEventLog(utf8(text)))))
    const anyEvent = fc.record({
      imr: fc.nat(4),
      event_type: fc.nat(),
      digest: fc.string(),
      event: fc.string(),
      event_payload: fc.string(),
    })
    fc.assert(fc.property(fc.array(anyEvent), (events) => void readOrRefuse(() => parse(events))))
  })

  it('reads half a megabyte of nesting or of one string without harm', () => {
    expect(readOrRefuse(() => parseEventLog(utf8('['.repeat(MAX_EVENT_LOG))))).toBeUndefined()
    const long = utf8(JSON.stringify([runtime({ event_payload: 'ab'.repeat(250_000) })]))
    expect(parseEventLog(long).entries.length).toBe(1)
    const large = utf8(JSON.stringify([runtime({ event_payload: 'ab'.repeat(MAX_EVENT_LOG / 2) })]))
    expect(() => parseEventLog(large)).toThrow('more than')
    const many = utf8(`[${'{},'.repeat(170_000)}1]`)
    expect(readOrRefuse(() => parseEventLog(many))).toBeUndefined()
  })
})
