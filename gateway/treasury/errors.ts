import { ChrysalisError } from '../../attest/errors.ts'

export type TreasuryErrorCode =
  | 'ERR_TREASURY_FUNDS'
  | 'ERR_TREASURY_CHANNEL'
  | 'ERR_TREASURY_NOT_OURS'
  | 'ERR_TREASURY_BUSY'
  | 'ERR_TREASURY_PAYOUT'
  | 'ERR_TREASURY_LIMIT'
  | 'ERR_TREASURY_KEY'
  /** A channel was not seen on the chain for too long. */
  | 'ERR_CHAIN_OUTAGE'
  /** The chain shows less than was read from it before: what it shows is old. */
  | 'ERR_CHAIN_BEHIND'
  /** The chain shows more than the ledger knows of: the ledger is old. */
  | 'ERR_ROLLED_BACK'

/** What the treasury refuses; errors of the chain and of the ledger pass through it unchanged. */
export class TreasuryError extends ChrysalisError {
  declare readonly code: TreasuryErrorCode

  constructor(code: TreasuryErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
