import { ChrysalisError } from '../../attest/errors.ts'

/**
 * Hands values from one producer to one consumer, one at a time: `put` resolves when the consumer has taken the value,
 * so the producer is never more than one value ahead.
 */
export class Handoff<T> implements AsyncIterable<T> {
  #value: { readonly item: T } | undefined
  #taken: ((wanted: boolean) => void) | undefined
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void } | undefined
  #closed: { readonly error?: unknown } | undefined
  #dropped = false
  #iterated = false
  readonly #onLeave: () => void

  /** @param onLeave called when the consumer stops before the end */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave
  }

  /** Hands the value over if the consumer waits for one; false, with nothing done, if it does not. */
  offer(item: T): boolean {
    const waiting = this.#waiting
    if (!waiting || this.#dropped || this.#closed) return false
    this.#waiting = undefined
    waiting.resolve({ value: item, done: false })
    return true
  }

  /** Resolves true once the consumer took the value, false when nobody wants values any more. */
  put(item: T): Promise<boolean> {
    if (this.#dropped || this.#closed) return Promise.resolve(false)
    if (this.offer(item)) return Promise.resolve(true)
    this.#value = { item }
    return new Promise((resolve) => {
      this.#taken = resolve
    })
  }

  /** Takes back what the consumer has not taken; a waiting and every later `put` resolves false. */
  drop(): void {
    this.#dropped = true
    this.#value = undefined
    this.#taken?.(false)
    this.#taken = undefined
  }

  /** The consumer sees the end, after a value that still lies here. */
  end(): void {
    this.#close({})
  }

  /** The consumer's next pull throws, after a value that still lies here. */
  fail(error: unknown): void {
    this.#close({ error })
  }

  [Symbol.asyncIterator](): AsyncIterator<T> {
    if (this.#iterated) throw new ChrysalisError('ERR_EVENTS_TAKEN', 'these events can be iterated once')
    this.#iterated = true
    return { next: () => this.#next(), return: () => this.#leave() }
  }

  #next(): Promise<IteratorResult<T>> {
    const value = this.#value
    if (value) {
      this.#value = undefined
      this.#taken?.(true)
      this.#taken = undefined
      return Promise.resolve({ value: value.item, done: false })
    }
    if (this.#closed) return settle(this.#closed)
    if (this.#waiting) {
      const error = new ChrysalisError('ERR_EVENTS_BUSY', 'the previous pull has not been answered yet')
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  #leave(): Promise<IteratorResult<T>> {
    if (!this.#closed) this.#onLeave()
    this.drop()
    return Promise.resolve({ value: undefined, done: true })
  }

  #close(closed: { error?: unknown }): void {
    if (this.#closed) return
    this.#closed = closed
    const waiting = this.#waiting
    this.#waiting = undefined
    if (!waiting) return
    settle<T>(closed).then(waiting.resolve, waiting.reject)
  }
}

function settle<T>(closed: { error?: unknown }): Promise<IteratorResult<T>> {
  if ('error' in closed) return Promise.reject(closed.error)
  return Promise.resolve({ value: undefined, done: true })
}
