/** Event logs: parsing, replay into RTMR0-3, our own RTMR3 events, and their judgement. See README.md. */

export { type CcelEvent, type CcelTable, encodeCcel, parseCcelTable, trimCcel } from './ccel.ts'
export {
  EVENT_LOG_FORMAT,
  EVENT_NAMES,
  encodeEventLog,
  eventDigest,
  type MeasuredEvent,
  measuredEvents,
} from './chrysalis.ts'
export { describeEventLog } from './describe.ts'
export { type BelievedEvents, type EventLogInput, judgeEventLog } from './judge.ts'
export {
  type Check,
  type EventLog,
  type EventLogEntry,
  EventLogError,
  MAX_EVENT_LOG,
  type Register,
  replay,
} from './log.ts'
export { parseEventLog } from './parse.ts'
export { EV } from './types.ts'
