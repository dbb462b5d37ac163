import { codeOf } from '../../attest/cli/process.ts'
import type { ResponseFrame, ResponseOpener } from '../../attest/seal/index.ts'
import { LINK_LIMITS } from '../../worker/protocol/link.ts'
import type { Clock, LinkStream, StreamItem } from '../link/index.ts'
import type { ContentCheck } from './content.ts'
import { IntegrityError } from './errors.ts'
import { type FinalFrame, parseFinal } from './final.ts'
import type { ReceiptBook, VerifiedReceipt } from './receipt-book.ts'
import type { DispatchEvent, DispatchLimits } from './types.ts'

/** Why the gateway itself ends an exchange. */
export type StopReason = 'aborted' | 'stalled' | 'deadline' | 'draining'

/** How one attempt at one worker ended. */
export type Outcome =
  /** The final frame and its receipt stand. */
  | { readonly kind: 'final'; readonly final: FinalFrame; readonly receipt: VerifiedReceipt }
  /** Nothing was passed on and nothing was broken: another worker may try. */
  | { readonly kind: 'unstarted'; readonly code: string }
  /** The worker went away or fell silent after the first frame. */
  | { readonly kind: 'lost'; readonly code: string }
  /** Something does not hold: the worker is at fault, or someone between. */
  | { readonly kind: 'tampered'; readonly error: unknown }
  /** Stopped by us; what the worker still signed is in the book. */
  | { readonly kind: 'stopped'; readonly reason: StopReason }

export interface ExchangeParts {
  readonly stream: LinkStream
  readonly opener: ResponseOpener
  readonly book: ReceiptBook
  readonly content: ContentCheck
  readonly clock: Clock
  readonly limits: DispatchLimits
  /** Passes an opened frame on; resolves false when nobody wants it. */
  readonly deliver: (event: DispatchEvent) => Promise<boolean>
}

/**
 * One sealed request on one worker: sends it, opens the frames as the consumer takes them, checks every receipt at
 * its place between them. Reads nothing from the link while a frame waits for the consumer.
 */
export class Exchange {
  readonly #parts: ExchangeParts
  #started = false
  #stopped: StopReason | undefined
  #stopTimer: () => void = () => {}

  constructor(parts: ExchangeParts) {
    this.#parts = parts
  }

  /** Runs to the outcome; never rejects. Afterwards the stream is released. */
  async run(request: Uint8Array): Promise<Outcome> {
    const { stream, opener } = this.#parts
    // A failure to send is a lost link, which the stream itself reports.
    void stream.send(request, LINK_LIMITS.maxChunkBytes).catch(() => {})
    let outcome: Outcome
    try {
      outcome = await this.#read()
    } catch (error) {
      outcome = { kind: 'tampered', error }
    }
    this.#stopTimer()
    stream.release(outcome.kind === 'final' ? 'settled' : 'abandoned')
    opener.destroy()
    return outcome
  }

  /** Cancels the worker; the run then ends with its receipt, or when it has had `cancelMs` for it. */
  stop(reason: StopReason): void {
    if (this.#stopped) return
    this.#stopped = reason
    const { stream, clock, limits } = this.#parts
    stream.cancel()
    this.#stopTimer = clock.after(limits.cancelMs, () => stream.interrupt('cancel_expired'))
  }

  async #read(): Promise<Outcome> {
    for (;;) {
      const item = await this.#pull()
      const outcome = item.type === 'chunk' ? await this.#onChunk(item.bytes) : this.#onSignal(item)
      if (outcome) return outcome
    }
  }

  async #pull(): Promise<StreamItem> {
    const { stream, clock, limits } = this.#parts
    if (stream.ready || this.#stopped) return await stream.next()
    const patience = this.#started ? limits.idleMs : limits.firstFrameMs
    const stopTimer = clock.after(patience, () => stream.interrupt('silent'))
    try {
      return await stream.next()
    } finally {
      stopTimer()
    }
  }

  async #onChunk(bytes: Uint8Array): Promise<Outcome | undefined> {
    for (const frame of this.#parts.opener.push(bytes)) {
      if (frame.final) return this.#onFinal(frame)
      const event = this.#stopped ? undefined : this.#parts.content.take(frame)
      if (!event) continue
      this.#started = true
      await this.#parts.deliver(event)
    }
    return undefined
  }

  #onFinal(frame: ResponseFrame): Outcome {
    this.#parts.opener.end()
    const final = parseFinal(frame.content)
    // Once stopped, frames were dropped: what is left need not be whole, and nobody will take it for an answer.
    if (final.status < 400 && !this.#stopped) this.#parts.content.end()
    return { kind: 'final', final, receipt: this.#parts.book.close(final, frame.transcript) }
  }

  #onSignal(item: Exclude<StreamItem, { type: 'chunk' }>): Outcome | undefined {
    switch (item.type) {
      case 'receipt':
        this.#parts.book.add(item.receipt, item.final, this.#parts.opener.transcript())
        return undefined
      case 'interrupt':
        if (item.reason === 'silent') return this.#stopped ? undefined : this.#gone('worker_silent')
        return this.#stopped && { kind: 'stopped', reason: this.#stopped }
      case 'end':
        if (this.#stopped) return { kind: 'stopped', reason: this.#stopped }
        if (item.hint === undefined)
          throw new IntegrityError('ERR_STREAM_TRUNCATED', 'ended without a final frame')
        return this.#gone(item.hint)
      case 'lost':
        return this.#stopped ? { kind: 'stopped', reason: this.#stopped } : this.#gone(item.code)
    }
  }

  #gone(code: string): Outcome {
    return { kind: this.#started ? 'lost' : 'unstarted', code }
  }
}

/** For logs: what an outcome is called. */
export function outcomeCode(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'final':
      return `status_${outcome.final.status}`
    case 'tampered':
      return codeOf(outcome.error)
    case 'stopped':
      return outcome.reason
    default:
      return outcome.code
  }
}
