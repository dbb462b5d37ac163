/** The gateway's list of charges, gone through in its order: each entry is a request made here, proven, and there once. */

import { demand, PAGE, pageOf } from './answers.ts'
import type { GatewayClient, OwnAnswer, Totals } from './client.ts'
import { SidecarError, type SidecarErrorCode } from './errors.ts'
import { type Invoice, readAmount } from './invoice.ts'
import type { Prover } from './prover.ts'
import type { Signer } from './signer.ts'
import { BLOCK, type SidecarState, SKIP } from './state.ts'
import type { PaidRequest } from './state-file.ts'

/** Requests whose charge nobody can explain after a loss of the state: how many numbers are tried to find them. */
const RECOGNISE = 1 << 14

export interface ReceiptListOptions {
  state: SidecarState
  signer: Signer
  client: GatewayClient
  prover: Prover
  /** The largest slice that was ever signed ahead on this channel: a ceiling vouches for what lies below it by more. */
  largestSlice: bigint
  /** Wall clock, ms. */
  now: () => number
  /** Told of each entry that was gone through. */
  onEntry: () => void
}

/** The list, from where it was left. */
export class ReceiptList {
  readonly #options: ReceiptListOptions

  constructor(options: ReceiptListOptions) {
    this.#options = options
  }

  /**
   * Goes through it to its end.
   *
   * @returns the answer with the last page
   * @throws SidecarError ERR_GATEWAY, ERR_RECEIPT_…, ERR_CHARGES_DIFFER, ERR_OVERCHARGED
   */
  async read(): Promise<OwnAnswer & { totals: Totals }> {
    const { client, state } = this.#options
    for (;;) {
      const { after } = state.cursor
      const query = `limit=${PAGE}${after && `&after=${after}`}`
      const answer = demand(await client.get(`/v1/channels/${state.address}/receipts?${query}`))
      const { data, more } = pageOf(answer)
      for (const invoice of data) await this.#enter(invoice)
      if (!more || data.length === 0) return answer
    }
  }

  /** One entry of the list; gives the sum with it. */
  async #enter(invoice: Invoice): Promise<void> {
    const { state, prover, largestSlice, onEntry } = this.#options
    const refuse = (code: SidecarErrorCode, message: string) =>
      new SidecarError(code, message, { evidence: { invoice } })
    const id = String(invoice.id).slice(0, 64)
    const request = state.request(id) ?? this.#recognise(id)
    if (!request)
      throw refuse('ERR_RECEIPT_FOREIGN', `receipt ${id} is for a request that was never made here`)
    const charged = readAmount(invoice.charged)
    if (charged === undefined) throw refuse('ERR_RECEIPT_REFUSED', `receipt ${id}: the charge is no amount`)
    const total = state.cursor.total + charged
    if (request.state === 'charged') {
      if (request.charged !== charged) {
        const text = `receipt ${id}: listed at ${charged} nanotons, proven at ${request.charged}`
        throw refuse('ERR_CHARGES_DIFFER', text)
      }
    } else if (state.behind && total <= state.ceiling - largestSlice) {
      // What lies below a voucher of one's own by a slice or more was verified before that voucher was signed.
      state.count(id, charged, '')
    } else await prover.count(request, invoice)
    if (!state.list(id, { after: id, total }))
      throw refuse('ERR_RECEIPT_REPEATED', `receipt ${id} is listed twice`)
    onEntry()
  }

  /** A request that was made with this key, though the state here does not know it. */
  #recognise(requestId: string): PaidRequest | undefined {
    const { state, signer, now } = this.#options
    const { behind, reserved } = state
    // Without a loss all that may be missing is what a power cut took: the last ones.
    const range = behind
      ? { from: 0, below: reserved + RECOGNISE }
      : { from: Math.max(0, reserved - 4 * BLOCK), below: reserved }
    const n = signer.ids.find(requestId, range)
    if (n === undefined) return undefined
    if (behind && n + SKIP > reserved) state.skipTo(n + SKIP)
    const cap = state.ceiling
    return state.begin({ n, requestId, path: '', cap, at: now() })
  }
}
