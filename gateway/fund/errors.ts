import { ChrysalisError } from '../../attest/errors.ts'

export type FundErrorCode =
  /** A message that cannot be asked of a wallet. */
  | 'ERR_FUND_ORDER'
  /** Nobody paid while the request was good. */
  | 'ERR_FUND_UNPAID'

/** A refusal about paying from a wallet that is elsewhere. */
export class FundError extends ChrysalisError {
  declare readonly code: FundErrorCode

  constructor(code: FundErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
