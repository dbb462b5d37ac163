import { ChrysalisError } from '../errors.ts'

export type ReceiptErrorCode =
  /** Not a receipt of version 1. */
  | 'ERR_RECEIPT_MALFORMED'
  /** Not signed by the key that was asked about. */
  | 'ERR_RECEIPT_SIGNATURE'
  /** The details are not the ones that the receipt commits to. */
  | 'ERR_RECEIPT_DETAILS'
  /** What was given to make one from is not right; a bug of the caller. */
  | 'ERR_RECEIPT_INPUT'

/** A receipt was refused. */
export class ReceiptError extends ChrysalisError {
  declare readonly code: ReceiptErrorCode

  constructor(code: ReceiptErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
