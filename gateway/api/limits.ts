import { ApiError } from '../../worker/protocol/index.ts'

/** What one API key may ask for in a minute, all of which may come at once. */
export interface Rates {
  requests: number
  /** Tokens of prompt and answer together; absent: no limit. */
  tokens?: number | undefined
}

/** Tokens that were taken for a request's bounds, before it is known what it needs. */
export interface TokenHold {
  readonly headers: Readonly<Record<string, string>>
  /** Tells what it needed; the rest is there for others again. Undefined: nobody knows, so everything counts. */
  settle(used: number | undefined): void
}

/** Two token buckets for each API key: its requests and its tokens a minute. */
export class RateLimiter {
  readonly #requests: Buckets
  readonly #tokens: Buckets | undefined

  /** @param now monotonic milliseconds */
  constructor({ requests, tokens }: Rates, now: () => number) {
    this.#requests = new Buckets('requests', requests, now)
    this.#tokens = tokens === undefined ? undefined : new Buckets('tokens', tokens, now)
  }

  /**
   * Takes one request from the key's bucket.
   *
   * @returns the `x-ratelimit-*` headers of OpenAI's API
   * @throws ApiError 429 with Retry-After when the bucket is empty
   */
  take(keyId: string): Readonly<Record<string, string>> {
    return this.#requests.take(keyId, 1)
  }

  /**
   * Takes as many tokens as a request can come to. One that can come to more than a whole minute's tokens takes a
   * whole bucket: it is not refused for ever.
   *
   * @throws ApiError 429 with Retry-After when they are not there
   */
  takeTokens(keyId: string, tokens: number): TokenHold {
    const buckets = this.#tokens
    if (!buckets) return { headers: {}, settle: () => {} }
    const taken = Math.min(tokens, buckets.perMinute)
    const headers = buckets.take(keyId, taken)
    return { headers, settle: (used = taken) => buckets.giveBack(keyId, Math.max(0, taken - used)) }
  }
}

/** One bucket for each key; a key that is full again needs none, so there are no more than were used in a minute. */
class Buckets {
  readonly #unit: 'requests' | 'tokens'
  readonly perMinute: number
  readonly #now: () => number
  /** In the order of last use. */
  readonly #buckets = new Map<string, { left: number; at: number }>()

  constructor(unit: 'requests' | 'tokens', perMinute: number, now: () => number) {
    this.#unit = unit
    this.perMinute = perMinute
    this.#now = now
  }

  take(key: string, cost: number): Readonly<Record<string, string>> {
    const { perMinute } = this
    const msFor = (units: number) => (units / perMinute) * 60_000
    const left = this.#refilled(key)
    const allowed = left >= cost
    const rest = allowed ? left - cost : left
    this.#put(key, rest)
    const headers = {
      [`x-ratelimit-limit-${this.#unit}`]: String(perMinute),
      [`x-ratelimit-remaining-${this.#unit}`]: String(Math.floor(rest)),
      [`x-ratelimit-reset-${this.#unit}`]: goDuration(msFor(perMinute - rest)),
    }
    if (allowed) return headers
    const waitMs = Math.max(1, Math.ceil(msFor(cost - left)))
    const seconds = Math.ceil(waitMs / 1000)
    throw new ApiError({
      status: 429,
      type: this.#unit,
      apiCode: 'rate_limit_exceeded',
      message: `Rate limit reached: ${perMinute} ${this.#unit} per minute for this API key. Retry in ${seconds} s.`,
      headers: { ...headers, 'retry-after': String(seconds), 'retry-after-ms': String(waitMs) },
    })
  }

  giveBack(key: string, units: number): void {
    this.#put(key, Math.min(this.perMinute, this.#refilled(key) + units))
  }

  #refilled(key: string): number {
    const bucket = this.#buckets.get(key)
    if (!bucket) return this.perMinute
    const back = ((this.#now() - bucket.at) / 60_000) * this.perMinute
    return Math.min(this.perMinute, bucket.left + back)
  }

  #put(key: string, left: number): void {
    const at = this.#now()
    this.#buckets.delete(key)
    this.#buckets.set(key, { left, at })
    // Whatever was last used a minute ago is full again.
    for (const [name, bucket] of this.#buckets) {
      if (at - bucket.at < 60_000) break
      this.#buckets.delete(name)
    }
  }
}

/** A span of time as OpenAI writes it, which is Go's way: `6m0s`, `1.5s`, `20ms`. */
export function goDuration(ms: number): string {
  const whole = Math.ceil(ms)
  if (whole < 1000) return `${whole}ms`
  const minutes = Math.floor(whole / 60_000)
  const seconds = (whole % 60_000) / 1000
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
