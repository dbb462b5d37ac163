import { CHUNK, encodeChunk, LINK_LIMITS, LinkError } from '../../worker/protocol/link.ts'
import type { HeldReceipt } from './held.ts'
import type { LinkSocket } from './socket.ts'
import { type Flushed, LinkStream, type RequestChunk, type StreamPort } from './stream.ts'
import { makeTurnstile } from './turnstile.ts'
import type { Lease } from './types.ts'

/** What the session does about its streams. */
export interface StreamEvents {
  /** A slot has become free. */
  onCapacity(): void
  onLateReceipt(receipt: HeldReceipt): void
}

/** The open streams of one connection and the places kept for more, and their way to its socket. */
export class StreamTable implements StreamPort {
  readonly #socket: LinkSocket
  readonly #events: StreamEvents
  readonly #streams = new Map<number, LinkStream>()
  readonly #uploads = makeTurnstile(1)
  #last = 0
  #reserved = 0

  constructor(socket: LinkSocket, events: StreamEvents) {
    this.#socket = socket
    this.#events = events
  }

  /** Places that are taken: open streams, and those that are kept. */
  get taken(): number {
    return this.#streams.size + this.#reserved
  }

  /** Keeps a place for one stream. @param usable whether the link takes new streams, when it is opened */
  reserve(usable: () => boolean): Pick<Lease, 'open' | 'release'> {
    this.#reserved += 1
    let held = true
    const giveBack = (): boolean => {
      const was = held
      held = false
      if (was) this.#reserved -= 1
      return was
    }
    const open: Lease['open'] = (flushed) => {
      if (!giveBack()) throw new LinkError('internal', 'a lease opens one stream')
      if (!usable()) throw new LinkError('going_away', 'the link is gone')
      return this.#open(flushed)
    }
    const release = () => {
      if (giveBack()) this.#events.onCapacity()
    }
    return { open, release }
  }

  /** An open stream. @throws LinkError unexpected_message when there is none of that number */
  get(id: number): LinkStream {
    const stream = this.#streams.get(id)
    if (!stream) throw new LinkError('unexpected_message', 'a message for a stream that is not open')
    return stream
  }

  /** The link is gone; `code` says why. */
  lose(code: string): void {
    for (const stream of this.#streams.values()) stream.deliverLost(code)
    this.#streams.clear()
  }

  sendChunk(stream: number, next: () => RequestChunk | undefined): Promise<boolean> {
    // One chunk of all streams at a time: however many requests start at once, little waits in the socket.
    return this.#uploads.run(async () => {
      const chunk = next()
      if (!chunk) return false
      const kind = chunk.last ? CHUNK.lastRequest : CHUNK.request
      await this.#socket.sendBinary(encodeChunk(kind, stream, chunk.payload))
      return true
    })
  }

  sendCredit(stream: number, frames: number): void {
    this.#socket.send({ type: 'credit', stream, frames })
  }

  sendCancel(stream: number): void {
    this.#socket.send({ type: 'cancel', stream })
  }

  onOver(stream: number): void {
    if (this.#streams.delete(stream)) this.#events.onCapacity()
  }

  onLateReceipt(receipt: HeldReceipt): void {
    this.#events.onLateReceipt(receipt)
  }

  #open(flushed: Flushed | undefined): LinkStream {
    this.#last += 1
    const stream = new LinkStream(this.#last, LINK_LIMITS.initialCredit, this, flushed)
    this.#streams.set(stream.id, stream)
    return stream
  }
}
