/**
 * The public face of attest: evidence and its verdict, policy, collateral, GPU evidence, event logs, expected
 * measurements, TDX guests, epoch keys, seal, receipts, the simulated TEE.
 */

export * from './bytes.ts'
export * from './collateral/index.ts'
export { collateralFolder } from './collateral/node-cache.ts'
export { collateralFromDirectory } from './collateral/node-directory.ts'
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
export {
  type DeviceEvidence,
  describeDevice,
  EatError,
  encodeGpuDocument,
  fetchServiceKeys,
  type GpuDocument,
  GpuError,
  type GpuTools,
  httpOcspClient,
  httpRimService,
  type OcspClient,
  parseGpuDocument,
  type RimService,
} from './gpu/index.ts'
export { GuestError, type GuestMachine, preflight, TdxGuest, type TdxGuestOptions } from './guest/index.ts'
export {
  type BootInputs,
  encodeMeasurements,
  MeasureError,
  type MeasurementFile,
  measureBoot,
  measureFirmware,
  type PageOrder,
  parseMeasurements,
} from './measure/index.ts'
export * from './policy/index.ts'
export * from './receipt/index.ts'
export * from './seal/index.ts'
export * from './simulate/index.ts'
export * from './tdx/index.ts'
