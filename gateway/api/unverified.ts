import { unavailable } from '../../worker/protocol/index.ts'

/** Bytes of bodies that wait for their verification, of all channels… */
const MOST = 64 * 1024 * 1024
/** …and of one: a few bodies of full size. */
const MOST_EACH = 8 * 1024 * 1024

/** What whoever reads a body tells of it. */
export interface Keeper {
  /** A piece is about to be kept. @throws ApiError 503 when the body has to make room, now or before */
  keep: (bytes: number) => void
  /** Aborted when the body has to make room: what was kept of it is let go. */
  signal: AbortSignal
}

interface Upload {
  readonly channel: string
  readonly end: AbortController
  bytes: number
}

/** Uploads that share a limit, those that began first in front. */
class Share {
  readonly uploads = new Set<Upload>()
  bytes = 0
}

/**
 * Memory for bodies whose payment is not verified yet, as its signature covers the body. A voucher that was settled is on the
 * chain for everybody to read, so that anybody may send such a body and let it wait. So whoever has been uploading
 * longest makes room for the others: to hold up a payer, a stranger would have to send faster than the payer does.
 */
export class UnverifiedBodies {
  readonly #all = new Share()
  readonly #each = new Map<string, Share>()
  readonly #mostEach: number
  readonly #most: number

  constructor(most = MOST, mostEach = MOST_EACH) {
    this.#most = most
    this.#mostEach = mostEach
  }

  /** Bytes that are held now. */
  get bytes(): number {
    return this.#all.bytes
  }

  /**
   * Runs `work`, which tells of each piece of a body that it keeps; when it has ended the pieces count no more.
   *
   * @param channel that the body says to be paid on
   * @throws what `work` throws; ApiError 503 when the body had to make room
   */
  async run<T>(channel: string, work: (keeper: Keeper) => Promise<T>): Promise<T> {
    const upload: Upload = { channel, end: new AbortController(), bytes: 0 }
    const { signal } = upload.end
    const keep = (bytes: number) => {
      signal.throwIfAborted()
      this.#add(upload, bytes)
      signal.throwIfAborted()
    }
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
    try {
      return await Promise.race([work({ keep, signal }), ended])
    } finally {
      this.#remove(upload)
    }
  }

  #add(upload: Upload, bytes: number): void {
    const each = this.#each.get(upload.channel) ?? new Share()
    this.#each.set(upload.channel, each)
    upload.bytes += bytes
    for (const share of [each, this.#all]) {
      share.uploads.add(upload)
      share.bytes += bytes
    }
    this.#makeRoom(each, this.#mostEach)
    this.#makeRoom(this.#all, this.#most)
  }

  #makeRoom(share: Share, most: number): void {
    for (const oldest of share.uploads) {
      if (share.bytes <= most) return
      this.#remove(oldest)
      oldest.end.abort(full())
    }
  }

  #remove(upload: Upload): void {
    if (!this.#all.uploads.delete(upload)) return
    this.#all.bytes -= upload.bytes
    const each = this.#each.get(upload.channel)
    if (!each) return
    each.uploads.delete(upload)
    each.bytes -= upload.bytes
    if (each.uploads.size === 0) this.#each.delete(upload.channel)
  }
}

function full() {
  return unavailable('Too many paid requests are being uploaded. Try again shortly.', 'server_busy', 1)
}
