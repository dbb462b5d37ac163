/** Judges an event log against the quote's registers and the claims. */

import { equalBytes } from '../bytes.ts'
import type { Claims } from '../evidence/claims.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { EVENTLOG_FACTORS, type Factors } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import type { TdBody } from '../tdx/quote.ts'
import { EVENT_NAMES } from './chrysalis.ts'
import { isSecureBoot, parseEfiVariable } from './efi.ts'
import { type EventLog, type EventLogEntry, EventLogError, type Register, replay } from './log.ts'
import { parseEventLog } from './parse.ts'
import { isSeparatorDigest } from './recompute.ts'
import { EV, typeName } from './types.ts'

const ALL: readonly number[] = [0, 1, 2, 3]

export interface EventLogInput {
  /** The log as delivered; undefined when there is none. */
  bytes: Uint8Array | undefined
  /** The TD report of the quote; undefined when there is none to compare with. */
  body: Pick<TdBody, 'rtmr'> | undefined
  /** What the log has to agree with; undefined for a bare quote. */
  claims: Claims | undefined
}

/** What a log proved. */
export interface BelievedEvents {
  /**
   * Events whose digest was recomputed, in registers that replayed; `measured` holds what is proven of each. Empty
   * unless format, replay and digests passed.
   */
  events: readonly EventLogEntry[]
  /** Whether the firmware measured Secure Boot as on; undefined when it did not say. As good as the pin on MRTD. */
  secureBoot: boolean | undefined
  /** The configuration that our TD measured; undefined unless eventlog.claims passed. */
  configuration: unknown
}

/** Sets the four factors of event logs. Never throws; `eventLog.registers` of the policy narrows what must replay. */
export function judgeEventLog(
  factors: Factors,
  { bytes, body, claims }: EventLogInput,
  policy: Pick<Policy, 'eventLog'>,
): BelievedEvents {
  const nothing: BelievedEvents = { events: [], secureBoot: undefined, configuration: undefined }
  if (bytes === undefined) {
    for (const name of EVENTLOG_FACTORS) factors.set(name, 'skip', 'there is no event log')
    return nothing
  }
  const log = readLog(factors, bytes)
  if (log === undefined) return nothing
  const whole = judgeDigests(factors, log)
  if (body === undefined) {
    for (const name of EVENTLOG_FACTORS) factors.set(name, 'skip', 'there is no quote to compare with')
    return nothing
  }
  const registers = policy.eventLog?.registers ?? ALL
  const computed = replay(log)
  const differing = ALL.filter((i) => !sameRegister(computed[i as Register], body.rtmr[i as Register]))
  const replayed = judgeReplay(factors, registers, differing)
  const configuration = judgeClaims(factors, log, claims, !differing.includes(3))
  if (!whole || !replayed) return nothing
  const events = log.entries.filter(({ check, rtmr }) => check === 'recomputed' && registers.includes(rtmr))
  return { events, secureBoot: registers.includes(0) ? secureBoot(log) : undefined, configuration }
}

function readLog(factors: Factors, bytes: Uint8Array): EventLog | undefined {
  try {
    const log = parseEventLog(bytes)
    factors.set('eventlog.format', 'pass', `${log.entries.length} events in the format of ${log.source}`)
    return log
  } catch (error) {
    const reason = error instanceof EventLogError ? error.message : 'the event log could not be read'
    factors.set('eventlog.format', 'fail', reason)
    for (const name of EVENTLOG_FACTORS) factors.set(name, 'skip', 'the event log could not be read')
    return undefined
  }
}

function judgeDigests(factors: Factors, { entries }: EventLog): boolean {
  const bad = entries.findIndex(({ check }) => check === 'mismatch')
  const entry = entries[bad]
  const believed = entries.filter(({ check }) => check === 'recomputed').length
  factors.expect(
    'eventlog.digests',
    entry === undefined,
    `${believed} of ${entries.length} events recomputed, the others are digests alone`,
    entry === undefined ? '' : `event ${bad} (RTMR${entry.rtmr}, ${typeName(entry.type)}): ${entry.problem}`,
  )
  return entry === undefined
}

function judgeReplay(factors: Factors, registers: readonly number[], differing: readonly number[]): boolean {
  const bad = registers.filter((i) => differing.includes(i))
  const names = (list: readonly number[]): string => list.map((i) => `RTMR${i}`).join(', ')
  const left = ALL.filter((i) => !registers.includes(i))
  factors.expect(
    'eventlog.replay',
    bad.length === 0,
    left.length === 0 ? 'replays to RTMR0-3' : `replays to ${names(registers)}; not compared: ${names(left)}`,
    `does not replay to ${names(bad)} of the quote: another boot, or events were changed, added or left out`,
  )
  return bad.length === 0
}

function sameRegister(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b)
}

/** Returns the measured configuration when the claims are what RTMR3 states. `replayed` is about RTMR3 alone. */
function judgeClaims(
  factors: Factors,
  log: EventLog,
  claims: Claims | undefined,
  replayed: boolean,
): unknown {
  const name = 'eventlog.claims'
  if (claims === undefined) {
    factors.set(name, 'not-applicable', 'there are no claims to compare with')
    return undefined
  }
  try {
    // Whatever the policy compares: claims rest on RTMR3, so this log has to be what made it.
    if (!replayed) throw new EventLogError('the log does not replay to RTMR3')
    const configuration = compareClaims(log, claims)
    factors.set(name, 'pass', 'RTMR3 is software, configuration and models as claimed, and nothing else')
    return configuration
  } catch (error) {
    factors.set(name, 'fail', error instanceof EventLogError ? error.message : 'RTMR3 could not be compared')
    return undefined
  }
}

function compareClaims({ entries }: EventLog, { software, models }: Claims): unknown {
  const own = entries.filter(({ rtmr }) => rtmr === 3)
  const [first, second, ...rest] = own
  expectEvent(first, EVENT_NAMES.software, canonicalBytes(software))
  const configuration = readConfiguration(second)
  for (const [i, model] of models.entries()) expectEvent(rest[i], EVENT_NAMES.model, canonicalBytes(model))
  if (rest.length > models.length) {
    const extra = rest[models.length]
    throw new EventLogError(`RTMR3 holds an event that the claims do not state: ${eventText(extra)}`)
  }
  return configuration
}

function expectEvent(entry: EventLogEntry | undefined, name: string, payload: Uint8Array): void {
  if (entry?.source !== 'chrysalis' || entry.name !== name) {
    throw new EventLogError(`RTMR3 holds ${eventText(entry)} where the claims ask for ${name}`)
  }
  if (!equalBytes(entry.data, payload)) throw new EventLogError(`RTMR3: ${name} differs from the claims`)
}

function readConfiguration(entry: EventLogEntry | undefined): unknown {
  const { configuration: name } = EVENT_NAMES
  if (entry?.source !== 'chrysalis' || entry.name !== name) {
    throw new EventLogError(`RTMR3 holds ${eventText(entry)} where ${name} belongs`)
  }
  try {
    const value = parseStrictJson(entry.data)
    if (equalBytes(canonicalBytes(value), entry.data)) return value
  } catch {
    // Falls through to the one answer for what is not canonical JSON.
  }
  throw new EventLogError(`RTMR3: ${name} is not RFC 8785 JSON`)
}

function eventText(entry: EventLogEntry | undefined): string {
  if (entry === undefined) return 'no event'
  return entry.name === undefined ? `an event of ${typeName(entry.type)}` : JSON.stringify(entry.name)
}

// Only before the separator does the firmware alone write into RTMR0; later events there are the boot loader's.
function secureBoot({ entries }: EventLog): boolean | undefined {
  for (const { rtmr, type, digest, measured } of entries) {
    if (rtmr !== 0) continue
    if (isSeparatorDigest(digest)) return undefined
    if (type !== EV.variableDriverConfig || measured === undefined) continue
    const variable = parseEfiVariable(measured)
    if (variable !== undefined && isSecureBoot(variable))
      return variable.value.length === 1 && variable.value[0] === 1
  }
  return undefined
}
