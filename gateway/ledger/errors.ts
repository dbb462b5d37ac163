import { ChrysalisError } from '../../attest/errors.ts'

/** Codes of the ledger's errors; `code` is the API, the message is for people. */
export type LedgerErrorCode =
  | 'ERR_LEDGER_INPUT'
  | 'ERR_INSUFFICIENT_FUNDS'
  | 'ERR_DUPLICATE_REQUEST'
  | 'ERR_NO_RESERVATION'
  | 'ERR_OVERCHARGE'
  | 'ERR_UNKNOWN_CHANNEL'
  | 'ERR_CHANNEL_CLOSED'
  | 'ERR_CHANNEL_CONFLICT'
  | 'ERR_UNKNOWN_KEY'
  | 'ERR_KEY_REVOKED'
  | 'ERR_KEY_EXPIRED'
  | 'ERR_KEY_MODEL'
  | 'ERR_KEY_REQUEST_LIMIT'
  | 'ERR_KEY_DAY_LIMIT'
  | 'ERR_LEDGER_LOCKED'
  | 'ERR_LEDGER_VERSION'
  | 'ERR_LEDGER_LOST'
  | 'ERR_LEDGER_CLOSED'
  /** Too many look-ups wait; nothing was asked. */
  | 'ERR_LEDGER_BUSY'
  | 'ERR_AUDIT'
  /** A batch did not change the file as it changed the book; nothing of it was written. */
  | 'ERR_LEDGER_MISMATCH'

/** A refusal or failure of the ledger. A refusal leaves every sum as it was. */
export class LedgerError extends ChrysalisError {
  declare readonly code: LedgerErrorCode

  constructor(code: LedgerErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
