/** The public face of attest: evidence and its verdict, policy, epoch keys, seal, receipts, the simulated TEE. */

export * from './bytes.ts'
export * from './epoch/index.ts'
export * from './errors.ts'
export {
  type BelievedEvents,
  describeEventLog,
  EVENT_NAMES,
  type EventLog,
  type EventLogEntry,
  EventLogError,
  encodeEventLog,
  eventDigest,
  judgeEventLog,
  MAX_EVENT_LOG,
  type MeasuredEvent,
  measuredEvents,
  parseCcelTable,
  parseEventLog,
  replay as replayEventLog,
  trimCcel,
} from './eventlog/index.ts'
export * from './evidence/index.ts'
export * from './policy/index.ts'
export * from './receipt/index.ts'
export * from './seal/index.ts'
export * from './simulate/index.ts'
export * from './tdx/index.ts'
