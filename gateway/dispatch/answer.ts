import type { ApiError } from '../../worker/protocol/errors.ts'
import type { Clock, Lease } from '../link/index.ts'
import { Handoff } from './handoff.ts'
import { dispatchedTo } from './settle.ts'
import type { DispatchEvent, DispatchFinal, DispatchResponse } from './types.ts'

/** How long the consumer may take, and what follows when it takes nothing more. */
export interface AnswerParts {
  readonly clock: Clock
  /** Longest time in ms that an event may lie here untaken. */
  readonly stallMs: number
  /** The consumer went away, or stalled. */
  readonly onUnwanted: (reason: 'aborted' | 'stalled') => void
}

/** What the client of one request gets: a response once there is something to show, its events, its end. */
export class Answer {
  readonly #requestId: string
  readonly #parts: AnswerParts
  readonly #events: Handoff<DispatchEvent>
  readonly #response = Promise.withResolvers<DispatchResponse>()
  readonly #done = Promise.withResolvers<DispatchFinal>()

  constructor(requestId: string, parts: AnswerParts) {
    this.#requestId = requestId
    this.#parts = parts
    this.#events = new Handoff(() => parts.onUnwanted('aborted'))
    this.#done.promise.catch(() => {})
    this.#response.promise.catch(() => {})
  }

  /** Resolves when there is something to show; rejects with the ApiError of a request that ends before. */
  get response(): Promise<DispatchResponse> {
    return this.#response.promise
  }

  /** From now on the client may take what is put; the worker of this lease answers. */
  show(lease: Lease): void {
    this.#response.resolve({
      requestId: this.#requestId,
      worker: dispatchedTo(lease),
      events: this.#events,
      done: this.#done.promise,
    })
  }

  /** Resolves true once the consumer took the event, false when nobody wants it. */
  async put(event: DispatchEvent): Promise<boolean> {
    if (this.#events.offer(event)) return true
    const { clock, stallMs, onUnwanted } = this.#parts
    const stopTimer = clock.after(stallMs, () => onUnwanted('stalled'))
    try {
      return await this.#events.put(event)
    } finally {
      stopTimer()
    }
  }

  /** Takes back what was not taken; no more is wanted. */
  drop(): void {
    this.#events.drop()
  }

  /** The whole answer was shown, if it had any events, and is charged. */
  finish(lease: Lease, final: DispatchFinal): void {
    this.show(lease)
    this.#done.resolve(final)
    this.#events.end()
  }

  fail(error: ApiError): void {
    this.#response.reject(error)
    this.#done.reject(error)
    this.#events.fail(error)
  }
}
