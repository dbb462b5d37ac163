/** What every kind of event log is read into, and its replay into RTMR0-3. */

import { sha384 } from '@noble/hashes/sha2.js'
import { concat } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { FieldReader } from '../fields.ts'

/** The largest event log that is looked at, padding included, in bytes (real areas: 64 to 256 KiB). */
export const MAX_EVENT_LOG = 512 * 1024

/** Length of a measurement in bytes: SHA-384, as the registers. */
export const DIGEST_LENGTH = 48

/** Bytes are no event log, or not one that can be read in exactly one way. */
export class EventLogError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_EVENT_LOG', message)
  }
}

/** Reads a structure of a log; `what` names it in errors. */
export function logReader(bytes: Uint8Array, what: string): FieldReader {
  return new FieldReader(bytes, (problem) => new EventLogError(`${what}: ${problem}`))
}

export type Register = 0 | 1 | 2 | 3

/**
 * How far an event's own text may be believed. `recomputed`: its digest is the hash of bytes that the log holds.
 * `opaque`: the digest is of something else (a file, a table), so the text beside it is anybody's word. `mismatch`: the
 * text claims to be what was measured, and is not.
 */
export type Check = 'recomputed' | 'opaque' | 'mismatch'

/** One event that extended a register. */
export interface EventLogEntry {
  /** The register that it extends. */
  rtmr: Register
  /** TCG event type as the log labels it, which nothing measures; undefined for our own events. */
  type: number | undefined
  /** 48 bytes: what the register was extended with. */
  digest: Uint8Array
  /** The event's data as logged. */
  data: Uint8Array
  check: Check
  /** The bytes whose SHA-384 is the digest; undefined unless `check` is `recomputed`. */
  measured: Uint8Array | undefined
  /** Why the check is `mismatch`. */
  problem: string | undefined
  /** Name of one of our events or of dstack's; part of what is measured. */
  name: string | undefined
  /** Payload of one of our events or of dstack's; part of what is measured. */
  payload: Uint8Array | undefined
  source: 'ccel' | 'dstack' | 'chrysalis'
}

export interface EventLog {
  /** The format that the log came in. */
  source: EventLogEntry['source']
  /** In the order of extension. Events that extend nothing (EV_NO_ACTION) are left out. */
  entries: readonly EventLogEntry[]
}

/** What RTMR0 to 3 hold after these events, 48 bytes each: RTMR' = SHA-384(RTMR || digest), from zeros. */
export function replay({
  entries,
}: Pick<EventLog, 'entries'>): [Uint8Array, Uint8Array, Uint8Array, Uint8Array] {
  const registers: [Uint8Array, Uint8Array, Uint8Array, Uint8Array] = [zeros(), zeros(), zeros(), zeros()]
  for (const { rtmr, digest } of entries) registers[rtmr] = sha384(concat(registers[rtmr], digest))
  return registers
}

function zeros(): Uint8Array {
  return new Uint8Array(DIGEST_LENGTH)
}
