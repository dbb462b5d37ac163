/**
 * dstack's event log as JSON: the boot events of CCEL with registers counted from 0, followed by runtime events in RTMR3.
 * Digests of runtime events: V1 = SHA-384(u32le type || ":" || name || ":" || payload), V2 = SHA-384(RFC 8785 JSON of
 * name, payload in hex and type). A log may leave them out, and may leave out the data of boot events.
 */

import { sha384 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { concat, equalBytes, fromHex, isZero, utf8 } from '../bytes.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { firstIssue } from '../schema.ts'
import { DIGEST_LENGTH, type EventLogEntry, EventLogError, type Register } from './log.ts'
import { type Recomputed, recompute } from './recompute.ts'
import { EV } from './types.ts'

const hexText = z.string().regex(/^(?:[0-9a-f]{2})*$/, 'not lower-case hex')

const eventSchema = z.strictObject({
  imr: z.int().min(0).max(3),
  event_type: z.int().min(0).max(0xffffffff),
  digest: hexText.default(''),
  event: z.string().max(1024),
  event_payload: hexText,
  version: z.union([z.literal(1), z.literal(2)]).optional(),
  // What its own service says was hashed. Recomputed here, so not read.
  preimage: z.string().nullish(),
})
const MAX_EVENTS = 4096

type DstackEvent = z.infer<typeof eventSchema>

/** Reads dstack's array of events, or the JSON text of one. Throws EventLogError that names the wrong field. */
export function parseDstackEvents(input: unknown): EventLogEntry[] {
  const events = typeof input === 'string' ? parseText(input) : input
  if (!Array.isArray(events)) throw new EventLogError('event log: event_log is not an array of dstack events')
  if (events.length > MAX_EVENTS) throw new EventLogError(`event log: more than ${MAX_EVENTS} events`)
  // One by one, so that the first wrong event ends it.
  return events.map(readEvent).filter((entry) => entry !== undefined)
}

function parseText(text: string): unknown {
  try {
    return parseStrictJson(utf8(text))
  } catch {
    throw new EventLogError('event log: event_log is not JSON, or names something twice')
  }
}

/** Undefined for an event that extends nothing. */
function readEvent(input: unknown, index: number): EventLogEntry | undefined {
  const parsed = eventSchema.safeParse(input)
  if (!parsed.success) throw new EventLogError(`event log: dstack event ${firstIssue(parsed.error, index)}`)
  const event = parsed.data
  const given = fromHex(event.digest)
  if (given.length !== 0 && given.length !== DIGEST_LENGTH) {
    throw new EventLogError(`event log: the digest of event ${index} is not 48 bytes`)
  }
  if (event.event_type === EV.noAction) {
    if (!isZero(given)) throw new EventLogError(`event log: event ${index} extends nothing, but has a digest`)
    return undefined
  }
  return event.event_type === EV.dstackRuntime ? runtimeEvent(event, given) : bootEvent(event, given, index)
}

function bootEvent(event: DstackEvent, digest: Uint8Array, index: number): EventLogEntry {
  if (digest.length === 0)
    throw new EventLogError(`event log: event ${index} has no digest, and nothing to make it from`)
  const data = fromHex(event.event_payload)
  // Data left out to save space is no contradiction: there is just nothing to believe.
  const left: Recomputed = { check: 'opaque', measured: undefined, problem: undefined }
  const checked = data.length === 0 ? left : recompute(event.event_type, digest, data)
  return entry(event, digest, data, checked)
}

function runtimeEvent(event: DstackEvent, given: Uint8Array): EventLogEntry {
  const payload = fromHex(event.event_payload)
  const versions = event.version === undefined ? ([1, 2] as const) : [event.version]
  const preimages = versions.map((version) => ({ version, bytes: preimage(event, payload, version) }))
  // Without a digest, a log without version numbers is of the first version: the second always writes its number.
  const fitting =
    given.length === 0 ? preimages[0] : preimages.find(({ bytes }) => equalBytes(sha384(bytes), given))
  if (fitting === undefined) {
    const problem = 'name and payload of this dstack event do not hash to its digest'
    return entry(event, given, payload, { check: 'mismatch', measured: undefined, problem })
  }
  const digest = given.length === 0 ? sha384(fitting.bytes) : given
  // V1 has no length: with a colon in the name, name and payload could be cut elsewhere.
  const ambiguous = fitting.version === 1 && event.event.includes(':')
  if (ambiguous)
    return entry(event, digest, payload, { check: 'opaque', measured: undefined, problem: undefined })
  const read = entry(event, digest, payload, {
    check: 'recomputed',
    measured: fitting.bytes,
    problem: undefined,
  })
  return { ...read, name: event.event, payload }
}

function preimage(event: DstackEvent, payload: Uint8Array, version: 1 | 2): Uint8Array {
  if (version === 1) return concat(Uint8Array.of(1, 0, 0, 8), utf8(`:${event.event}:`), payload)
  return canonicalBytes({ name: event.event, payload: event.event_payload, type: event.event_type })
}

function entry(event: DstackEvent, digest: Uint8Array, data: Uint8Array, checked: Recomputed): EventLogEntry {
  return {
    rtmr: event.imr as Register,
    type: event.event_type,
    digest,
    data,
    ...checked,
    name: undefined,
    payload: undefined,
    source: 'dstack',
  }
}
