export { LedgerError, type LedgerErrorCode } from './errors.ts'
export { newKeySecret } from './keys.ts'
export { Ledger } from './ledger.ts'
export type {
  ApiKey,
  AuditReport,
  ChannelRecord,
  ChannelRole,
  ChannelState,
  ChargeRequest,
  ChargeResult,
  KeyLimits,
  LedgerOptions,
  NewChannel,
  OpenReservation,
  ReserveRequest,
  SignedReceipt,
  StoredReceipt,
  WorkerRef,
} from './types.ts'
