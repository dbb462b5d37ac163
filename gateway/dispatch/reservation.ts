import { boundFor, type Quote } from '../../worker/protocol/quote.ts'
import type { Lease, NamedQuote } from '../link/index.ts'
import { demandPrice, fromLedger } from './outcome.ts'
import { type DispatchLedger, workerRef } from './settle.ts'
import type { DispatchRequest } from './types.ts'

/** What a reservation is made for. */
export type Reserved = Pick<
  DispatchRequest,
  'requestId' | 'key' | 'model' | 'maxPromptTokens' | 'maxOutputTokens' | 'n' | 'maxCharge'
>

/**
 * The money that the ledger holds back for one request, over all the workers that it is tried on. The first worker is
 * asked while it is being written to disk, which takes about as long; nothing of an answer is shown before it is there.
 */
export class Reservation {
  /** Most nanotons that the request may cost its client, and earn its worker. */
  readonly maxCharge: bigint
  readonly maxWorkerCharge: bigint
  readonly #ledger: DispatchLedger
  readonly #request: Reserved
  /** Settles with the commit; absent once that is known to be on disk. */
  #durable: Promise<void> | undefined

  private constructor(ledger: DispatchLedger, request: Reserved, { quote }: NamedQuote) {
    this.#ledger = ledger
    this.#request = request
    this.maxCharge = clientBound(quote, request)
    this.maxWorkerCharge = workerBound(quote, request)
  }

  /**
   * Holds back the most that the request may cost under the quote of this lease.
   * @param onLost called when it could not be written after all: whoever was asked meanwhile works for nothing
   * @throws ApiError for a refusal of the ledger, or a price above what the client allows
   */
  static async hold(
    ledger: DispatchLedger,
    request: Reserved,
    lease: Lease,
    onLost: () => void,
  ): Promise<Reservation> {
    const reservation = new Reservation(ledger, request, lease.quote)
    const { maxCharge, maxWorkerCharge } = reservation
    const { requestId, key, model } = request
    try {
      demandPrice(maxCharge, request.maxCharge)
      const { durable } = await ledger.hold({
        requestId,
        channel: key.channel,
        key: key.id,
        worker: workerRef(lease.worker),
        maxCharge,
        maxWorkerCharge,
        model,
      })
      reservation.#durable = durable
      durable.catch(onLost)
      return reservation
    } catch (error) {
      throw fromLedger(error, model, maxCharge)
    }
  }

  /** Resolves once it is on disk. @throws ApiError */
  async written(): Promise<void> {
    if (this.#durable === undefined) return
    try {
      await this.#durable
    } catch (error) {
      throw fromLedger(error, this.#request.model)
    }
    this.#durable = undefined
  }

  /** Whether another worker may serve under it: only one that cannot cost more. */
  covers({ quote }: NamedQuote): boolean {
    return (
      clientBound(quote, this.#request) <= this.maxCharge &&
      workerBound(quote, this.#request) <= this.maxWorkerCharge
    )
  }

  /** Names the worker that serves under it from now on. @throws ApiError, LedgerError */
  async moveTo({ worker }: Lease): Promise<void> {
    await this.written()
    await this.#ledger.assign(this.#request.requestId, workerRef(worker))
  }

  /** Lets it go: nothing was sent to any worker. @throws ApiError, LedgerError */
  async release(): Promise<void> {
    await this.written()
    await this.#ledger.release(this.#request.requestId, 'not_sent')
  }
}

/**
 * Refuses a request before it waits for a slot.
 * @param quotes of the workers that it may come to
 * @throws ApiError 402 when the cheapest costs more than its client can pay, whatever comes back to it
 */
export function demandPayable(
  ledger: DispatchLedger,
  request: Reserved,
  quotes: readonly NamedQuote[],
): void {
  const { key, model } = request
  const bounds = quotes.map(({ quote }) => clientBound(quote, request))
  const [maxCharge = 0n] = bounds.sort((a, b) => (a < b ? -1 : 1))
  demandPrice(maxCharge, request.maxCharge)
  try {
    ledger.demandPayable({ channel: key.channel, key: key.id, maxCharge, model })
  } catch (error) {
    throw fromLedger(error, model, maxCharge)
  }
}

function clientBound(quote: Quote, { maxPromptTokens, maxOutputTokens, n }: Reserved): bigint {
  return boundFor(quote, maxPromptTokens, maxOutputTokens, n)
}

function workerBound(quote: Quote, request: Reserved): bigint {
  return clientBound({ ...quote, client: quote.worker }, request)
}
