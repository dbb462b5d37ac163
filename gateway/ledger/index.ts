export type { ApiKeys, KeyWithSecret } from './api-keys.ts'
export { LedgerError, type LedgerErrorCode, StaleCeilingError } from './errors.ts'
export { newKeySecret } from './keys.ts'
export { Ledger } from './ledger.ts'
export type {
  ApiKey,
  AuditReport,
  ChannelRecord,
  ChannelRole,
  ChannelSigner,
  ChannelState,
  ChargeRequest,
  ChargeResult,
  KeyLimits,
  LedgerOptions,
  LedgerPlace,
  NewChannel,
  OpenReservation,
  ReceiptPage,
  ReserveRequest,
  SignedReceipt,
  StoredReceipt,
  WorkerRef,
} from './types.ts'
export type { Difference } from './verify/differences.ts'
export type { VerifyOptions, VerifyReport } from './verify/verify.ts'
