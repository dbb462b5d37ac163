/** Reads an event log of any of the known formats. */

import { parseStrictJson } from '../json.ts'
import { parseCcel } from './ccel.ts'
import { readEventLog } from './chrysalis.ts'
import { parseDstackEvents } from './dstack.ts'
import { type EventLog, EventLogError, MAX_EVENT_LOG } from './log.ts'

/**
 * Reads an event log: a raw CCEL data area, dstack's JSON (the array of events, or a GetQuote answer with `event_log`),
 * or ours. Every event's digest is compared with its data here; nothing is believed before `judgeEventLog`. Throws
 * EventLogError (ERR_EVENT_LOG) for everything that is not exactly one of these.
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > MAX_EVENT_LOG) throw new EventLogError(`event log: more than ${MAX_EVENT_LOG} bytes`)
  if (bytes.length === 0) throw new EventLogError('event log: it is empty')
  if (!looksLikeJson(bytes)) return { source: 'ccel', entries: parseCcel(bytes) }
  return parseJson(bytes)
}

function parseJson(bytes: Uint8Array): EventLog {
  let json: unknown
  try {
    json = parseStrictJson(bytes)
  } catch {
    throw new EventLogError('event log: not JSON, or a name twice in one object')
  }
  if (Array.isArray(json)) return { source: 'dstack', entries: parseDstackEvents(json) }
  if (typeof json === 'object' && json !== null) {
    if ('format' in json) return { source: 'chrysalis', entries: readEventLog(json) }
    if ('event_log' in json) return { source: 'dstack', entries: parseDstackEvents(json.event_log) }
  }
  throw new EventLogError('event log: neither CCEL data, nor a log of dstack or of Chrysalis')
}

// A CCEL log begins with a register number below 5, so the first byte tells.
function looksLikeJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
  return first === 0x7b || first === 0x5b
}
