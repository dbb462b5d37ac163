import { TreasuryError } from './errors.ts'

/**
 * When each channel was last seen on the chain. A channel that nobody looks at may be closing, and what is served on
 * it may never be paid: so it is served for a while without a look, and no longer.
 */
export class Sightings {
  readonly #outageMs: number
  readonly #monotonic: () => number
  readonly #seen = new Map<string, number>()

  /** @param outageSeconds how long a channel is served without a look at the chain */
  constructor(outageSeconds: number, monotonic: () => number) {
    this.#outageMs = outageSeconds * 1000
    this.#monotonic = monotonic
  }

  /** Its state was just read, and is what the ledger can stand on. */
  saw(channel: string): void {
    this.#seen.set(channel, this.#monotonic())
  }

  /** It is closed: nobody looks at it any more. */
  forget(channel: string): void {
    this.#seen.delete(channel)
  }

  /** Milliseconds since it was seen; infinite when it never was. */
  age(channel: string): number {
    const at = this.#seen.get(channel)
    return at === undefined ? Number.POSITIVE_INFINITY : this.#monotonic() - at
  }

  /**
   * Refuses a channel that has not been seen for too long. One that is new here was checked on the chain when it was
   * accepted: its time begins now.
   *
   * @throws TreasuryError `ERR_CHAIN_OUTAGE`
   */
  require(channel: string): void {
    if (!this.#seen.has(channel)) this.saw(channel)
    const age = this.age(channel)
    if (age <= this.#outageMs) return
    throw new TreasuryError(
      'ERR_CHAIN_OUTAGE',
      `channel ${channel} was last seen on the chain ${Math.floor(age / 1000)} s ago; it is served for ${this.#outageMs / 1000} s without that`,
    )
  }

  /** Whether any channel has been out of sight for too long. */
  get blind(): boolean {
    return [...this.#seen.keys()].some((channel) => this.age(channel) > this.#outageMs)
  }
}
