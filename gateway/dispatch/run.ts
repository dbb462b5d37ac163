import { codeOf } from '../../attest/cli/process.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import type { SealedRequest } from '../../attest/seal/index.ts'
import { ApiError, internalError } from '../../worker/protocol/errors.ts'
import type { Lease, LinkLog, NamedQuote } from '../link/index.ts'
import { Answer } from './answer.ts'
import { ContentCheck } from './content.ts'
import { clientClosed } from './errors.ts'
import { Exchange, type Outcome, outcomeCode, type StopReason } from './exchange.ts'
import { errorOf, retryable, stoppedError } from './outcome.ts'
import type { SlotQueue, SlotRequest } from './queue.ts'
import { ReceiptBook, type VerifiedReceipt } from './receipt-book.ts'
import { demandPayable, Reservation } from './reservation.ts'
import { type SealParts, sealTo } from './seal-to.ts'
import { commit, type DispatchLedger, type Settlement, tell } from './settle.ts'
import type { DispatchEvent, DispatchLimits, DispatchRequest, DispatchResponse } from './types.ts'

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
  readonly #answer: Answer
  readonly #giveUp = new AbortController()
  #exchange: Exchange | undefined
  /** The client has a part of the answer, or may take it. */
  #shown = false
  #stopped: StopReason | undefined

  constructor(request: DispatchRequest, parts: RunParts) {
    const { body, ...rest } = request
    this.requestId = request.requestId
    this.key = request.key.id
    this.#request = rest
    this.#body = body
    this.#bodyBytes = body.length
    this.#parts = parts
    const { clock, limits } = parts
    this.#answer = new Answer(request.requestId, {
      clock,
      stallMs: limits.stallMs,
      onUnwanted: (reason) => this.stop(reason),
    })
  }

  /** Resolves with the first frame, or a success without any; rejects with the ApiError of anything else. */
  get answer(): Promise<DispatchResponse> {
    return this.#answer.response
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
      this.#answer.fail(this.#asApiError(error))
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
    this.#answer.drop()
    this.#exchange?.stop(reason)
  }

  async #serve(): Promise<Settlement> {
    const { ledger } = this.#parts
    const lease = await this.#acquire({
      demandPayable: (quotes) => demandPayable(ledger, this.#request, quotes),
    })
    let reservation: Reservation
    try {
      reservation = await Reservation.hold(ledger, this.#request, lease, () => this.stop('aborted'))
    } catch (error) {
      lease.release()
      throw error
    }
    let attempt: Attempt
    try {
      attempt = await this.#attempts(lease, reservation)
    } catch (error) {
      await reservation.release()
      throw error
    }
    return await this.#settle(attempt, reservation)
  }

  /** Tries one worker after the other until one of them has shown a frame or an outcome. */
  async #attempts(first: Lease, reservation: Reservation): Promise<Attempt> {
    const failed = new Set<string>()
    let lease = first
    for (let attempt = 1; ; attempt++) {
      const last = attempt >= this.#parts.limits.maxAttempts
      const result = await this.#attempt(lease, reservation, last)
      if (result.outcome.kind !== 'unstarted' || last || this.#stopped) return result
      failed.add(lease.worker.bootId)
      this.#log(result)
      try {
        const accepts = (quote: NamedQuote) => reservation.covers(quote)
        lease = await this.#acquire({ exclude: failed, urgent: true, accepts })
      } catch {
        return result
      }
      try {
        await reservation.moveTo(lease)
      } catch (error) {
        lease.release()
        throw error
      }
    }
  }

  async #attempt(lease: Lease, reservation: Reservation, last: boolean): Promise<Attempt> {
    const since = this.#parts.clock.now()
    const { maxCharge, maxWorkerCharge } = reservation
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
      deliver: (event) => this.#deliver(lease, reservation, event),
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

  #deliver(lease: Lease, reservation: Reservation, event: DispatchEvent): Promise<boolean> {
    return this.#shown ? this.#answer.put(event) : this.#show(lease, reservation, event)
  }

  /** The first frame: from here on no other worker can take over. */
  async #show(lease: Lease, reservation: Reservation, event: DispatchEvent): Promise<boolean> {
    this.#body = undefined
    try {
      await reservation.written()
    } catch {
      return false
    }
    this.#shown = true
    this.#answer.show(lease)
    return await this.#answer.put(event)
  }

  /** Commits first, tells everybody afterwards. */
  async #settle(attempt: Attempt, reservation: Reservation): Promise<Settlement> {
    const { lease, outcome } = attempt
    this.#log(attempt)
    try {
      await reservation.written()
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
      this.#answer.fail(error ?? internalError())
      return
    }
    const { status, finishReason, usage, headers, details, blind } = outcome.final
    this.#answer.finish(lease, {
      status,
      finishReason: finishReason ?? '',
      usage,
      headers,
      receiptDigest: receipt.digest,
      charged: settlement.charged,
      counts: { details, blind },
    })
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
