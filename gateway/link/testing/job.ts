import { type KeyObject, randomBytes } from 'node:crypto'
import { toBase64, toHex, utf8 } from '../../../attest/bytes.ts'
import {
  encodeDetails,
  type ReceiptDetails,
  type ReceiptStatement,
  type SignedReceipt,
  signReceipt,
} from '../../../attest/receipt/index.ts'
import { FRAME, type OpenedRequest, type ResponseSealer } from '../../../attest/seal/index.ts'
import { CHUNK, encodeChunk, type StreamHint, type WorkerMessage } from '../../../worker/protocol/link.ts'
import { charge, type Quote } from '../../../worker/protocol/quote.ts'

/** What a test may bend in a final frame. */
export interface FinalChanges {
  status?: number
  error?: { message: string; type: string; param: string | null; code: string | null }
  statement?: Partial<ReceiptStatement>
  frame?: Record<string, unknown>
}

/** What a job needs of the worker that has it. */
export interface JobWorker {
  readonly boot: { readonly signingKey: KeyObject }
  readonly quotes: readonly Quote[]
  readonly gone: boolean
  /** Cuts the connection without a word. */
  die(): void
  /** Response chunks that may still be sent on a stream. */
  credit(stream: number): number
  spend(stream: number): void
  /** Resolves when the gateway has said something more, or the link closed. */
  something(): Promise<void>
  say(message: WorkerMessage): void
  sendRaw(bytes: Uint8Array): void
  receiptMessage(job: Job, receipt: SignedReceipt, final: boolean): WorkerMessage
}

/** One request at a fake worker: the tools to answer it rightly, or wrongly. */
export class Job {
  readonly requestId: string
  readonly cancelled: Promise<void>
  readonly sealer: ResponseSealer
  /** Units put on the wire. */
  sent = 0
  readonly details: { -readonly [K in keyof ReceiptDetails]: ReceiptDetails[K] } = {
    promptTokens: 5,
    cachedTokens: 0,
    completionTokens: 0,
    reasoningTokens: 0,
    finishReason: 'stop',
    startedAt: 1,
    firstTokenAt: null,
    endedAt: 2,
  }
  readonly worker: JobWorker
  readonly stream: number
  readonly opened: OpenedRequest
  isCancelled = false
  #cancel: () => void = () => {}

  constructor(worker: JobWorker, stream: number, opened: OpenedRequest) {
    this.worker = worker
    this.stream = stream
    this.opened = opened
    this.requestId = opened.ctx.requestId
    this.sealer = opened.respond()
    this.cancelled = new Promise((resolve) => {
      this.#cancel = resolve
    })
  }

  cancel(): void {
    this.isCancelled = true
    this.#cancel()
  }

  /** Sends a unit now, credit or not. */
  push(unit: Uint8Array): void {
    this.sent += 1
    this.worker.spend(this.stream)
    this.worker.sendRaw(encodeChunk(CHUNK.response, this.stream, unit))
  }

  /** Waits for credit; false when the request was cancelled before. */
  async room(): Promise<boolean> {
    while (this.worker.credit(this.stream) <= 0) {
      await Promise.race([this.worker.something(), this.cancelled])
      if (this.isCancelled || this.worker.gone) return false
    }
    return true
  }

  /** Sends a unit once there is credit for it; false when the request was cancelled before. */
  async send(unit: Uint8Array): Promise<boolean> {
    const room = await this.room()
    if (room) this.push(unit)
    return room
  }

  /** Starts the response. */
  start(): Promise<boolean> {
    return this.send(this.sealer.start())
  }

  /** One event that holds one token. */
  event(text: string): Uint8Array {
    this.details.completionTokens += 1
    return this.sealer.frame(FRAME.event, utf8(JSON.stringify({ text })))
  }

  receipt(status: ReceiptStatement['status'], changes: Partial<ReceiptStatement> = {}): SignedReceipt {
    return this.#sign(status, changes).receipt
  }

  /** Sends a partial receipt over what was sent so far. */
  partial(changes: Partial<ReceiptStatement> = {}): void {
    this.worker.say(this.worker.receiptMessage(this, this.receipt('partial', changes), false))
  }

  /** The final unit. */
  final({ status = 200, error, statement = {}, frame = {} }: FinalChanges = {}): Uint8Array {
    const outcome = error ? (status === 499 ? 'partial' : 'refused') : 'complete'
    const { receipt, details, blind } = this.#sign(outcome, statement)
    const { promptTokens, completionTokens, finishReason } = this.details
    const content = {
      status,
      ...(error && { error }),
      finishReason,
      usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens },
      transcript: toHex(this.sealer.transcript()),
      receipt,
      details: toBase64(details),
      blind: toBase64(blind),
      ...frame,
    }
    return this.sealer.final(utf8(JSON.stringify(content)))
  }

  end(hint?: StreamHint): void {
    this.worker.say({ type: 'end', stream: this.stream, ...(hint && { hint }) })
  }

  /** A right answer from start to end. */
  async answer(texts: readonly string[]): Promise<void> {
    await this.start()
    if (!this.opened.ctx.responseMode.stream) {
      this.details.completionTokens = texts.length
      for (const unit of this.sealer.body(utf8(JSON.stringify({ text: texts.join('') }))))
        await this.send(unit)
      return this.finish()
    }
    for (const text of texts) {
      // A frame is sealed only once it can be sent: one that is sealed and kept back would be missed by the opener.
      if (!(await this.room())) return this.stopped()
      this.push(this.event(text))
    }
    await this.finish()
  }

  /** The right final frame and end. */
  async finish(changes: FinalChanges = {}): Promise<void> {
    await this.send(this.final(changes))
    this.end()
  }

  /** What a worker does on cancel: the receipt for what was delivered. */
  stopped(): void {
    this.push(
      this.final({ status: 499, error: { message: 'cancelled', type: 'x', param: null, code: 'cancelled' } }),
    )
    this.end()
  }

  #sign(status: ReceiptStatement['status'], changes: Partial<ReceiptStatement>) {
    const { ctx, h, authHash } = this.opened
    const [quote] = this.worker.quotes
    if (!quote) throw new Error('no quote')
    const blind = new Uint8Array(randomBytes(32))
    const free = status === 'refused'
    const receipt = signReceipt(
      {
        requestId: ctx.requestId,
        h: toHex(h),
        authHash: toHex(authHash),
        claimsDigest: ctx.claimsDigest,
        transcript: toHex(this.sealer.transcript()),
        model: ctx.model,
        quoteDigest: ctx.quoteDigest,
        clientCharge: free ? '0' : String(charge(quote.client, this.details, quote.step)),
        workerCharge: free ? '0' : String(charge(quote.worker, this.details, quote.step)),
        status,
        tee: ctx.tee,
        payerKind: ctx.payer.kind,
        issuedAt: 3,
        ...changes,
      },
      this.details,
      blind,
      this.worker.boot.signingKey,
    )
    return { receipt, details: encodeDetails(this.details), blind }
  }
}
