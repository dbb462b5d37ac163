import type { SignedReceipt } from '../../attest/receipt/index.ts'
import {
  CHUNK,
  decodeChunk,
  encodeChunk,
  LINK_LIMITS,
  LinkError,
  type StreamHint,
} from '../protocol/index.ts'
import type { LinkSocket } from './socket.ts'
import { type StreamPort, WorkerStream } from './stream.ts'

/** Request bytes of all streams together that may wait for their last chunks. */
const MAX_GATHERED = 64 * 1024 * 1024

/** The streams of one connection: gathers requests, bounded, and hands each over once it is whole. */
export class Intake implements StreamPort {
  readonly #socket: Pick<LinkSocket, 'writable' | 'send' | 'sendBinary'>
  readonly #serve: (stream: WorkerStream) => Promise<void>
  readonly #streams = new Map<number, WorkerStream>()
  #last = 0
  #gathered = 0
  #refusing = false
  #onIdle: (() => void)[] = []

  /** @param serve answers a whole request on its stream; resolves when it is through, never rejects */
  constructor(
    socket: Pick<LinkSocket, 'writable' | 'send' | 'sendBinary'>,
    serve: (stream: WorkerStream) => Promise<void>,
  ) {
    this.#socket = socket
    this.#serve = serve
  }

  /** Streams that have not ended. */
  get size(): number {
    return this.#streams.size
  }

  get writable(): boolean {
    return this.#socket.writable
  }

  /** From now on every new stream is turned away. */
  refuse(): void {
    this.#refusing = true
  }

  /** Resolves when every stream has ended, or, on a lost link, has signed its last receipt. */
  async idle(): Promise<void> {
    if (this.#streams.size > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve))
  }

  /** @throws LinkError */
  onBinary(bytes: Uint8Array): void {
    const { kind, stream: id, payload } = decodeChunk(bytes)
    if (kind === CHUNK.response) throw unexpected('a gateway sends requests only')
    const stream = id > this.#last ? this.#open(id) : this.#streams.get(id)
    // The rest of a request that was ended early, which was already on its way.
    if (!stream || stream.ended) return
    if (stream.taken) throw unexpected('bytes after the end of a request')
    this.#gathered -= stream.gathered
    const fits = stream.gather(payload)
    this.#gathered += stream.gathered
    if (!fits) this.#turnAway(stream, 'too_large')
    else if (this.#gathered > MAX_GATHERED) this.#turnAway(stream, 'busy')
    else if (kind === CHUNK.lastRequest) this.#whole(stream)
  }

  /** @throws LinkError */
  grant(id: number, frames: number): void {
    this.#stream(id)?.grant(frames)
  }

  /** @throws LinkError */
  cancel(id: number): void {
    const stream = this.#stream(id)
    stream?.cancel()
    // A request that is still coming in is not sent to its end any more.
    if (stream && !stream.taken) this.#turnAway(stream, 'cancelled')
  }

  /** The socket takes bytes again. */
  wake(): void {
    for (const stream of this.#streams.values()) stream.wake()
  }

  /** The link is gone. */
  lose(): void {
    for (const stream of [...this.#streams.values()]) {
      stream.lose()
      // Nobody else ends a stream whose request never became whole.
      if (!stream.taken) this.#forget(stream.id)
    }
  }

  sendChunk(stream: number, unit: Uint8Array): void {
    this.#socket.sendBinary(encodeChunk(CHUNK.response, stream, unit))
  }

  sendReceipt(stream: number, requestId: string, receipt: SignedReceipt, final: boolean): void {
    this.#socket.send({ type: 'receipt', requestId, stream, receipt, final })
  }

  sendEnd(stream: number, hint: StreamHint | undefined): void {
    this.#socket.send({ type: 'end', stream, ...(hint && { hint }) })
    this.#forget(stream)
  }

  #open(id: number): WorkerStream | undefined {
    this.#last = id
    if (this.#streams.size >= LINK_LIMITS.maxStreams)
      throw new LinkError('limit_exceeded', 'too many streams')
    const stream = new WorkerStream(id, this)
    this.#streams.set(id, stream)
    if (!this.#refusing) return stream
    this.#turnAway(stream, 'draining')
    return undefined
  }

  #whole(stream: WorkerStream): void {
    this.#gathered -= stream.gathered
    void this.#serve(stream).then(() => this.#forget(stream.id))
  }

  #turnAway(stream: WorkerStream, hint: StreamHint): void {
    this.#gathered -= stream.gathered
    stream.end(hint)
  }

  /** An open stream, or undefined for one that has ended; the gateway may not know that yet. */
  #stream(id: number): WorkerStream | undefined {
    if (id > this.#last) throw unexpected('a message for a stream that never was')
    return this.#streams.get(id)
  }

  #forget(id: number): void {
    if (!this.#streams.delete(id) || this.#streams.size > 0) return
    const waiting = this.#onIdle
    this.#onIdle = []
    for (const resolve of waiting) resolve()
  }
}

function unexpected(message: string): LinkError {
  return new LinkError('unexpected_message', message)
}
