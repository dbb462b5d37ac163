/** What can go wrong between a quote and the collateral for it. */

import { ChrysalisError } from '../errors.ts'

/**
 * - `ERR_COLLATERAL_URL` a base URL or setting that is not allowed
 * - `ERR_COLLATERAL_UNREACHABLE` no answer: network, time, a 5xx status
 * - `ERR_COLLATERAL_NOT_FOUND` the source does not know this platform
 * - `ERR_COLLATERAL_ANSWER` an answer that is not what was asked for: shape, size, signature, dates, redirect
 * - `ERR_COLLATERAL_FILES` files that hold no usable collateral
 * - `ERR_COLLATERAL_BUSY` too many platforms are being asked for at once
 */
export type CollateralErrorCode =
  | 'ERR_COLLATERAL_URL'
  | 'ERR_COLLATERAL_UNREACHABLE'
  | 'ERR_COLLATERAL_NOT_FOUND'
  | 'ERR_COLLATERAL_ANSWER'
  | 'ERR_COLLATERAL_FILES'
  | 'ERR_COLLATERAL_BUSY'

/** No collateral could be had. The message names the part, what is wrong and the cure. */
export class CollateralError extends ChrysalisError {
  declare readonly code: CollateralErrorCode

  constructor(code: CollateralErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}
