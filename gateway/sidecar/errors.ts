import { ChrysalisError } from '../../attest/errors.ts'

export type SidecarErrorCode =
  /** The gateway's totals are below what it had shown receipts for: its books went backwards. */
  | 'ERR_ROLLED_BACK'
  /** The gateway counts more than receipts and running requests can explain. */
  | 'ERR_CHARGES_DIFFER'
  /** A receipt is not there although its request was answered. */
  | 'ERR_RECEIPT_WITHHELD'
  /** A receipt is for a request that was never made here. */
  | 'ERR_RECEIPT_FOREIGN'
  /** A receipt was presented for a second charge. */
  | 'ERR_RECEIPT_REPEATED'
  /** A receipt, or what the gateway says beside it, does not hold. */
  | 'ERR_RECEIPT_REFUSED'
  /** No accepted evidence is known of the enclave that should have signed. */
  | 'ERR_RECEIPT_SIGNER'
  /** The charge is above the price ceiling, the bound of the request, or what its counts cost. */
  | 'ERR_OVERCHARGED'
  /** The gateway shows a voucher that was never signed with this key. */
  | 'ERR_VOUCHER_INVENTED'
  /** The gateway holds a higher voucher than was signed here: another program signs with this key. */
  | 'ERR_OTHER_SIGNER'
  /** The gateway speaks of another channel, or asks for terms that are not this channel's. */
  | 'ERR_TERMS_DIFFER'
  /** The gateway gave no usable answer. */
  | 'ERR_GATEWAY'
  /** The folder holds something else than this program wrote. */
  | 'ERR_SIDECAR_STATE'
  /** Something that was asked for cannot be done as asked. */
  | 'ERR_SIDECAR_INPUT'
  /** There is no channel, or none of that address. */
  | 'ERR_SIDECAR_CHANNEL'

/** A refusal of the sidecar. Those about charges stop it from signing until a person has looked at them. */
export class SidecarError extends ChrysalisError {
  declare readonly code: SidecarErrorCode
  /** What the refusal rests on, to be kept for a dispute: public parts only. */
  readonly evidence: unknown

  constructor(code: SidecarErrorCode, message: string, options: ErrorOptions & { evidence?: unknown } = {}) {
    super(code, message, options)
    this.evidence = options.evidence
  }
}
