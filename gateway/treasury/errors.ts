import { ChrysalisError } from '../../attest/errors.ts'

export type TreasuryErrorCode =
  | 'ERR_TREASURY_FUNDS'
  | 'ERR_TREASURY_CHANNEL'
  | 'ERR_TREASURY_NOT_OURS'
  | 'ERR_TREASURY_BUSY'
  | 'ERR_TREASURY_PAYOUT'
  | 'ERR_TREASURY_LIMIT'
  | 'ERR_TREASURY_KEY'

/** What the treasury refuses; errors of the chain and of the ledger pass through it unchanged. */
export class TreasuryError extends ChrysalisError {
  declare readonly code: TreasuryErrorCode

  constructor(code: TreasuryErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
