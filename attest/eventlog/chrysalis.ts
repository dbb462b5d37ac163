/**
 * Our own events in RTMR3, and the log that carries them: {"format":"chrysalis/event-log/1","ccel"?:base64,
 * "events":[{"name","payload":base64}]}. It holds no digests: each is made from name and payload.
 */

import { sha384 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { concat, fromBase64, toBase64, utf8 } from '../bytes.ts'
import type { Claims } from '../evidence/claims.ts'
import { canonicalBytes } from '../json.ts'
import { firstIssue } from '../schema.ts'
import { parseCcel, trimCcel } from './ccel.ts'
import { type EventLogEntry, EventLogError, MAX_EVENT_LOG } from './log.ts'

export const EVENT_LOG_FORMAT = 'chrysalis/event-log/1'

/** The events that a TD of ours extends, in this order; one `model` for each model, in the order of the claims. */
export const EVENT_NAMES = {
  software: 'chrysalis.software',
  configuration: 'chrysalis.configuration',
  model: 'chrysalis.model',
} as const

/** One of our events, in the order of extension. */
export interface MeasuredEvent {
  /** 1 to 64 of a-z, 0-9, dot and hyphen. */
  name: string
  payload: Uint8Array
}

const NAME = /^[a-z0-9.-]{1,64}$/
const MAX_EVENTS = 1024
const DOMAIN = utf8('chrysalis/event/1\0')

const logSchema = z.strictObject({
  format: z.literal(EVENT_LOG_FORMAT),
  ccel: z.string().optional(),
  events: z.array(z.strictObject({ name: z.string(), payload: z.string() })).max(MAX_EVENTS),
})

/** SHA-384("chrysalis/event/1" || 00 || name || 00 || payload), 48 bytes: what RTMR3 is extended with. */
export function eventDigest(name: string, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(sha384(preimage(name, payload)))
}

function preimage(name: string, payload: Uint8Array): Uint8Array {
  if (!NAME.test(name)) throw new EventLogError('event: its name is not 1 to 64 of a-z, 0-9, dot and hyphen')
  return concat(DOMAIN, utf8(`${name}\0`), payload)
}

/**
 * The events that a TD must extend before it makes claims: software, configuration (any JSON value that changes what
 * the program does), then each model. Payloads are RFC 8785 JSON.
 */
export function measuredEvents(
  { software, models }: Pick<Claims, 'software' | 'models'>,
  configuration: unknown,
): MeasuredEvent[] {
  const event = (name: string, value: unknown): MeasuredEvent => ({ name, payload: canonicalBytes(value) })
  return [
    event(EVENT_NAMES.software, software),
    event(EVENT_NAMES.configuration, configuration),
    ...models.map((model) => event(EVENT_NAMES.model, model)),
  ]
}

/**
 * Encodes our log as RFC 8785 JSON; padding of the CCEL area is left out.
 * Throws EventLogError for a bad name, a CCEL that is no log, and more than MAX_EVENT_LOG bytes.
 */
export function encodeEventLog(log: {
  ccel?: Uint8Array | undefined
  events: readonly MeasuredEvent[]
}): Uint8Array<ArrayBuffer> {
  const events = log.events.map(({ name, payload }) => {
    // Refuses the names that the parser would refuse.
    preimage(name, payload)
    return { name, payload: toBase64(payload) }
  })
  if (events.length > MAX_EVENTS) throw new EventLogError(`event log: more than ${MAX_EVENTS} events`)
  const ccel = log.ccel === undefined ? {} : { ccel: toBase64(trimCcel(log.ccel)) }
  const bytes = canonicalBytes({ format: EVENT_LOG_FORMAT, ...ccel, events })
  if (bytes.length > MAX_EVENT_LOG) throw new EventLogError(`event log: more than ${MAX_EVENT_LOG} bytes`)
  return bytes
}

/** Reads our log from parsed JSON: the events of its CCEL, then ours. Throws EventLogError that names the field. */
export function readEventLog(input: unknown): EventLogEntry[] {
  const parsed = logSchema.safeParse(input)
  if (!parsed.success) throw new EventLogError(`event log: ${firstIssue(parsed.error)}`)
  const { ccel, events } = parsed.data
  const boot = ccel === undefined ? [] : parseCcel(decode(ccel, 'ccel'))
  return [
    ...boot,
    ...events.map(({ name, payload }) => ownEntry(name, decode(payload, `payload of ${name}`))),
  ]
}

function ownEntry(name: string, payload: Uint8Array): EventLogEntry {
  const measured = preimage(name, payload)
  return {
    rtmr: 3,
    type: undefined,
    digest: sha384(measured),
    data: payload,
    check: 'recomputed',
    measured,
    problem: undefined,
    name,
    payload,
    source: 'chrysalis',
  }
}

function decode(text: string, field: string): Uint8Array {
  try {
    return fromBase64(text)
  } catch {
    throw new EventLogError(`event log: ${field} is not canonical base64`)
  }
}
