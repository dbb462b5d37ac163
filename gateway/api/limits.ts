import { ApiError } from '../../worker/protocol/index.ts'

/** A token bucket per API key: `perMinute` requests a minute, all of which may come at once. */
export class RateLimiter {
  readonly #perMinute: number
  readonly #now: () => number
  readonly #buckets = new Map<string, { tokens: number; at: number }>()

  /** @param now monotonic milliseconds */
  constructor({ perMinute, now }: { perMinute: number; now: () => number }) {
    this.#perMinute = perMinute
    this.#now = now
  }

  /**
   * Takes one request from the key's bucket.
   *
   * @returns the `x-ratelimit-*` headers of OpenAI's API
   * @throws ApiError 429 with Retry-After when the bucket is empty
   */
  take(keyId: string): Record<string, string> {
    const now = this.#now()
    const perMs = this.#perMinute / 60_000
    const bucket = this.#buckets.get(keyId) ?? { tokens: this.#perMinute, at: now }
    bucket.tokens = Math.min(this.#perMinute, bucket.tokens + (now - bucket.at) * perMs)
    bucket.at = now
    this.#buckets.set(keyId, bucket)
    const allowed = bucket.tokens >= 1
    if (allowed) bucket.tokens -= 1
    const headers = {
      'x-ratelimit-limit-requests': String(this.#perMinute),
      'x-ratelimit-remaining-requests': String(Math.floor(bucket.tokens)),
      'x-ratelimit-reset-requests': `${Math.ceil((this.#perMinute - bucket.tokens) / perMs / 1000)}s`,
    }
    if (allowed) return headers
    const wait = Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1000))
    throw new ApiError({
      status: 429,
      type: 'requests',
      apiCode: 'rate_limit_exceeded',
      message: `Rate limit reached: ${this.#perMinute} requests per minute for this API key. Retry in ${wait} s.`,
      headers: { ...headers, 'retry-after': String(wait) },
    })
  }
}
