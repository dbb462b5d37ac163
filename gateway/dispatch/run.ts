import { codeOf } from '../../attest/cli/process.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import type { SealedRequest } from '../../attest/seal/index.ts'
import { ApiError, internalError } from '../../worker/protocol/errors.ts'
import { boundFor, type Quote } from '../../worker/protocol/quote.ts'
import type { Lease, LinkLog, NamedQuote } from '../link/index.ts'
import { ContentCheck } from './content.ts'
import { clientClosed } from './errors.ts'
import { Exchange, type Outcome, outcomeCode, type StopReason } from './exchange.ts'
import { Handoff } from './handoff.ts'
import { demandPrice, errorOf, fromLedger, retryable, stoppedError } from './outcome.ts'
import type { SlotQueue, SlotRequest } from './queue.ts'
import { ReceiptBook, type VerifiedReceipt } from './receipt-book.ts'
import { type SealParts, sealTo } from './seal-to.ts'
import { commit, type DispatchLedger, dispatchedTo, type Settlement, tell, workerRef } from './settle.ts'
import type {
  DispatchEvent,
  DispatchFinal,
  DispatchLimits,
  DispatchRequest,
  DispatchResponse,
} from './types.ts'

export interface RunParts extends SealParts {
  readonly ledger: DispatchLedger
  readonly queue: SlotQueue
  readonly limits: DispatchLimits
  readonly log: LinkLog
}

/** The last attempt, with everything that settling it needs. */
interface Attempt {
  readonly lease: Lease
  readonly outcome: Outcome
  readonly receipt: VerifiedReceipt | undefined
}

/** One request from its reservation to its charge, over as many workers as it takes. */
export class Run {
  readonly requestId: string
  /** Id of the API key. */
  readonly key: string
  readonly #parts: RunParts
  readonly #request: Omit<DispatchRequest, 'body'>
  readonly #bodyBytes: number
  #body: Uint8Array | undefined
  readonly #handoff: Handoff<DispatchEvent>
  readonly #answer = Promise.withResolvers<DispatchResponse>()
  readonly #done = Promise.withResolvers<DispatchFinal>()
  readonly #giveUp = new AbortController()
  #exchange: Exchange | undefined
  /** The client has a part of the answer, or may take it. */
  #shown = false
  /** Settles with the commit of the reservation; absent once that is known to be on disk. */
  #reserved: Promise<void> | undefined
  #stopped: StopReason | undefined

  constructor(request: DispatchRequest, parts: RunParts) {
    const { body, ...rest } = request
    this.requestId = request.requestId
    this.key = request.key.id
    this.#request = rest
    this.#body = body
    this.#bodyBytes = body.length
    this.#parts = parts
    this.#handoff = new Handoff(() => this.stop('aborted'))
    this.#done.promise.catch(() => {})
    this.#answer.promise.catch(() => {})
  }

  /** Resolves with the first frame, or a success without any; rejects with the ApiError of anything else. */
  get answer(): Promise<DispatchResponse> {
    return this.#answer.promise
  }

  /** Runs to the committed charge; never rejects. Undefined when nothing was reserved or the ledger failed. */
  async execute(): Promise<Settlement | undefined> {
    const { clock } = this.#parts
    const { signal, deadline } = this.#request
    const onAbort = () => this.stop('aborted')
    const stopTimer = clock.after(deadline - clock.now(), () => this.stop('deadline'))
    signal.addEventListener('abort', onAbort)
    try {
      if (signal.aborted) throw clientClosed()
      return await this.#serve()
    } catch (error) {
      this.#fail(this.#asApiError(error))
      return undefined
    } finally {
      this.#body = undefined
      stopTimer()
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends the request early; what the worker delivered until then is charged. */
  stop(reason: StopReason): void {
    if (this.#stopped) return
    this.#stopped = reason
    this.#giveUp.abort()
    this.#handoff.drop()
    this.#exchange?.stop(reason)
  }

  async #serve(): Promise<Settlement> {
    const lease = await this.#acquire({ demandPayable: (quotes) => this.#demandPayable(quotes) })
    const { quote } = lease.quote
    const maxCharge = this.#bound(quote)
    const maxWorkerCharge = this.#bound({ ...quote, client: quote.worker })
    try {
      demandPrice(maxCharge, this.#request.maxCharge)
      const { durable } = await this.#parts.ledger.hold({
        requestId: this.requestId,
        channel: this.#request.key.channel,
        key: this.#request.key.id,
        worker: workerRef(lease.worker),
        maxCharge,
        maxWorkerCharge,
        model: this.#request.model,
      })
      this.#reserved = durable
      // A worker that was asked meanwhile works for nothing.
      durable.catch(() => this.stop('aborted'))
    } catch (error) {
      lease.release()
      throw fromLedger(error, this.#request.model, maxCharge)
    }
    let attempt: Attempt
    try {
      attempt = await this.#attempts(lease, maxCharge, maxWorkerCharge)
    } catch (error) {
      await this.#untilReserved()
      await this.#parts.ledger.release(this.requestId, 'not_sent')
      throw error
    }
    return await this.#settle(attempt)
  }

  /** @throws ApiError 402 when the cheapest of these workers costs more than this client can pay, whatever comes back to it */
  #demandPayable(quotes: readonly NamedQuote[]): void {
    const { key, model, maxCharge: allowed } = this.#request
    const bounds = quotes.map(({ quote }) => this.#bound(quote))
    const [maxCharge = 0n] = bounds.sort((a, b) => (a < b ? -1 : 1))
    demandPrice(maxCharge, allowed)
    try {
      this.#parts.ledger.demandPayable({ channel: key.channel, key: key.id, maxCharge, model })
    } catch (error) {
      throw fromLedger(error, model, maxCharge)
    }
  }

  /**
   * The worker is asked while the reservation is being written, which takes about as long. Before anything of the answer
   * is shown, and before the end, it has to be on disk.
   */
  async #untilReserved(): Promise<void> {
    if (this.#reserved === undefined) return
    try {
      await this.#reserved
    } catch (error) {
      throw fromLedger(error, this.#request.model)
    }
    this.#reserved = undefined
  }

  /** Tries one worker after the other until one of them has shown a frame or an outcome. */
  async #attempts(first: Lease, maxCharge: bigint, maxWorkerCharge: bigint): Promise<Attempt> {
    const failed = new Set<string>()
    let lease = first
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= this.#parts.limits.maxAttempts
      const result = await this.#attempt(lease, maxCharge, maxWorkerCharge, last)
      if (result.outcome.kind !== 'unstarted' || last || this.#stopped) return result
      failed.add(lease.worker.bootId)
      this.#log(result)
      try {
        lease = await this.#acquire({
          exclude: failed,
          urgent: true,
          accepts: ({ quote }) => {
            // The reservation stands; another worker may serve under it only if it cannot cost more.
            return (
              this.#bound(quote) <= maxCharge &&
              this.#bound({ ...quote, client: quote.worker }) <= maxWorkerCharge
            )
          },
        })
      } catch {
        return result
      }
      try {
        await this.#untilReserved()
        await this.#parts.ledger.assign(this.requestId, workerRef(lease.worker))
      } catch (error) {
        lease.release()
        throw error
      }
    }
  }

  async #attempt(lease: Lease, maxCharge: bigint, maxWorkerCharge: bigint, last: boolean): Promise<Attempt> {
    const since = this.#parts.clock.now()
    let sealed: SealedRequest
    let stream: ReturnType<Lease['open']>
    try {
      sealed = await this.#seal(lease, maxCharge, last)
      if (this.#stopped) throw stoppedError(this.#stopped)
      stream = lease.open(this.#request.flushed)
    } catch (error) {
      lease.release()
      return { lease, outcome: { kind: 'unstarted', code: retryable(error) }, receipt: undefined }
    }
    const terms = {
      signingKey: lease.worker.signingKey,
      sealed,
      quote: lease.quote,
      maxCharge,
      maxWorkerCharge,
    }
    const book = new ReceiptBook(terms)
    const { clock, limits, queue } = this.#parts
    const exchange = new Exchange({
      stream,
      opener: sealed.open,
      book,
      content: new ContentCheck({ ...this.#request, bodyBytes: this.#bodyBytes }),
      clock,
      limits,
      deliver: (event) => this.#deliver(lease, event),
    })
    this.#exchange = exchange
    const outcome = await exchange.run(sealed.request)
    queue.observe(clock.now() - since)
    return { lease, outcome, receipt: book.best }
  }

  #seal(lease: Lease, maxCharge: bigint, last: boolean): Promise<SealedRequest> {
    const body = this.#body
    if (!body) throw new ChrysalisError('ERR_BODY_GONE', 'the body is gone')
    if (last) this.#body = undefined
    return sealTo(lease, this.#request, body, maxCharge, this.#parts)
  }

  async #deliver(lease: Lease, event: DispatchEvent): Promise<boolean> {
    if (!this.#shown) {
      // From the first frame on no other worker can take over, so the plaintext is not needed again.
      this.#body = undefined
      try {
        await this.#untilReserved()
      } catch {
        return false
      }
      this.#shown = true
      this.#answer.resolve(this.#response(lease))
    }
    if (this.#handoff.offer(event)) return true
    const { clock, limits } = this.#parts
    const stopTimer = clock.after(limits.stallMs, () => this.stop('stalled'))
    try {
      return await this.#handoff.put(event)
    } finally {
      stopTimer()
    }
  }

  /** Commits first, tells everybody afterwards. */
  async #settle(attempt: Attempt): Promise<Settlement> {
    const { lease, outcome } = attempt
    this.#log(attempt)
    try {
      await this.#untilReserved()
      const settlement = await this.#commit(attempt)
      tell(lease.worker, this.requestId, settlement)
      this.#conclude(attempt, settlement)
      return settlement
    } finally {
      if (outcome.kind === 'tampered') lease.worker.condemn(codeOf(outcome.error))
    }
  }

  #commit({ lease, outcome, receipt }: Attempt): Promise<Settlement> {
    const { ledger } = this.#parts
    // A worker that never showed a frame is not paid for what nobody saw.
    const counted = outcome.kind === 'unstarted' ? undefined : receipt
    return commit(ledger, this.requestId, lease.worker.payment.ledgerChannel, counted, outcomeCode(outcome))
  }

  #conclude({ lease, outcome, receipt }: Attempt, settlement: Settlement): void {
    const error = errorOf(outcome, this.#stopped)
    if (error || outcome.kind !== 'final' || !receipt) {
      this.#fail(error ?? internalError())
      return
    }
    const { status, finishReason, usage, headers, details, blind } = outcome.final
    this.#answer.resolve(this.#response(lease))
    this.#done.resolve({
      status,
      finishReason: finishReason ?? '',
      usage,
      headers,
      receiptDigest: receipt.digest,
      charged: settlement.charged,
      counts: { details, blind },
    })
    this.#handoff.end()
  }

  #fail(error: ApiError): void {
    this.#answer.reject(error)
    this.#done.reject(error)
    this.#handoff.fail(error)
  }

  /** What broke before or beside the worker: named already, or ours and kept to ourselves. */
  #asApiError(error: unknown): ApiError {
    if (error instanceof ApiError) return error
    this.#parts.log.warn(
      { request: this.requestId, code: codeOf(error) },
      'request failed inside the gateway',
    )
    return internalError(error)
  }

  async #acquire(
    options: Pick<SlotRequest, 'exclude' | 'accepts' | 'urgent' | 'demandPayable'>,
  ): Promise<Lease> {
    const { model, sha256, contextLength, key, deadline } = this.#request
    try {
      return await this.#parts.queue.acquire({
        ...options,
        model,
        sha256,
        contextLength,
        key: key.id,
        deadline,
        signal: this.#giveUp.signal,
      })
    } catch (error) {
      throw this.#stopped ? stoppedError(this.#stopped) : error
    }
  }

  #bound(quote: Quote): bigint {
    return boundFor(quote, this.#request.maxPromptTokens, this.#request.maxOutputTokens, this.#request.n)
  }

  #response(lease: Lease): DispatchResponse {
    return {
      requestId: this.requestId,
      worker: dispatchedTo(lease),
      events: this.#handoff,
      done: this.#done.promise,
    }
  }

  #log({ lease, outcome }: Attempt): void {
    const fields = {
      request: this.requestId,
      boot: lease.worker.bootId,
      outcome: outcome.kind,
      code: outcomeCode(outcome),
    }
    if (outcome.kind === 'final' || outcome.kind === 'stopped') this.#parts.log.info(fields, 'request ended')
    else this.#parts.log.warn(fields, 'request did not end well')
  }
}
