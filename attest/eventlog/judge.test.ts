import { sha384 } from '@noble/hashes/sha2.js'
import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import type { Claims } from '../evidence/claims.ts'
import { sampleClaims } from '../evidence/testing.ts'
import { Factors } from '../policy/factors.ts'
import { simulatedEventLog } from '../simulate/eventlog.ts'
import {
  EV,
  encodeCcel,
  encodeEventLog,
  eventDigest,
  judgeEventLog,
  type MeasuredEvent,
  measuredEvents,
  parseEventLog,
  replay,
} from './index.ts'
import { judged } from './testing.ts'

const claims = sampleClaims({ models: [...sampleClaims().models, ...sampleClaims({}).models.map(other)] })
const events = measuredEvents(claims, { threads: 2 })
const boot = { software: '1.0', events }
const good = simulatedEventLog(boot)
const PASS = { format: 'pass', replay: 'pass', digests: 'pass', claims: 'pass' }

function other(model: Claims['models'][number]): Claims['models'][number] {
  return { ...model, id: 'other' }
}

/** Judges a log of these events in a quote of the same registers: what a TD says that measured them. */
function judgedWith(measured: readonly MeasuredEvent[], stated: Claims = claims): ReturnType<typeof judged> {
  const { bytes, rtmr } = simulatedEventLog({ software: '1.0', events: measured })
  return judged({ bytes, body: { rtmr }, claims: stated })
}

describe('judgeEventLog', () => {
  it('passes the log of the boot that the quote and the claims state', () => {
    const { results, reasons } = judged({ bytes: good.bytes, body: good, claims })
    expect(results).toEqual(PASS)
    expect(reasons).toEqual({
      format: '24 events in the format of chrysalis',
      replay: 'replays to RTMR0-3',
      digests: '17 of 24 events recomputed, the others are digests alone',
      claims: 'RTMR3 is software, configuration and models as claimed, and nothing else',
    })
  })

  it('skips all where there is no log, with the reason', () => {
    const { results, reasons } = judged({ bytes: undefined, body: good, claims })
    expect(new Set(Object.values(results))).toEqual(new Set(['skip']))
    expect(new Set(Object.values(reasons))).toEqual(new Set(['there is no event log']))
  })

  it('has no claims to compare beside a bare quote, and no registers without one', () => {
    const bare = judged({ bytes: good.bytes, body: good, claims: undefined })
    expect(bare.results).toEqual({ ...PASS, claims: 'not-applicable' })
    const alone = judged({ bytes: good.bytes, body: undefined, claims })
    expect(alone.results).toEqual({ ...PASS, replay: 'skip', claims: 'skip' })
  })

  it('fails what cannot be read, and judges no more of it', () => {
    for (const bytes of [utf8('{}'), utf8(''), new Uint8Array(99)]) {
      const { results } = judged({ bytes, body: good, claims })
      expect(results).toEqual({ format: 'fail', replay: 'skip', digests: 'skip', claims: 'skip' })
    }
  })

  it('believes recomputed events of registers that were compared, and the configuration', () => {
    const input = { bytes: good.bytes, body: good, claims }
    const believed = judgeEventLog(new Factors(), input, {})
    expect(believed.configuration).toEqual({ threads: 2 })
    expect(believed.secureBoot).toBe(false)
    expect(believed.events.length).toBe(17)
    const texts = believed.events.map(({ measured }) => toHex(measured ?? utf8('')))
    expect(texts).toContain(toHex(utf8('chrysalis.software=1.0')))
    const some = judgeEventLog(new Factors(), input, { eventLog: { registers: [2] } })
    expect(some.events.map(({ rtmr }) => rtmr)).toEqual([2])
    expect(some.secureBoot).toBeUndefined()
  })

  it('takes CCEL data alone where RTMR3 of the quote is zero', () => {
    const { ccel, rtmr } = simulatedEventLog({ software: '1.0', events: [] })
    const { results } = judged({ bytes: ccel, body: { rtmr }, claims: undefined })
    expect(results).toEqual({ ...PASS, claims: 'not-applicable' })
    const extended = judged({ bytes: ccel, body: good, claims: undefined })
    expect(extended.results).toEqual({ ...PASS, replay: 'fail', claims: 'not-applicable' })
    expect(extended.reasons.replay).toContain('RTMR3 of the quote')
    const three = judged({ bytes: ccel, body: good, claims: undefined }, [0, 1, 2])
    expect(three.results).toEqual({ ...PASS, claims: 'not-applicable' })
    expect(three.reasons.replay).toBe('replays to RTMR0, RTMR1, RTMR2; not compared: RTMR3')
  })

  it('needs RTMR3 for claims, whatever registers the policy names', () => {
    const { bytes } = simulatedEventLog(boot)
    const other = simulatedEventLog({ software: '1.0', events: events.slice(1) })
    const { results } = judged({ bytes, body: other, claims }, [0, 1, 2])
    expect(results).toEqual({ ...PASS, claims: 'fail' })
  })

  it.each<[string, MeasuredEvent[], string]>([
    ['no event', [], 'no event where the claims ask for chrysalis.software'],
    ['no software', events.slice(1), '"chrysalis.configuration" where the claims ask for chrysalis.software'],
    ['no configuration', events.toSpliced(1, 1), '"chrysalis.model" where chrysalis.configuration belongs'],
    ['one model less', events.slice(0, -1), 'no event where the claims ask for chrysalis.model'],
    [
      'one model more',
      [...events, ...events.slice(-1)],
      'an event that the claims do not state: "chrysalis.model"',
    ],
    ['something else at the end', [...events, { name: 'debug', payload: utf8('on') }], '"debug"'],
    [
      'models in another order',
      [...events.slice(0, 2), ...events.slice(2).toReversed()],
      'chrysalis.model differs',
    ],
    [
      'configuration first',
      [events[1], events[0], ...events.slice(2)].filter((e) => e !== undefined),
      'where the claims',
    ],
    [
      'software twice',
      [...events.slice(0, 1), ...events],
      '"chrysalis.software" where chrysalis.configuration',
    ],
    ['a configuration that is no JSON', withPayload(1, '{'), 'not RFC 8785'],
    ['a configuration with spaces', withPayload(1, '{ "threads": 2 }'), 'not RFC 8785'],
    [
      'software that is not canonical',
      withPayload(0, '{"version":"0.1.0","commit":"test"}'),
      'software differs',
    ],
  ])('fails claims of a TD that measured %s', (_name, measured, reason) => {
    const { results, reasons } = judgedWith(measured)
    expect(results).toEqual({ ...PASS, claims: 'fail' })
    expect(reasons.claims).toContain(reason)
  })

  it('fails claims that state something else than was measured', () => {
    const [first, second] = claims.models
    if (first === undefined || second === undefined) throw new Error('two models')
    const otherClaims: Partial<Claims>[] = [
      { software: { version: '0.1.1', commit: 'test' } },
      { software: { version: '0.1.0', commit: 'other' } },
      { models: [] },
      { models: [second, first] },
      { models: [first, { ...second, sha256: '00'.repeat(32) }] },
      { models: [first, { ...second, templateSha256: '00'.repeat(32) }] },
      { models: [first, { ...second, contextLength: 513 }] },
    ]
    for (const changes of otherClaims) {
      expect(judgedWith(events, { ...claims, ...changes }).results).toEqual({ ...PASS, claims: 'fail' })
    }
    const gateway = { ...claims, role: 'gateway' as const, models: [] }
    expect(judgedWith(measuredEvents(gateway, {}), gateway).results).toEqual(PASS)
  })

  it('takes no event of CCEL data or of dstack for one of ours', () => {
    // The same digests, written as boot events: nothing then says where name and payload part.
    const disguised = events.map(({ name, payload }) => ({
      rtmr: 3 as const,
      type: EV.ipl,
      data: utf8(name),
      digest: eventDigest(name, payload),
    }))
    const bytes = encodeCcel(disguised)
    const body = { rtmr: replay(parseEventLog(bytes)) }
    expect(body.rtmr.map(toHex)[3]).toBe(good.rtmr.map(toHex)[3])
    const { results, reasons } = judged({ bytes, body, claims })
    expect(results).toEqual({ ...PASS, claims: 'fail' })
    expect(reasons.claims).toContain('an event of EV_IPL')
    const named = events.map(({ name, payload }) => {
      return { imr: 3, event_type: EV.dstackRuntime, digest: '', event: name, event_payload: toHex(payload) }
    })
    const dstack = utf8(JSON.stringify(named))
    const dstackBody = { rtmr: replay(parseEventLog(dstack)) }
    expect(judged({ bytes: dstack, body: dstackBody, claims }).results).toEqual({ ...PASS, claims: 'fail' })
    const early = encodeEventLog({ ccel: encodeCcel(disguised.slice(0, 1)), events: events.slice(1) })
    expect(judged({ bytes: early, body: good, claims }, [3]).results).toEqual({ ...PASS, claims: 'fail' })
  })

  it('names the event whose data is not what was measured', () => {
    const ccel = encodeCcel([{ rtmr: 1, type: EV.efiAction, data: utf8('a'), digest: new Uint8Array(48) }])
    const { results, reasons } = judged({
      bytes: ccel,
      body: { rtmr: replay(parseEventLog(ccel)) },
      claims: undefined,
    })
    expect(results).toEqual({ ...PASS, digests: 'fail', claims: 'not-applicable' })
    const two = encodeCcel([
      { rtmr: 1, type: EV.efiAction, data: utf8('a'), digest: sha384(utf8('a')) },
      { rtmr: 1, type: EV.efiAction, data: utf8('a'), digest: new Uint8Array(48) },
    ])
    const input = { bytes: two, body: { rtmr: replay(parseEventLog(two)) }, claims: undefined }
    expect(judgeEventLog(new Factors(), input, {}).events).toEqual([])
    const reason =
      'event 0 (RTMR1, EV_EFI_ACTION): the data of this EV_EFI_ACTION does not hash to its digest'
    expect(reasons.digests).toBe(reason)
  })

  it('puts no control character of a log into a reason', () => {
    const event = {
      imr: 3,
      event_type: EV.dstackRuntime,
      digest: '',
      event: 'a\u001b[2J\nb',
      event_payload: '',
    }
    const bytes = utf8(JSON.stringify([event]))
    const { reasons } = judged({ bytes, body: { rtmr: replay(parseEventLog(bytes)) }, claims })
    expect(reasons.claims).toMatch(/^[\x20-\x7e]+$/)
  })
})

describe('secureBoot', () => {
  it('is what the firmware measured before the separator, and nothing that came later', () => {
    const { ccel } = simulatedEventLog(boot)
    const { entries } = parseEventLog(ccel)
    const at = entries.findIndex(({ type, data }) => type === EV.variableDriverConfig && data.length === 53)
    const log = entries.map(({ rtmr, type = 0, digest, data }) => ({ rtmr, type, digest, data }))
    const secure = log[at]
    if (secure === undefined) throw new Error('no variable')
    const on = { ...secure, data: secure.data.with(-1, 1) }
    const turnedOn = { ...on, digest: sha384(on.data) }
    const told = (list: typeof log): boolean | undefined => {
      const bytes = encodeCcel(list)
      const input = { bytes, body: { rtmr: replay(parseEventLog(bytes)) }, claims: undefined }
      return judgeEventLog(new Factors(), input, {}).secureBoot
    }
    expect(told(log)).toBe(false)
    expect(told(log.with(at, turnedOn))).toBe(true)
    expect(told([...log, turnedOn])).toBe(false)
    expect(told([...log.toSpliced(at, 1), turnedOn])).toBeUndefined()
    expect(told(log.with(at, { ...turnedOn, rtmr: 1 }))).toBeUndefined()
    // A variable of another vendor, and one with bytes behind its value.
    for (const data of [on.data.with(0, 0), Uint8Array.from([...on.data, 1])]) {
      expect(told(log.with(at, { ...on, data, digest: sha384(data) }))).toBeUndefined()
    }
  })
})

function withPayload(at: number, payload: string): MeasuredEvent[] {
  return events.map((event, i) => (i === at ? { ...event, payload: utf8(payload) } : event))
}
