const FIRST_MS = 250
const LONGEST_MS = 30_000

/**
 * Pauses between attempts to join: full jitter, so that workers which lost one gateway do not return in step.
 * `random` returns a number from 0 to 1, 1 excluded.
 */
export class BackOff {
  readonly #random: () => number
  #attempts = 0

  constructor(random: () => number) {
    this.#random = random
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#attempts)
    this.#attempts = Math.min(this.#attempts + 1, 16)
    return Math.floor(this.#random() * ceiling)
  }

  /** The gateway has welcomed us. */
  reset(): void {
    this.#attempts = 0
  }
}
