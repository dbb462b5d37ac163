/** Helpers for tests of event logs. */

import { EVENTLOG_FACTORS, Factors } from '../policy/factors.ts'
import type { EventLogEntry } from './index.ts'
import { type EventLogInput, judgeEventLog } from './index.ts'

/** Results of the four factors by name, without their prefix; and the reasons alike. */
export function judged(
  input: EventLogInput,
  registers?: number[],
): { results: Record<string, string>; reasons: Record<string, string> } {
  const factors = new Factors()
  judgeEventLog(factors, input, registers === undefined ? {} : { eventLog: { registers } })
  const list = factors.list(EVENTLOG_FACTORS)
  const by = (key: 'result' | 'reason'): Record<string, string> =>
    Object.fromEntries(list.map((factor) => [factor.name.slice('eventlog.'.length), factor[key]]))
  return { results: by('result'), reasons: by('reason') }
}

/** Runs a parser; returns what it read, or undefined when it refused with ERR_EVENT_LOG. Fails on any other error. */
export function readOrRefuse<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_EVENT_LOG') throw error
    return undefined
  }
}

/** Check and measured text of each entry, for short comparisons. */
export function summary(entries: readonly EventLogEntry[]): string[] {
  return entries.map(
    ({ check, measured }) => `${check} ${measured === undefined ? '' : new TextDecoder().decode(measured)}`,
  )
}
