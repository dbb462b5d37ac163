/** Token buckets: how often somebody may ask for something that costs. */

export interface AllowanceOptions {
  /** Units that may be taken at once. */
  burst: number
  /** Units that come back in a minute. */
  perMinute: number
  /** Monotonic ms. */
  now: () => number
  /** Keys that are remembered at once; the one that asked longest ago is forgotten first. */
  most?: number
}

/** One bucket for each key, bounded in number. */
export class Allowance {
  readonly #options: AllowanceOptions
  /** In the order of last use. */
  readonly #buckets = new Map<string, { units: number; at: number }>()

  constructor(options: AllowanceOptions) {
    this.#options = options
  }

  /**
   * Takes `cost` units, and no more than a whole bucket, from the bucket of `key`.
   *
   * @returns 0 when they were there; else, with nothing taken, the ms after which they will be
   */
  take(key = '', cost = 1): number {
    const { burst, perMinute, now, most = 4096 } = this.#options
    const perMs = perMinute / 60_000
    const at = now()
    const last = this.#buckets.get(key)
    const units = last === undefined ? burst : Math.min(burst, last.units + (at - last.at) * perMs)
    const wanted = Math.min(cost, burst)
    const wait = units >= wanted ? 0 : Math.max(1, Math.ceil((wanted - units) / perMs))
    this.#buckets.delete(key)
    this.#buckets.set(key, { units: wait === 0 ? units - wanted : units, at })
    const [oldest] = this.#buckets.keys()
    if (this.#buckets.size > most && oldest !== undefined) this.#buckets.delete(oldest)
    return wait
  }

  /** Gives back what an earlier `take` took for nothing. */
  giveBack(key = '', cost = 1): void {
    const bucket = this.#buckets.get(key)
    if (bucket) bucket.units = Math.min(this.#options.burst, bucket.units + cost)
  }
}

/** What counts as one caller: an IPv4 address, or the 64-bit network of an IPv6 address. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  if (!address.includes(':')) return address
  const [head = '', tail] = (address.split('%', 1)[0] ?? '').toLowerCase().split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros =
    tail === undefined ? [] : new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}
