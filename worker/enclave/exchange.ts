import { toHex, utf8 } from '../../attest/bytes.ts'
import { FRAME, type OpenedRequest, type ResponseSealer } from '../../attest/seal/index.ts'
import type { Clock } from '../clock.ts'
import { codeOf, type Log } from '../log.ts'
import { ApiError, internalError, timedOut } from '../protocol/index.ts'
import type { Meter, TaskEvent, TaskResult, Usage } from '../tasks/index.ts'
import { encodeFinal } from './final.ts'
import type { IssuedReceipt, ReceiptChain } from './receipts.ts'
import type { ResponseSink, ServeTerms, StopReason } from './types.ts'

/** Bytes of a body in one frame. */
const BODY_PIECE = 16 * 1024
/** Bytes of an event in one frame; a longer one begins with body frames. */
const MOST_EVENT = 128 * 1024
/** Milliseconds after which a silence is broken by a pad frame: while a prompt is read, or what is made shows nothing yet. */
const PAD_MS = 500
/** Room that pad frames leave to the answer. */
const PAD_RESERVE = 8

export interface ExchangeParts {
  opened: OpenedRequest
  sink: ResponseSink
  terms: Pick<ServeTerms, 'keep'>
  chain: ReceiptChain
  clock: Clock
  log: Log
  meter: Meter
  /** Makes the answer; throws ApiError for a refusal. Stops when the signal fires. */
  answer: (signal: AbortSignal) => AsyncGenerator<TaskEvent, TaskResult>
}

type Outcome =
  | { kind: 'done'; result: TaskResult }
  | { kind: 'failed'; error: ApiError; finishReason: string }

/**
 * One response, from its start to its sealed final frame. The engine is asked for the next piece only when there is
 * room to send it, and every piece is sealed in the moment in which it is sent, so the transcript, the counts and the
 * stream agree at all times.
 */
export class Exchange {
  readonly #parts: ExchangeParts
  readonly #sealer: ResponseSealer
  readonly #stop = new AbortController()
  #begun = false
  #lastPartial: IssuedReceipt | undefined
  #cancelReceipt: () => void = () => {}
  #cancelPad: () => void = () => {}
  /** Nothing was sent since the last look. */
  #quiet = true

  constructor(parts: ExchangeParts) {
    this.#parts = parts
    this.#sealer = parts.opened.respond()
  }

  /** Runs to the end of the stream; never rejects. */
  async run(): Promise<void> {
    const { sink, clock, opened } = this.#parts
    const onSignal = () => this.#halt(sink.signal.reason as StopReason)
    sink.signal.addEventListener('abort', onSignal)
    if (sink.signal.aborted) onSignal()
    const cancelDeadline = clock.after(opened.ctx.deadline - clock.now(), () => this.#halt('deadline'))
    try {
      await this.#finish(await this.#answer())
    } catch (error) {
      // Only a fault of ours comes here; the stream ends without a final frame, which the client sees.
      this.#parts.log.error({ request: opened.ctx.requestId, code: codeOf(error) }, 'response failed')
      if (!sink.lost) sink.end('internal')
    } finally {
      cancelDeadline()
      sink.signal.removeEventListener('abort', onSignal)
      this.#stopTimers()
      this.#sealer.destroy()
    }
  }

  #halt(reason: StopReason): void {
    this.#stop.abort(reason)
  }

  async #answer(): Promise<Outcome> {
    const { sink, answer } = this.#parts
    const { signal } = this.#stop
    if (signal.aborted || !(await sink.ready())) return this.#stopped()
    sink.chunk(this.#sealer.start())
    this.#begun = true
    this.#schedulePad()
    const events = answer(signal)
    try {
      for (;;) {
        if (!(await sink.ready()) || signal.aborted) return this.#stopped()
        const next = await events.next()
        if (signal.aborted) return this.#stopped()
        if (next.done) return { kind: 'done', result: next.value }
        await this.#deliver(next.value)
      }
    } catch (error) {
      if (signal.aborted) return this.#stopped()
      return { kind: 'failed', error: this.#toApiError(error), finishReason: 'error' }
    } finally {
      this.#cancelPad()
      // Leaving early is what stops the engine; whatever it still throws has no one to tell.
      await events.return({ finishReason: 'stop', usage: NO_USAGE }).catch(() => {})
    }
  }

  async #deliver(event: TaskEvent): Promise<void> {
    if (event.type === 'event') await this.#sendEvent(utf8(event.json))
    else await this.#sendBody(event.bytes)
    if (this.#stop.signal.aborted) return
    // A worker that let more be made than was paid for has a bug: it stops and charges what it showed before.
    if (!this.#parts.chain.deliver(this.#parts.meter)) this.#halt('overrun')
    else this.#scheduleReceipt()
  }

  async #sendEvent(json: Uint8Array): Promise<void> {
    const begun = Math.max(0, json.length - MOST_EVENT)
    await this.#sendBody(json.subarray(0, begun))
    if (await this.#room()) this.#send(this.#sealer.frame(FRAME.event, json.subarray(begun)))
  }

  async #sendBody(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && (await this.#room()); at += BODY_PIECE) {
      this.#send(this.#sealer.frame(FRAME.body, bytes.subarray(at, at + BODY_PIECE)))
    }
  }

  async #room(): Promise<boolean> {
    return !this.#stop.signal.aborted && (await this.#parts.sink.ready()) && !this.#stop.signal.aborted
  }

  #send(unit: Uint8Array): void {
    this.#quiet = false
    this.#parts.sink.chunk(unit)
  }

  async #finish(outcome: Outcome): Promise<void> {
    this.#stopTimers()
    const { sink, chain, meter, opened } = this.#parts
    // What was on its way when the link broke may never have arrived: nothing more is signed for.
    if (sink.lost) {
      if (this.#lastPartial) this.#keep(this.#lastPartial, true)
      return
    }
    let final = outcome
    // The tokens that no event shows (an end-of-turn, swallowed padding) count in a whole answer.
    if (final.kind === 'done' && !chain.deliver(meter)) final = this.#failure('overrun')
    const issued =
      final.kind === 'done'
        ? chain.complete(final.result.finishReason, this.#transcript())
        : chain.fail(final.finishReason, this.#transcript())
    this.#keep(issued, true)
    if (!this.#begun && sink.room > 0) {
      sink.chunk(this.#sealer.start())
      this.#begun = true
    }
    // After a cancel the gateway may grant nothing any more: then the receipt alone is the answer.
    if (this.#begun && (await sink.ready())) sink.chunk(this.#sealer.final(this.#finalContent(final, issued)))
    if (sink.lost) return
    // Without a start there is no transcript that the gateway could hold the receipt against.
    if (!this.#begun) return sink.end('cancelled')
    sink.receipt(opened.ctx.requestId, issued.signed, true)
    sink.end()
  }

  #finalContent(outcome: Outcome, issued: IssuedReceipt): Uint8Array {
    return encodeFinal({
      ...(outcome.kind === 'failed' && { error: outcome.error }),
      finishReason: outcome.kind === 'done' ? outcome.result.finishReason : outcome.finishReason,
      usage: outcome.kind === 'done' ? outcome.result.usage : null,
      transcript: toHex(this.#transcript()),
      receipt: issued.signed,
      details: issued.details,
      blind: issued.blind,
    })
  }

  #transcript(): Uint8Array {
    return this.#sealer.transcript()
  }

  #keep({ workerCharge, details }: IssuedReceipt, final: boolean): void {
    const { opened, terms, sink } = this.#parts
    if (workerCharge === 0n && !final) return
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = details
    terms.keep({
      requestId: opened.ctx.requestId,
      receipt: sink.proven,
      final,
      workerCharge,
      model: opened.ctx.model.id,
      tokens: { promptTokens, cachedTokens, completionTokens, reasoningTokens },
    })
  }

  #scheduleReceipt(): void {
    // A whole answer is delivered at its end only: no part of it is worth anything.
    if (!this.#parts.opened.ctx.responseMode.stream) return
    this.#cancelReceipt()
    const due = this.#parts.chain.dueIn
    if (due === undefined) return
    if (due === 0) this.#partialReceipt()
    else this.#cancelReceipt = this.#parts.clock.after(due, () => this.#partialReceipt())
  }

  #partialReceipt(): void {
    const { sink, chain, opened } = this.#parts
    if (this.#stop.signal.aborted || chain.dueIn === undefined) return
    const issued = chain.partial(this.#transcript())
    this.#lastPartial = issued
    this.#keep(issued, false)
    sink.receipt(opened.ctx.requestId, issued.signed, false)
  }

  #schedulePad(): void {
    const { clock, opened, sink } = this.#parts
    if (opened.ctx.responseMode.padding !== 'bucket') return
    this.#cancelPad = clock.after(PAD_MS, () => {
      if (this.#stop.signal.aborted) return
      if (this.#quiet && sink.room > PAD_RESERVE) this.#send(this.#sealer.pad())
      this.#quiet = true
      this.#schedulePad()
    })
  }

  #stopTimers(): void {
    this.#cancelPad()
    this.#cancelReceipt()
  }

  #stopped(): Outcome {
    const reason = (this.#stop.signal.reason ?? this.#parts.sink.signal.reason ?? 'internal') as StopReason
    const { chain, meter, opened } = this.#parts
    // A whole answer is delivered at its end only. Who takes back a request for one pays for the work done until then.
    const owed = reason === 'cancelled' && this.#begun && !opened.ctx.responseMode.stream
    return this.#failure(owed && !chain.deliver(meter) ? 'overrun' : reason)
  }

  #failure(reason: StopReason): Outcome {
    const { log, opened } = this.#parts
    if (reason === 'overrun' || reason === 'internal') {
      log.error({ request: opened.ctx.requestId, code: reason }, 'response stopped')
      return { kind: 'failed', error: internalError(), finishReason: 'error' }
    }
    const error = reason === 'deadline' ? timedOut() : cancelled()
    return { kind: 'failed', error, finishReason: reason === 'deadline' ? 'deadline' : 'cancelled' }
  }

  #toApiError(error: unknown): ApiError {
    if (error instanceof ApiError) return error
    this.#parts.log.error({ request: this.#parts.opened.ctx.requestId, code: codeOf(error) }, 'task failed')
    return internalError()
  }
}

const NO_USAGE: Usage = {
  prompt_tokens: 0,
  completion_tokens: 0,
  total_tokens: 0,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
}

function cancelled(): ApiError {
  return new ApiError({
    status: 499,
    type: 'invalid_request_error',
    apiCode: 'request_cancelled',
    message: 'The request was cancelled before it was finished.',
  })
}
