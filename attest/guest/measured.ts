/**
 * Our events in RTMR3, extended once in each boot. A register forgets what it was extended with, so the list is kept in
 * a file that only root may read, written before the first extension: a process that starts again in the same boot, or
 * after a crash between two extensions, finds there what the register stands for, and goes on from it.
 *
 * The file is never believed: what it says must replay to the register.
 */

import { z } from 'zod'
import { equalBytes, fromBase64, isZero, toBase64, toHex } from '../bytes.ts'
import { eventDigest, type MeasuredEvent } from '../eventlog/index.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { errnoOf, GuestError } from './errors.ts'
import type { Files } from './files.ts'
import { readText } from './probe.ts'
import { extended, extendRtmr3, readRtmr3 } from './registers.ts'

const FORMAT = 'chrysalis/measured/1'
const MAX_RECORD = 2 * 1024 * 1024

const recordSchema = z.strictObject({
  format: z.literal(FORMAT),
  bootId: z.string(),
  events: z.array(z.strictObject({ name: z.string(), payload: z.string() })),
})

const REBOOT =
  'Reboot the TD: RTMR3 can only be extended, and starts at zero with each boot. Let no other program extend it'

/**
 * Makes RTMR3 stand for these events and nothing else. Returns its value.
 *
 * @throws GuestError ERR_GUEST_REGISTER when RTMR3 stands for anything else, or as registers.ts throws
 */
export async function measureOnce(
  files: Files,
  recordPath: string,
  events: readonly MeasuredEvent[],
): Promise<Uint8Array> {
  const bootId = (await readText(files, '/proc/sys/kernel/random/boot_id'))?.trim()
  if (bootId === undefined || bootId === '')
    throw new GuestError('ERR_GUEST_REGISTER', '/proc/sys/kernel/random/boot_id: cannot be read. Mount /proc')
  const register = await readRtmr3(files)
  const states = statesOf(events)
  const done = await countDone(files, { recordPath, bootId, register, events, states })
  let value = register
  for (const { name, payload } of events.slice(done))
    value = await extendRtmr3(files, eventDigest(name, payload))
  return value
}

/** The value of RTMR3 before the first event, and after each. */
function statesOf(events: readonly MeasuredEvent[]): Uint8Array[] {
  const states: Uint8Array[] = [new Uint8Array(48)]
  for (const { name, payload } of events) {
    const before = states.at(-1) ?? new Uint8Array(48)
    states.push(extended(before, eventDigest(name, payload)))
  }
  return states
}

/** How many of the events RTMR3 stands for already; writes the record before there is any. */
async function countDone(
  files: Files,
  now: {
    recordPath: string
    bootId: string
    register: Uint8Array
    events: readonly MeasuredEvent[]
    states: readonly Uint8Array[]
  },
): Promise<number> {
  const { recordPath, bootId, register, events, states } = now
  if (isZero(register)) {
    await files.replace(recordPath, encode(bootId, events))
    return 0
  }
  const recorded = await readRecord(files, recordPath, bootId)
  if (recorded === undefined) {
    throw new GuestError(
      'ERR_GUEST_REGISTER',
      `RTMR3 is ${toHex(register)} and nothing of this boot says what that stands for: something else extended it. ${REBOOT}`,
    )
  }
  if (!statesOf(recorded).some((state) => equalBytes(state, register))) {
    throw new GuestError(
      'ERR_GUEST_REGISTER',
      `RTMR3 is not what the events in ${recordPath} replay to: something else extended it. ${REBOOT}`,
    )
  }
  if (!sameEvents(recorded, events)) {
    throw new GuestError(
      'ERR_GUEST_REGISTER',
      `this boot was measured with ${differenceOf(recorded, events)}. ${REBOOT}`,
    )
  }
  return states.findIndex((state) => equalBytes(state, register))
}

function sameEvents(a: readonly MeasuredEvent[], b: readonly MeasuredEvent[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ name, payload }, i) => {
      const other = b[i]
      return other !== undefined && name === other.name && equalBytes(payload, other.payload)
    })
  )
}

function differenceOf(recorded: readonly MeasuredEvent[], wanted: readonly MeasuredEvent[]): string {
  if (recorded.length !== wanted.length)
    return `${recorded.length} events, and now there are ${wanted.length}`
  const index = recorded.findIndex((event, i) => !sameEvents([event], wanted.slice(i, i + 1)))
  return `another ${recorded[index]?.name ?? 'event'} (event ${index + 1} of ${recorded.length})`
}

function encode(bootId: string, events: readonly MeasuredEvent[]): Uint8Array {
  return canonicalBytes({
    format: FORMAT,
    bootId,
    events: events.map(({ name, payload }) => ({ name, payload: toBase64(payload) })),
  })
}

/** The events recorded in this boot; undefined where there is no such record, or none that can be read. */
async function readRecord(
  files: Files,
  path: string,
  bootId: string,
): Promise<readonly MeasuredEvent[] | undefined> {
  try {
    const record = recordSchema.parse(parseStrictJson(await files.read(path, MAX_RECORD)))
    if (record.bootId !== bootId) return undefined
    const events = record.events.map(({ name, payload }) => ({ name, payload: fromBase64(payload) }))
    // Names that cannot be measured make it no record.
    statesOf(events)
    return events
  } catch (error) {
    const code = errnoOf(error)
    // What is no record explains no register, so the caller refuses; what cannot be read may be read later.
    if (code !== undefined && code !== 'ENOENT' && code !== 'EFBIG') throw error
    return undefined
  }
}
