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

  /** It was served by a former process: until it is seen by this one, nobody knows for how long it was not. */
  expect(channel: string): void {
    if (!this.#seen.has(channel)) this.#seen.set(channel, Number.NEGATIVE_INFINITY)
  }

  /** Its state was just read, and is what the ledger can stand on. */
  saw(channel: string): void {
    this.#seen.set(channel, this.#monotonic())
  }

  /** It was looked for in vain: its time has begun, be it used or not. */
  missed(channel: string): void {
    if (!this.#seen.has(channel)) this.saw(channel)
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

  /** Whether it is known, and was not seen for too long. */
  isLost(channel: string): boolean {
    return this.#seen.has(channel) && this.age(channel) > this.#outageMs
  }

  /**
   * Refuses a channel that has not been seen for too long. One that is new here was checked on the chain when it was
   * accepted: its time begins now, or when it was first looked for in vain.
   *
   * @throws TreasuryError `ERR_CHAIN_OUTAGE`
   */
  require(channel: string): void {
    this.missed(channel)
    const age = this.age(channel)
    if (age <= this.#outageMs) return
    const seconds = this.#outageMs / 1000
    const since = Number.isFinite(age) ? `for ${Math.floor(age / 1000)} s` : 'since this gateway started'
    throw new TreasuryError(
      'ERR_CHAIN_OUTAGE',
      `channel ${channel} was not seen on the chain ${since}; it is served for ${seconds} s without that`,
    )
  }

  /** Whether all channels have been out of sight for too long: then it is the chain, and not one of them. */
  get blind(): boolean {
    const channels = [...this.#seen.keys()]
    return channels.length > 0 && channels.every((channel) => this.age(channel) > this.#outageMs)
  }
}
