import { ChrysalisError } from '../../attest/errors.ts'

/** Codes of the ledger's errors; `code` is the API, the message is for people. */
export type LedgerErrorCode =
  | 'ERR_LEDGER_INPUT'
  | 'ERR_INSUFFICIENT_FUNDS'
  /** The deposit has room, the client's voucher has not: see `StaleCeilingError.needed`. */
  | 'ERR_STALE_CEILING'
  /** A voucher over more than was deposited. */
  | 'ERR_ABOVE_DEPOSIT'
  /** The channel is frozen: chain or counterparty know of more than this ledger does. */
  | 'ERR_ROLLED_BACK'
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
  /** The write-ahead log cannot be written back; a reservation is refused only once the log is too long. */
  | 'ERR_LEDGER_CHECKPOINT'
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

/** A reservation that the client's voucher has no room for, though the deposit has. */
export class StaleCeilingError extends LedgerError {
  declare readonly code: 'ERR_STALE_CEILING'
  /** The least ceiling, in nanotons, that would have admitted the reservation. */
  readonly needed: bigint

  constructor(channel: string, ceiling: bigint, needed: bigint) {
    super(
      'ERR_STALE_CEILING',
      `channel ${channel} has a voucher over ${ceiling} nanotons, and this request needs one over ${needed}: sign a higher one`,
    )
    this.needed = needed
  }
}
