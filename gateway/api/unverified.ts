import { unavailable } from '../../worker/protocol/index.ts'

/** Bytes of bodies that wait for their verification, of all channels… */
const MOST = 64 * 1024 * 1024
/** …and of one: a few bodies of full size. */
const MOST_EACH = 8 * 1024 * 1024

/**
 * Memory for bodies whose payment is not verified yet, as its signature covers the body. A voucher that was settled is on the
 * chain for everybody to read, so that anybody may send such a body and let it wait.
 */
export class UnverifiedBodies {
  readonly #held = new Map<string, number>()
  readonly #mostEach: number
  readonly #most: number
  #all = 0

  constructor(most = MOST, mostEach = MOST_EACH) {
    this.#most = most
    this.#mostEach = mostEach
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#all
  }

  /**
   * Runs `work`, which tells of each piece of a body that it keeps; when it has ended the pieces count no more.
   *
   * @param channel that the body says to be paid on
   * @throws what `work` throws; ApiError 503 out of `keep` when there is no room
   */
  async run<T>(channel: string, work: (keep: (bytes: number) => void) => Promise<T>): Promise<T> {
    let kept = 0
    const keep = (bytes: number) => {
      const each = (this.#held.get(channel) ?? 0) + bytes
      if (each > this.#mostEach || this.#all + bytes > this.#most) throw full()
      kept += bytes
      this.#all += bytes
      this.#held.set(channel, each)
    }
    try {
      return await work(keep)
    } finally {
      this.#all -= kept
      const left = (this.#held.get(channel) ?? 0) - kept
      if (left > 0) this.#held.set(channel, left)
      else this.#held.delete(channel)
    }
  }
}

function full() {
  return unavailable('Too many paid requests are being uploaded. Try again shortly.', 'server_busy', 1)
}
