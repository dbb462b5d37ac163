/**
 * The confidential computing event log of a TD: the data area that ACPI's CCEL table points to, which Linux shows as
 * /sys/firmware/acpi/tables/data/CCEL. A TCG crypto-agile log (PC Client Platform Firmware Profile, section 10.2) with
 * SHA-384 as its one algorithm; register indices 1 to 4 mean RTMR0 to 3 (UEFI 2.10, section 38.4.1).
 */

import { concat, equalBytes, fromUtf8, isZero, u16le, u32le, utf8 } from '../bytes.ts'
import type { FieldReader } from '../fields.ts'
import { DIGEST_LENGTH, type EventLogEntry, EventLogError, logReader, type Register } from './log.ts'
import { recompute } from './recompute.ts'
import { EV } from './types.ts'

const SHA384 = 0x000c
const SIGNATURE = utf8('Spec ID Event03\0')
const PADDING = 0xffffffff
const TABLE_LENGTH = 56

/** Reads a CCEL data area, with or without its padding of FF bytes. Throws EventLogError. */
export function parseCcel(bytes: Uint8Array): EventLogEntry[] {
  return readCcel(bytes).entries
}

/** The log without its padding, of an area of any size: what to send. Throws EventLogError for what is no log. */
export function trimCcel(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, readCcel(bytes).length)
}

function readCcel(bytes: Uint8Array): { entries: EventLogEntry[]; length: number } {
  if (isTable(bytes)) {
    throw new EventLogError('event log: this is the ACPI table CCEL; the log is the file data/CCEL beside it')
  }
  const reader = logReader(bytes, 'event log')
  readSpecId(reader)
  const entries: EventLogEntry[] = []
  while (!reader.done) {
    if (atPadding(reader)) break
    const entry = readEvent(reader)
    if (entry !== undefined) entries.push(entry)
  }
  return { entries, length: reader.offset }
}

/** The first record, in SHA-1 form, which tells the algorithms of the others and extends nothing. */
function readSpecId(reader: FieldReader): void {
  const index = reader.uint(4, 'the first record')
  const type = reader.uint(4, 'the first record')
  const digest = reader.take(20, 'the first record')
  if (index > 4 || type !== EV.noAction || !isZero(digest)) {
    throw new EventLogError('event log: it does not begin with a Spec ID record')
  }
  const spec = logReader(reader.take(reader.uint(4, 'the Spec ID'), 'the Spec ID'), 'event log: Spec ID')
  if (!equalBytes(spec.take(SIGNATURE.length, 'its signature'), SIGNATURE)) {
    throw new EventLogError('event log: the Spec ID is not "Spec ID Event03"')
  }
  // Platform class, minor and major version, errata, width of UINTN: no bearing on how the rest is read.
  spec.take(8, 'its versions')
  const algorithms = spec.uint(4, 'its algorithms')
  if (algorithms !== 1) throw new EventLogError('event log: not exactly one digest algorithm, SHA-384')
  const id = spec.uint(2, 'its algorithm')
  const size = spec.uint(2, 'its algorithm')
  if (id !== SHA384 || size !== DIGEST_LENGTH)
    throw new EventLogError('event log: its digests are not SHA-384')
  spec.take(spec.uint(1, 'vendor data'), 'vendor data')
  spec.end()
}

function atPadding(reader: FieldReader): boolean {
  const rest = reader.rest()
  if (rest.length < 4 || rest[0] !== 0xff) return false
  if (new DataView(rest.buffer, rest.byteOffset, 4).getUint32(0, true) !== PADDING) return false
  if (rest.some((byte) => byte !== 0xff)) throw new EventLogError('event log: its padding is not all FF')
  return true
}

/** Undefined for an event that extends nothing. */
function readEvent(reader: FieldReader): EventLogEntry | undefined {
  const at = reader.offset
  const fail = (what: string): never => {
    throw new EventLogError(`event log: the event at byte ${at} ${what}`)
  }
  const index = reader.uint(4, 'an event')
  const type = reader.uint(4, 'an event type')
  const count = reader.uint(4, 'a digest count')
  if (count !== 1) return fail(`has ${count} digests, not one`)
  if (reader.uint(2, 'a digest algorithm') !== SHA384) return fail('has a digest that is not SHA-384')
  const digest = reader.take(DIGEST_LENGTH, 'a digest')
  const data = reader.take(reader.uint(4, 'the size of an event'), 'the data of an event')
  if (type === EV.noAction) {
    if (!isZero(digest)) return fail('extends nothing, but has a digest')
    return undefined
  }
  if (index < 1 || index > 4) return fail(`extends register ${index}, not 1 to 4 (RTMR0 to 3)`)
  const rtmr = (index - 1) as Register
  const checked = recompute(type, digest, data)
  return { rtmr, type, digest, data, ...checked, name: undefined, payload: undefined, source: 'ccel' }
}

/** One event to write. */
export interface CcelEvent {
  rtmr: Register
  type: number
  /** 48 bytes */ digest: Uint8Array
  data: Uint8Array
}

/** Writes a CCEL data area: Spec ID, the events in order, then FF bytes up to `size` (none when absent). */
export function encodeCcel(events: readonly CcelEvent[], size?: number): Uint8Array<ArrayBuffer> {
  const spec = concat(
    SIGNATURE,
    u32le(0),
    Uint8Array.of(0, 2, 0, 2),
    u32le(1),
    u16le(SHA384),
    u16le(DIGEST_LENGTH),
    Uint8Array.of(0),
  )
  const head = concat(u32le(1), u32le(EV.noAction), new Uint8Array(20), u32le(spec.length), spec)
  const records = events.map(({ rtmr, type, digest, data }) => {
    if (digest.length !== DIGEST_LENGTH) throw new EventLogError('event log: a digest is not 48 bytes')
    return concat(u32le(rtmr + 1), u32le(type), u32le(1), u16le(SHA384), digest, u32le(data.length), data)
  })
  const log = concat(head, ...records)
  if (size === undefined) return log
  if (log.length > size) throw new EventLogError(`event log: ${log.length} bytes do not fit in ${size}`)
  const area = new Uint8Array(size).fill(0xff)
  area.set(log)
  return area
}

/** ACPI's CCEL table (56 bytes), which says where the log lies. Nothing in it is measured. */
export interface CcelTable {
  revision: number
  /** 6 characters */ oemId: string
  /** 2 is Intel TDX. */
  type: number
  subtype: number
  /** Size of the log's area in bytes. */
  logLength: bigint
  /** Its guest-physical address. */
  logAddress: bigint
}

/** Reads the ACPI table (Intel's Guest-Host Communication Interface, CCEL). Throws EventLogError. */
export function parseCcelTable(bytes: Uint8Array): CcelTable {
  if (bytes.length !== TABLE_LENGTH || !isTable(bytes)) {
    throw new EventLogError(`CCEL table: not ${TABLE_LENGTH} bytes that begin with CCEL`)
  }
  const reader = logReader(bytes, 'CCEL table')
  reader.take(4, 'its signature')
  if (reader.uint(4, 'its length') !== TABLE_LENGTH)
    throw new EventLogError('CCEL table: its length is not 56')
  if (bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0) !== 0)
    throw new EventLogError('CCEL table: wrong checksum')
  const revision = reader.uint(1, 'its revision')
  reader.take(1, 'its checksum')
  const oemId = ascii(reader.take(6, 'its OEM id'))
  reader.take(20, 'its OEM and creator fields')
  const type = reader.uint(1, 'its type')
  const subtype = reader.uint(1, 'its subtype')
  reader.take(2, 'reserved bytes')
  const logLength = reader.u64('the length of the log')
  const logAddress = reader.u64('the address of the log')
  reader.end()
  return { revision, oemId, type, subtype, logLength, logAddress }
}

function isTable(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, 4), utf8('CCEL'))
}

function ascii(bytes: Uint8Array): string {
  return fromUtf8(bytes.map((byte) => (byte >= 0x20 && byte < 0x7f ? byte : 0x3f))).trim()
}
