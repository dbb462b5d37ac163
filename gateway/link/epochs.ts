import type { VerifiedEpoch } from './types.ts'

/** A worker has its present epoch and, for two minutes, the next one; more would only be kept for nothing. */
const MOST_EPOCHS = 4

/** The epochs of one worker whose evidence was accepted. */
export class EpochBook {
  readonly #now: () => number
  readonly #marginMs: number
  #epochs: VerifiedEpoch[] = []

  /** @param marginMs an epoch with less than this left takes no new requests */
  constructor(now: () => number, marginMs: number) {
    this.#now = now
    this.#marginMs = marginMs
  }

  add(epoch: VerifiedEpoch): void {
    const now = this.#now()
    const others = this.#epochs.filter((known) => known.id !== epoch.id && known.notAfter > now)
    this.#epochs = [...others, epoch].slice(-MOST_EPOCHS)
  }

  /** The epoch to seal to: of those with enough time left, the one that lasts longest. */
  current(): VerifiedEpoch | undefined {
    const soonest = this.#now() + this.#marginMs
    let best: VerifiedEpoch | undefined
    for (const epoch of this.#epochs) {
      if (epoch.notAfter > soonest && (!best || epoch.notAfter > best.notAfter)) best = epoch
    }
    return best
  }
}
