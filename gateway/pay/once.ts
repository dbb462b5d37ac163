import { conflict } from '../../worker/protocol/index.ts'

/**
 * Request ids that were used and have not expired. The ledger refuses what it has ever held money for; this refuses
 * the rest (reads, and requests that failed before), so that a captured header is good for nothing while it lasts.
 */
export class UsedOnce {
  /** Request id to Unix second of its expiry, in the order of use. */
  readonly #used = new Map<string, number>()

  /**
   * @param expires Unix seconds, at most a few minutes ahead
   * @param now Unix seconds
   * @throws ApiError 409 when the id was used
   */
  take(requestId: string, expires: number, now: number): void {
    this.#forget(now)
    if (this.#used.has(requestId)) throw replayed()
    this.#used.set(requestId, expires)
  }

  /** Whoever came first is looked at first; one that lasts longer holds up the others by a few minutes at most. */
  #forget(now: number): void {
    for (const [id, expires] of this.#used) {
      if (expires > now) return
      this.#used.delete(id)
    }
  }
}

/** 409: another request was paid with this id. */
export function replayed() {
  return conflict(
    'This payment was used before. Sign each request anew, with a request.id of its own.',
    'payment_replayed',
  )
}
