import { type ApiError, rateLimited, timedOut, unavailable } from '../../worker/protocol/errors.ts'
import type { Clock, Lease, NamedQuote, PickOptions, PickResult } from '../link/index.ts'
import { clientClosed } from './errors.ts'
import type { DispatchLimits } from './types.ts'

/** Where slots come from; the worker pool. */
export interface SlotSource {
  quotes(model: string, options?: PickOptions): readonly NamedQuote[]
  pick(model: string, options?: PickOptions): PickResult
}

export interface SlotRequest extends PickOptions {
  model: string
  /** Id of the API key, for its share of the queue. */
  key: string
  /** Wall time in ms after which nobody wants the answer. */
  deadline: number
  signal: AbortSignal
  /** Goes before those that wait: a request that lost its worker has waited before. */
  urgent?: boolean
  /**
   * Asked before it takes a place in the queue, which is not for those who cannot pay in the end.
   * @param quotes of the workers that it may come to
   * @throws ApiError
   */
  demandPayable?: (quotes: readonly NamedQuote[]) => void
}

interface Waiter {
  readonly request: SlotRequest
  settle(result: Lease | Error): void
}

/** Weight of the newest observation in the average time that a slot is held. */
const NEWEST = 0.2

/**
 * Requests that wait for a free slot, bounded in number and in time. API keys take turns, so that a key with many
 * requests delays another by one request at a time; within a key it is first come, first served.
 */
export class SlotQueue {
  readonly #source: SlotSource
  readonly #clock: Clock
  readonly #limits: DispatchLimits
  /** They have waited before: they go first. */
  readonly #urgent: Waiter[] = []
  /** By API key, the key whose turn it is first. A key that was served, or comes anew, stands last. */
  readonly #keys = new Map<string, Waiter[]>()
  #holdMs = 1000

  constructor(source: SlotSource, clock: Clock, limits: DispatchLimits) {
    this.#source = source
    this.#clock = clock
    this.#limits = limits
  }

  get length(): number {
    let waiting = this.#urgent.length
    for (const waiters of this.#keys.values()) waiting += waiters.length
    return waiting
  }

  /**
   * A slot on a worker that serves the model.
   * @throws ApiError 503 when no worker does, 429 when the queue is full or the wait was too long, 504 and 499
   */
  async acquire(request: SlotRequest): Promise<Lease> {
    if (request.signal.aborted) throw clientClosed()
    if (this.#clock.now() >= request.deadline) throw timedOut()
    const behind = !request.urgent && this.#inTurn().some((waiter) => waiter.request.model === request.model)
    const picked = this.#source.pick(request.model, request)
    if (picked.kind === 'none') throw noWorker()
    if (picked.kind === 'lease') {
      if (!behind) return picked.lease
      picked.lease.release()
    }
    request.demandPayable?.(this.#source.quotes(request.model, request))
    this.#checkRoom(request)
    return this.#wait(request)
  }

  /** Hands free slots to those whose turn it is. */
  onCapacity(): void {
    const blocked = new Set<string>()
    for (const waiter of this.#inTurn()) {
      const { request } = waiter
      const wanted = `${request.model} ${request.sha256} ${request.contextLength}`
      if (blocked.has(wanted)) continue
      const picked = this.#source.pick(request.model, request)
      if (picked.kind === 'lease') waiter.settle(picked.lease)
      else if (!request.exclude?.size) blocked.add(wanted)
    }
  }

  /** Tells the queue how long a slot was held, for `retry-after`. */
  observe(heldMs: number): void {
    this.#holdMs += NEWEST * (heldMs - this.#holdMs)
  }

  /** Seconds for `retry-after`: about the time until those that wait now have had their turn, 1 to 30. */
  get retryAfter(): number {
    return Math.min(30, Math.max(1, (this.#holdMs * this.length) / 1000))
  }

  /** Turns everybody away. */
  close(): void {
    for (const waiter of this.#inTurn()) waiter.settle(draining())
  }

  #checkRoom({ key, urgent }: SlotRequest): void {
    if (urgent) return
    const ofKey = this.#keys.get(key)?.length ?? 0
    if (this.length < this.#limits.maxQueued && ofKey < this.#limits.maxQueuedPerKey) return
    throw rateLimited(
      'Too many requests are waiting for this model. Try again later.',
      this.retryAfter,
      'queue_full',
    )
  }

  #wait(request: SlotRequest): Promise<Lease> {
    const { promise, resolve, reject } = Promise.withResolvers<Lease>()
    const since = this.#clock.now()
    const wait = Math.min(this.#limits.queueMs, request.deadline - since)
    const stopTimer = this.#clock.after(wait, () => waiter.settle(this.#expired(request)))
    const onAbort = () => waiter.settle(clientClosed())
    const waiter: Waiter = {
      request,
      settle: (result) => {
        if (!this.#leave(waiter, !(result instanceof Error))) return
        stopTimer()
        request.signal.removeEventListener('abort', onAbort)
        if (result instanceof Error) reject(result)
        else resolve(result)
      },
    }
    this.#enter(waiter)
    request.signal.addEventListener('abort', onAbort)
    return promise
  }

  /** Everybody who waits: one request of each key, then the second of each, and so on. */
  #inTurn(): Waiter[] {
    const waiters = [...this.#urgent]
    const queues = [...this.#keys.values()]
    const longest = queues.reduce((most, { length }) => Math.max(most, length), 0)
    for (let round = 0; round < longest; round++)
      for (const queue of queues) if (queue[round]) waiters.push(queue[round] as Waiter)
    return waiters
  }

  #enter(waiter: Waiter): void {
    const { key, urgent } = waiter.request
    if (urgent) return void this.#urgent.unshift(waiter)
    const queue = this.#keys.get(key)
    if (queue) queue.push(waiter)
    else this.#keys.set(key, [waiter])
  }

  /** Returns false when it has left before. Whoever was served had its key's turn. */
  #leave(waiter: Waiter, served: boolean): boolean {
    const { key, urgent } = waiter.request
    const queue = urgent ? this.#urgent : (this.#keys.get(key) ?? [])
    const at = queue.indexOf(waiter)
    if (at < 0) return false
    queue.splice(at, 1)
    if (urgent) return true
    if (served || queue.length === 0) this.#keys.delete(key)
    if (served && queue.length > 0) this.#keys.set(key, queue)
    return true
  }

  #expired({ deadline }: SlotRequest): Error {
    if (this.#clock.now() >= deadline) return timedOut()
    const message = 'No worker became free in time. Try again later.'
    return rateLimited(message, this.retryAfter, 'queue_timeout')
  }
}

/** 503: nobody serves the model at this moment. */
export function noWorker(): ApiError {
  return unavailable(
    'No worker for this model is connected at the moment. Try again shortly.',
    'no_worker',
    1,
  )
}

/** 503: this gateway is about to stop. */
export function draining(): ApiError {
  return unavailable('This gateway is shutting down. Try again shortly.', 'server_draining', 1)
}
