import { concat } from '../../attest/bytes.ts'
import type { SignedReceipt } from '../../attest/receipt/index.ts'
import type { ResponseSink } from '../enclave/index.ts'
import { LINK_LIMITS, LinkError, type StreamHint } from '../protocol/index.ts'

/** What a stream needs of the connection that carries it. */
export interface StreamPort {
  /** Whether the socket takes more bytes now. */
  readonly writable: boolean
  sendChunk(stream: number, unit: Uint8Array): void
  sendReceipt(stream: number, requestId: string, receipt: SignedReceipt, final: boolean): void
  sendEnd(stream: number, hint: StreamHint | undefined): void
}

/** The worker's end of one request on a link: gathers the request's chunks, then sends as far as the credit goes. */
export class WorkerStream implements ResponseSink {
  readonly id: number
  readonly #port: StreamPort
  readonly #stop = new AbortController()
  #parts: Uint8Array[] = []
  #bytes = 0
  #credit: number = LINK_LIMITS.initialCredit
  /** Sizes of the chunks that were sent and not granted again, and their sum. */
  #outstanding: number[] = []
  #outstandingBytes = 0
  /** Chunks that were sent, and how many of them the gateway has passed on. */
  #sent = 0
  #granted = 0
  /** Partial receipts that cover chunks which were not granted again yet, oldest first. */
  #unproven: { covers: number; receipt: SignedReceipt }[] = []
  #proven: SignedReceipt | undefined
  #taken = false
  #ended = false
  #lost = false
  #waiting: (() => void)[] = []

  constructor(id: number, port: StreamPort) {
    this.id = id
    this.#port = port
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  get room(): number {
    const full = this.#outstandingBytes >= LINK_LIMITS.windowBytes
    return this.#lost || this.#ended || full || !this.#port.writable ? 0 : this.#credit
  }

  get lost(): boolean {
    return this.#lost
  }

  get proven(): SignedReceipt | undefined {
    return this.#proven
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Bytes of the request that wait for its last chunk. */
  get gathered(): number {
    return this.#bytes
  }

  /** Adds a request chunk. Returns false when the request is larger than allowed. */
  gather(payload: Uint8Array): boolean {
    this.#bytes += payload.length
    if (this.#bytes > LINK_LIMITS.maxRequestBytes) return false
    // A copy: the view would keep the socket's read buffer alive.
    this.#parts.push(payload.slice())
    return true
  }

  /** Whether the request was whole and is being served. */
  get taken(): boolean {
    return this.#taken
  }

  /** The whole request; the chunks are let go. */
  take(): Uint8Array {
    this.#taken = true
    const request = concat(...this.#parts)
    this.#parts = []
    this.#bytes = 0
    return request
  }

  /** @throws LinkError limit_exceeded when more credit is granted than may be outstanding */
  grant(frames: number): void {
    this.#credit += frames
    for (const bytes of this.#outstanding.splice(0, frames)) this.#outstandingBytes -= bytes
    if (this.#credit > LINK_LIMITS.maxCredit)
      throw new LinkError('limit_exceeded', 'too much credit on a stream')
    this.#granted += frames
    this.#prove()
    this.wake()
  }

  cancel(): void {
    this.#stop.abort('cancelled')
    this.wake()
  }

  /** The link is gone. */
  lose(): void {
    this.#lost = true
    this.#parts = []
    this.#stop.abort('link_lost')
    this.wake()
  }

  /** Looks again whether there is room, e.g. when the socket has drained. */
  wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }

  async ready(): Promise<boolean> {
    while (this.room === 0) {
      if (this.#stop.signal.aborted || this.#ended) return false
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return true
  }

  chunk(unit: Uint8Array): void {
    if (this.#lost || this.#ended) return
    if (this.#credit <= 0) throw new LinkError('internal', 'a chunk without credit')
    this.#credit -= 1
    this.#sent += 1
    this.#outstanding.push(unit.length)
    this.#outstandingBytes += unit.length
    this.#port.sendChunk(this.id, unit)
  }

  receipt(requestId: string, receipt: SignedReceipt, final: boolean): void {
    if (this.#lost || this.#ended) return
    if (!final) {
      this.#unproven.push({ covers: this.#sent, receipt })
      this.#prove()
    }
    this.#port.sendReceipt(this.id, requestId, receipt, final)
  }

  #prove(): void {
    while (this.#unproven[0] && this.#unproven[0].covers <= this.#granted)
      this.#proven = this.#unproven.shift()?.receipt
  }

  end(hint?: StreamHint): void {
    if (this.#ended) return
    this.#ended = true
    this.#parts = []
    this.#bytes = 0
    if (!this.#lost) this.#port.sendEnd(this.id, hint)
    this.wake()
  }
}
