/** Counts charges: those that a receipt proves, and where a person has said so, others. */

import { SidecarError } from './errors.ts'
import { type Invoice, namedKey, type PriceCeiling, proveCharge, readAmount } from './invoice.ts'
import type { SidecarState } from './state.ts'
import type { PaidRequest } from './state-file.ts'
import type { WorkerKeys } from './workers.ts'

export interface ProverOptions {
  state: SidecarState
  workers: WorkerKeys
  prices: PriceCeiling
  /** A person has decided to take charges of requests made here as they are, proven or not. */
  accept?: boolean
  log: { warn(fields: object, message: string): void }
}

/** Puts proven charges into the state. */
export class Prover {
  readonly #options: ProverOptions

  constructor(options: ProverOptions) {
    this.#options = options
  }

  /**
   * Counts the charge of a request made here, once.
   * @throws SidecarError ERR_RECEIPT_SIGNER, ERR_RECEIPT_REFUSED, ERR_OVERCHARGED
   */
  async count(request: PaidRequest, invoice: Invoice): Promise<void> {
    const { requestId } = request
    try {
      const { charged, digest } = await this.#prove(request, invoice)
      this.#enter(requestId, charged, digest)
    } catch (error) {
      const charged = this.#options.accept ? readAmount(invoice.charged) : undefined
      if (charged === undefined || !(error instanceof SidecarError)) throw error
      this.#options.log.warn({ requestId, code: error.code }, 'a charge was accepted without proof')
      this.#enter(requestId, charged, '')
    }
  }

  async #prove(request: PaidRequest, invoice: Invoice) {
    const { workers, prices } = this.#options
    // What was refused is sent again by itself, so that whoever does the work and refuses it would be paid many times.
    if (request.state === 'denied') {
      throw new SidecarError(
        'ERR_OVERCHARGED',
        `receipt ${request.requestId}: the gateway refused the request, and charged it all the same`,
        { evidence: { invoice } },
      )
    }
    const key = namedKey(invoice)
    const signer = key === undefined ? undefined : await workers.find(key)
    if (signer) return proveCharge(invoice, { request, signer, prices })
    throw new SidecarError(
      'ERR_RECEIPT_SIGNER',
      `receipt ${request.requestId}: no accepted evidence speaks for the key ${key ?? '(none)'} that should have signed it`,
      { evidence: { invoice } },
    )
  }

  /** Another look may have been faster. */
  #enter(requestId: string, charged: bigint, digest: string): void {
    const { state } = this.#options
    if (state.request(requestId)?.state !== 'charged') state.count(requestId, charged, digest)
  }
}
