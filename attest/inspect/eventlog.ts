/** Event logs in words, and the answers of dstack's agent, which hold a quote and its log. */

import { equalBytes, fromHex } from '../bytes.ts'
import {
  describeEventLog,
  EVENT_LOG_FORMAT,
  parseCcelTable,
  parseEventLog,
  replay,
} from '../eventlog/index.ts'
import { parseQuote } from '../tdx/quote.ts'
import { inspectQuote } from './quote.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, hexOrZero } from './text.ts'

const SOURCES = { ccel: 'a CCEL', dstack: 'dstack', chrysalis: 'Chrysalis' } as const

/** The first record of TCG crypto-agile logs: register 0 or 1, EV_NO_ACTION, and its signature. */
export function looksLikeCcel(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(32, 47)) === 'Spec ID Event03'
}

/** Whether JSON is an event log of ours or dstack's array of events. */
export function looksLikeEventLog(json: unknown): boolean {
  if (Array.isArray(json)) return json.some((item) => isObject(item) && 'imr' in item)
  return isObject(json) && json.format === EVENT_LOG_FORMAT
}

/** Explains an event log in any form. */
export async function inspectEventLog(bytes: Uint8Array): Promise<Report> {
  const report = newReport('event-log', 'an event log')
  const log = await attempt(report, 'event log', () => parseEventLog(bytes))
  if (log === undefined) return report
  report.title = `an event log of ${SOURCES[log.source]}, ${count(log.entries.length, 'event')}`
  addSection(
    report,
    'the registers that it adds up to',
    replay(log).map((value, i) => row(`RTMR${i}`, hexOrZero(value))),
  )
  addSection(
    report,
    "events, of which texts in brackets are anybody's word",
    describeEventLog(log).map((line, i) => row(String(i), line.replace(/^ *\d+ /, ''))),
  )
  for (const { problem, rtmr } of log.entries)
    if (problem !== undefined) report.problems.push(`an event of RTMR${rtmr}: ${problem}`)
  report.signatures.push('the log: by nobody; it counts only where it adds up to the registers of a quote')
  return report
}

/** Whether these bytes are the ACPI table that says where the log lies. */
export function looksLikeCcelTable(bytes: Uint8Array): boolean {
  return bytes.length < 256 && String.fromCharCode(...bytes.subarray(0, 4)) === 'CCEL'
}

/** Explains the ACPI table. */
export async function inspectCcelTable(bytes: Uint8Array): Promise<Report> {
  const report = newReport('ccel-table', 'the ACPI table of an event log; the log itself is another file')
  const table = await attempt(report, 'table', () => parseCcelTable(bytes))
  if (table !== undefined)
    addSection(
      report,
      'table',
      Object.entries(table).map(([name, value]) => row(name, String(value))),
    )
  return report
}

/** Whether JSON is what dstack's agent answers when asked for a quote. */
export function looksLikeDstack(json: unknown): json is { quote: string; event_log: string } {
  return isObject(json) && typeof json.quote === 'string' && typeof json.event_log === 'string'
}

/** Explains the answer of dstack's agent, and whether its log adds up to its quote. */
export async function inspectDstack(
  json: { quote: string },
  bytes: Uint8Array,
  now: number,
): Promise<Report> {
  const report = newReport('dstack-answer', "an answer of dstack's agent: a quote and its event log")
  const quote = await attempt(report, 'quote', () => fromHex(json.quote.toLowerCase()))
  if (quote !== undefined) report.parts.push(await inspectQuote(quote, now))
  report.parts.push(await inspectEventLog(bytes))
  if (quote !== undefined) await compareWithLog(report, quote, bytes)
  return report
}

/** Says which registers of the quote a log does not add up to. */
export async function compareWithLog(report: Report, quote: Uint8Array, log: Uint8Array): Promise<void> {
  const scratch = newReport('event-log', '')
  // What is wrong with quote or log itself is said in their own reports.
  const differing = await attempt(scratch, '', () => {
    const { rtmr } = parseQuote(quote).body
    return replay(parseEventLog(log)).flatMap((value, i) =>
      equalBytes(value, rtmr[i] ?? new Uint8Array()) ? [] : [`RTMR${i}`],
    )
  })
  if (differing !== undefined && differing.length > 0)
    report.problems.push(`event log: does not add up to ${differing.join(', ')} of the quote`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
