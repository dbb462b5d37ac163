import { ChrysalisError } from '../../attest/errors.ts'

export type EarningsErrorCode =
  /** The gateway offers no channel and this worker does not work unpaid. */
  | 'ERR_UNPAID'
  /** The channel that the gateway offers is not one to give credit against. */
  | 'ERR_PAYMENT_TERMS'
  /** A voucher that the channel's key did not sign, or for another channel. */
  | 'ERR_VOUCHER'
  /** The file was written by a newer program, or has not been brought up to this one. */
  | 'ERR_EARNINGS_VERSION'
  /** There is no file of earnings. */
  | 'ERR_EARNINGS_ABSENT'
  /** An address that no money should be sent to. */
  | 'ERR_WITHDRAW_ADDRESS'
  /** The worker belongs to somebody else. */
  | 'ERR_WITHDRAW_OWNER'
  | 'ERR_WITHDRAW_FUNDS'
  /** Sent, and not seen to arrive. */
  | 'ERR_WITHDRAW_UNCONFIRMED'
  /** There is no wallet in this folder. */
  | 'ERR_WITHDRAW_WALLET'

/** Something about being paid is wrong. */
export class EarningsError extends ChrysalisError {
  declare readonly code: EarningsErrorCode

  constructor(code: EarningsErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
