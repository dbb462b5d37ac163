import type { SignedReceipt } from '../../attest/receipt/index.ts'
import { LINK_LIMITS } from '../../worker/protocol/link.ts'
import type { HeldReceipt } from './held.ts'

/** What a stream yields, in the order in which the worker sent it. */
export type StreamItem =
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'receipt'; readonly receipt: SignedReceipt; readonly final: boolean }
  /** The worker is done with this request; `hint` is an unverified error code. Nothing follows. */
  | { readonly type: 'end'; readonly hint: string | undefined }
  /** The link is gone; `code` says why. Nothing follows. */
  | { readonly type: 'lost'; readonly code: string }
  /** Not from the worker: `interrupt` was called. The stream goes on. */
  | { readonly type: 'interrupt'; readonly reason: string }

/** A piece of a sealed request. */
export interface RequestChunk {
  payload: Uint8Array
  last: boolean
}

/** What a stream needs of the connection that carries it. */
export interface StreamPort {
  /**
   * Waits until it is this stream's turn to write, asks for the chunk and resolves true when the socket has taken it,
   * or false when there was none any more. @throws LinkError when the link is gone
   */
  sendChunk(stream: number, next: () => RequestChunk | undefined): Promise<boolean>
  sendCredit(stream: number, frames: number): void
  sendCancel(stream: number): void
  /** The worker has ended the stream: its slot is free. */
  onOver(stream: number): void
  /** The final receipt of a stream that nobody listens to any more; at most one for each stream. */
  onLateReceipt(receipt: HeldReceipt): void
}

/**
 * Resolves, never rejects, when all that the reader has taken has left this process. Absent where what is taken is
 * delivered.
 */
export type Flushed = () => Promise<void>

/** Bytes that may wait for the reader: twice what a worker sends that keeps to the window. */
const MOST_WAITING_BYTES = 2 * LINK_LIMITS.windowBytes

/** Items taken before the queue's array lets go of them. */
const COMPACT_AT = 64

/**
 * The gateway's end of one request on a link: sends the sealed request, yields what comes back. The worker may be
 * ahead of the reader by `window` chunks and by `LINK_LIMITS.windowBytes`; every chunk is granted again when the reader
 * comes back for the next one, in steps of half a window or of `refillBytes`, so a reader that stops makes the worker
 * stop. A grant thus says that the chunk was passed on, and a receipt that is read makes one due at once: the worker may
 * ask money for what it covers, should this process die. So it leaves only after what the reader has taken has left.
 */
export class LinkStream {
  readonly id: number
  readonly #port: StreamPort
  readonly #flushed: Flushed | undefined
  readonly #refillAt: number
  #allowed: number
  /** Bytes of the chunk that the reader has and did not come back from. */
  #atReader: number | undefined
  #taken = 0
  #takenBytes = 0
  #waitingBytes = 0
  #queue: StreamItem[] = []
  #head = 0
  #interrupt: StreamItem | undefined
  #waiting: ((item: StreamItem) => void) | undefined
  #terminal: StreamItem | undefined
  #released = false
  #begun = false
  #cancelled = false
  #late = false

  /** @param window chunks that the worker may send before the first grant */
  constructor(id: number, window: number, port: StreamPort, flushed?: Flushed) {
    this.id = id
    this.#allowed = window
    this.#refillAt = Math.max(1, window >> 1)
    this.#port = port
    this.#flushed = flushed
  }

  /**
   * Sends the sealed request in chunks of at most `chunkBytes`, each after the socket took the one before.
   * @throws LinkError when the link is gone
   */
  async send(request: Uint8Array, chunkBytes: number): Promise<void> {
    let offset = 0
    const next = (): RequestChunk | undefined => {
      if (this.#cancelled || this.#terminal) return undefined
      const end = Math.min(offset + chunkBytes, request.length)
      const payload = request.subarray(offset, end)
      offset = end
      this.#begun = true
      return { payload, last: end === request.length }
    }
    let goOn = true
    while (goOn && offset < request.length) goOn = await this.#port.sendChunk(this.id, next)
  }

  /** True when `next` has something at hand. */
  get ready(): boolean {
    return this.#interrupt !== undefined || this.#head < this.#queue.length || this.#terminal !== undefined
  }

  /** The next item. One reader, one pull at a time; after `end` or `lost` it yields that for ever. */
  next(): Promise<StreamItem> {
    this.#grant()
    const item = this.#shift()
    if (item) return Promise.resolve(item)
    return new Promise((resolve) => {
      this.#waiting = resolve
    })
  }

  /** Makes the pending or next pull yield an interrupt, ahead of everything that lies in the queue. */
  interrupt(reason: string): void {
    this.#interrupt ??= { type: 'interrupt', reason }
    this.#wake()
  }

  /** Asks the worker to stop. It still owes its receipt and an end, which keep coming through `next`. */
  cancel(): void {
    if (this.#cancelled || this.#terminal) return
    this.#cancelled = true
    if (this.#begun) this.#port.sendCancel(this.id)
    // The worker has never heard of this stream, so it owes nothing.
    else this.deliverEnd('cancelled')
  }

  /**
   * The reader wants nothing more. Until the worker ends the stream it keeps its slot (a worker that ignores a cancel
   * thereby gets no further work), what it still sends is dropped and earns no credit.
   * @param how `abandoned` cancels the worker and passes a late final receipt on; `settled` does neither
   */
  release(how: 'settled' | 'abandoned'): void {
    if (this.#released) return
    this.#released = true
    this.#queue = []
    this.#waitingBytes = 0
    this.#head = 0
    if (how === 'settled') this.#late = true
    else this.cancel()
  }

  /** From the link: a response chunk. Returns false when the worker had no credit for it, or is far beyond the window. */
  deliverChunk(bytes: Uint8Array): boolean {
    if (this.#allowed <= 0) return false
    this.#allowed -= 1
    if (this.#released) return true
    this.#waitingBytes += bytes.length
    if (this.#waitingBytes > MOST_WAITING_BYTES) return false
    this.#queue.push({ type: 'chunk', bytes })
    this.#wake()
    return true
  }

  /** From the link: a receipt. Receipts are cumulative, so an unread one gives way to its successor. */
  deliverReceipt(held: HeldReceipt): void {
    if (this.#released) {
      this.#passOn(held)
      return
    }
    const item: StreamItem = { type: 'receipt', receipt: held.receipt, final: held.final }
    const last = this.#queue.at(-1)
    if (this.#queue.length > this.#head && last?.type === 'receipt')
      this.#queue[this.#queue.length - 1] = item
    else this.#queue.push(item)
    this.#wake()
  }

  /** From the link: the worker's last word on this stream. */
  deliverEnd(hint: string | undefined): void {
    this.#terminate({ type: 'end', hint })
    this.#port.onOver(this.id)
  }

  /** From the link: it is gone. */
  deliverLost(code: string): void {
    this.#terminate({ type: 'lost', code })
  }

  #passOn(held: HeldReceipt): void {
    if (this.#late || !held.final) return
    this.#late = true
    this.#port.onLateReceipt(held)
  }

  #terminate(item: StreamItem): void {
    this.#terminal ??= item
    this.#wake()
  }

  #wake(): void {
    const waiting = this.#waiting
    if (!waiting) return
    const item = this.#shift()
    if (!item) return
    this.#waiting = undefined
    waiting(item)
  }

  #shift(): StreamItem | undefined {
    const interrupt = this.#interrupt
    if (interrupt) {
      this.#interrupt = undefined
      return interrupt
    }
    const item = this.#queue[this.#head]
    if (!item) return this.#terminal
    this.#head += 1
    if (this.#head >= COMPACT_AT || this.#head === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    if (item.type === 'chunk') {
      this.#waitingBytes -= item.bytes.length
      this.#atReader = item.bytes.length
    } else if (item.type === 'receipt') this.#grant(true)
    return item
  }

  /** Counts the chunk that the reader is back from, and grants what was counted once it is enough or `atOnce`. */
  #grant(atOnce = false): void {
    if (this.#atReader !== undefined) {
      this.#takenBytes += this.#atReader
      this.#taken += 1
      this.#atReader = undefined
    }
    const enough = this.#taken >= this.#refillAt || this.#takenBytes >= LINK_LIMITS.refillBytes
    const due = this.#taken > 0 && (enough || atOnce)
    if (!due || this.#terminal) return
    const frames = this.#taken
    this.#taken = 0
    this.#takenBytes = 0
    if (this.#flushed) void this.#flushed().then(() => this.#credit(frames))
    else this.#credit(frames)
  }

  #credit(frames: number): void {
    if (this.#terminal || this.#released) return
    this.#allowed += frames
    this.#port.sendCredit(this.id, frames)
  }
}
