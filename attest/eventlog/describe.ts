/** Tells an event log to a person, one line for each event, in printable ASCII alone. */

import { toHex } from '../bytes.ts'
import { imagePath, parseEfiVariable, utf16 } from './efi.ts'
import type { EventLog, EventLogEntry } from './log.ts'
import { EV, typeName } from './types.ts'

const MAX_TEXT = 120
const MAX_VALUE = 32

/** Types whose data, or what was measured of it, begins with a variable's name. */
const VARIABLES: ReadonlySet<number | undefined> = new Set([
  EV.variableDriverConfig,
  EV.variableBoot,
  EV.variableBoot2,
  EV.variableAuthority,
])

/** Types whose data begins with a description and its length in one byte. */
const DESCRIBED: ReadonlySet<number | undefined> = new Set([EV.firmwareBlob2, EV.handoffTables2])

/**
 * The events in order, as `index RTMR check type: text`. Texts of opaque events are in brackets: nothing proves them.
 * Everything is escaped and cut, since it is the log's, and so perhaps an attacker's.
 */
export function describeEventLog({ entries }: EventLog): string[] {
  return entries.map((entry, index) => {
    const { rtmr, check, type, problem } = entry
    const text = check === 'recomputed' ? textOf(entry) : `[${textOf(entry)}]`
    const end = problem === undefined ? '' : ` -- ${problem}`
    return `${String(index).padStart(3)} RTMR${rtmr} ${check.padEnd(10)} ${typeName(type)}: ${text}${end}`
  })
}

function textOf(entry: EventLogEntry): string {
  const { type, data, name, payload } = entry
  if (name !== undefined) return cut(`${escapeText(name)} ${dataText(payload ?? data)}`)
  if (VARIABLES.has(type)) return variableText(entry)
  if (DESCRIBED.has(type)) return cut(dataText(data.subarray(1, 1 + (data[0] ?? 0))))
  if (type === EV.bootServicesApplication) return cut(escapeText(imagePath(data)) || dataText(data))
  if (type === EV.eventTag && data.length > 8) return cut(dataText(data.subarray(8)))
  if (type === EV.ipl) return loaderText(entry)
  return cut(dataText(data))
}

// A name in brackets was not measured: the digest is of the value alone.
function variableText({ data, measured }: EventLogEntry): string {
  const variable = parseEfiVariable(data)
  if (variable === undefined) return cut(dataText(data))
  const name = escapeText(variable.name)
  const label = measured === undefined || measured.length === data.length ? name : `[${name}]`
  return cut(`${label} = ${toHex(variable.value.subarray(0, MAX_VALUE)) || 'nothing'}`)
}

// The same for the word that GRUB puts before the text that it measures.
function loaderText({ data, measured }: EventLogEntry): string {
  const start = measured === undefined ? 0 : measured.byteOffset - data.byteOffset
  if (start <= 0) return cut(dataText(data))
  return cut(`[${dataText(data.subarray(0, start)).trim()}] ${dataText(data.subarray(start))}`)
}

/** Bytes as text where they are text, in UTF-8 or UTF-16LE, else in hex. */
function dataText(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'no data'
  const part = bytes.subarray(0, 4 * MAX_TEXT)
  const ended = part.at(-1) === 0 ? part.subarray(0, -1) : part
  if (ended.length > 0 && ended.every(isPrintable)) return escapeText(String.fromCharCode(...ended))
  const wide = utf16(part).replace(/\0$/, '')
  if (wide.length > 1 && part.length % 2 === 0 && /^[\x20-\x7e]*$/.test(wide)) return escapeText(wide)
  return toHex(part)
}

function isPrintable(byte: number): boolean {
  return (byte >= 0x20 && byte < 0x7f) || byte === 0x0a || byte === 0x09
}

/** Printable ASCII stays; backslashes and everything else become escapes, so no terminal obeys a log. */
function escapeText(text: string): string {
  return text.replace(/[^\x20-\x7e]|\\/gu, (char) => {
    if (char === '\\') return '\\\\'
    return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`
  })
}

function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}...`
}
