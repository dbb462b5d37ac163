import { ChrysalisError } from '../../attest/errors.ts'

/** A gateway that this worker does not serve: its evidence, its signature, its terms or its version. */
export class GatewayRefused extends ChrysalisError {
  /** Names of the failed factors of the policy. */
  readonly factors: readonly string[]

  constructor(
    code:
      | 'ERR_GATEWAY_EVIDENCE'
      | 'ERR_GATEWAY_SIGNATURE'
      | 'ERR_GATEWAY_NAME'
      | 'ERR_GATEWAY_TERMS'
      | 'ERR_LINK_VERSION',
    message: string,
    factors: readonly string[] = [],
  ) {
    super(code, message)
    this.factors = factors
  }
}
