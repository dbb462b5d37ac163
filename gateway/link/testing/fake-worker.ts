/**
 * A scripted worker for tests: real link, real evidence of a simulated TEE, real seal and receipts, and hooks to
 * break any rule on purpose.
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { fromBase64, fromBase64Url, toBase64 } from '../../../attest/bytes.ts'
import { type Epoch, EpochKeys } from '../../../attest/epoch/index.ts'
import {
  type Claims,
  claimsDigest,
  createEvidence,
  type EvidenceBundle,
  encodeClaims,
  epochClaims,
} from '../../../attest/evidence/index.ts'
import type { SignedReceipt } from '../../../attest/receipt/index.ts'
import { openSealed, SealError } from '../../../attest/seal/index.ts'
import type { SimulatedTee } from '../../../attest/simulate/index.ts'
import {
  CHUNK,
  decodeChunk,
  type GatewayMessage,
  type GatewayMessageOf,
  joinMessage,
  LINK_SUBPROTOCOL,
  parseGatewayMessage,
  reattestMessage,
  type WorkerMessage,
  type WorkerMessageOf,
} from '../../../worker/protocol/link.ts'
import { type Prices, parseQuote, type Quote } from '../../../worker/protocol/quote.ts'
import { LINK_VERSIONS } from '../../../worker/protocol/version.ts'
import { Job } from './job.ts'
import type { ManualClock } from './manual-clock.ts'

export const MODEL = { id: 'tiny', sha256: 'ab'.repeat(32) }
export const PRICES: Prices = {
  prompt: '1000000',
  cached: '500000',
  completion: '3000000',
  reasoning: '3000000',
}

/** What a test may bend. */
export interface FakeWorkerOptions {
  port: number
  clock: ManualClock
  tee: SimulatedTee
  /** One boot: reuse it to reconnect as the same worker. */
  boot?: FakeBoot
  slots?: number
  /** Hex. */
  payoutKey?: string
  claims?: Partial<Claims>
  /** Receipts to show after the welcome. */
  held?: WorkerMessageOf<'held'>['receipts']
  /** A voucher to show with them. */
  voucher?: WorkerMessageOf<'held'>['voucher']
  /** Serves a request; the default answers `hello`. */
  serve?: (job: Job) => Promise<void>
  /** Changes the join before it is sent. */
  bendJoin?: (join: WorkerMessageOf<'join'>) => WorkerMessageOf<'join'> | Promise<WorkerMessageOf<'join'>>
  /** Answers a nonce that the gateway passes on; the default sends evidence over it. */
  relay?: (message: GatewayMessageOf<'attest-for'>, worker: FakeWorker) => void | Promise<void>
  /** Changes the bundle of a join or a re-attestation. */
  bendEvidence?: (bundle: EvidenceBundle) => EvidenceBundle | Promise<EvidenceBundle>
}

/** What lives as long as a worker's process. */
export interface FakeBoot {
  bootId: string
  signingKey: KeyObject
  publicKey: Uint8Array
  epochs: EpochKeys
}

/** A fresh boot id, signing key and epoch keys, whose epochs turn with the clock. */
export async function makeBoot(clock: ManualClock): Promise<FakeBoot> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    bootId: randomBytes(16).toString('hex'),
    signingKey: privateKey,
    publicKey: fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? ''),
    epochs: await EpochKeys.create({
      now: () => clock.now(),
      monotonic: () => clock.now(),
      timer: (callback, ms) => clock.after(ms, callback),
    }),
  }
}

/** One connection of a scripted worker; see the top of the file. */
export class FakeWorker {
  readonly boot: FakeBoot
  readonly ws: WebSocket
  /** Everything that the gateway said. */
  readonly heard: GatewayMessage[] = []
  readonly jobs: Job[] = []
  readonly closed: Promise<{ code: number; reason: string }>
  quotes: Quote[] = []
  readonly #options: FakeWorkerOptions
  readonly #byStream = new Map<number, { parts: Uint8Array[]; job?: Job; credit: number }>()
  #listeners = new Set<() => void>()

  private constructor(options: FakeWorkerOptions, boot: FakeBoot) {
    this.#options = options
    this.boot = boot
    this.ws = new WebSocket(`ws://127.0.0.1:${options.port}/link`, [LINK_SUBPROTOCOL], {
      perMessageDeflate: false,
    })
    this.closed = once(this.ws, 'close').then(([code, reason]) => ({ code, reason: String(reason) }))
    this.ws.on('error', () => {})
    this.ws.on('close', () => this.#notify())
    this.ws.on('message', (data, isBinary) => {
      if (isBinary) this.#onChunk(new Uint8Array(data as Buffer))
      else this.#onText(String(data))
    })
  }

  static async dial(options: FakeWorkerOptions): Promise<FakeWorker> {
    return new FakeWorker(options, options.boot ?? (await makeBoot(options.clock)))
  }

  /** The first message of this type, already heard or to come; rejects when the link closes before. */
  async hear<T extends GatewayMessage['type']>(
    type: T,
    which: (message: GatewayMessageOf<T>) => boolean = () => true,
  ): Promise<GatewayMessageOf<T>> {
    for (;;) {
      const found = this.heard.find(
        (message): message is GatewayMessageOf<T> =>
          message.type === type && which(message as GatewayMessageOf<T>),
      )
      if (found) return found
      if (this.ws.readyState === WebSocket.CLOSED) throw new Error(`closed before ${type}`)
      await new Promise<void>((resolve) => this.#listeners.add(resolve))
    }
  }

  /** The nth request that this worker was given, whole and opened; counts from 0. */
  async job(index = 0): Promise<Job> {
    for (;;) {
      const job = this.jobs[index]
      if (job) return job
      await new Promise<void>((resolve) => this.#listeners.add(resolve))
    }
  }

  say(message: WorkerMessage | string): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  sendRaw(bytes: Uint8Array): void {
    this.ws.send(bytes, { binary: true })
  }

  /** Cuts the connection without a word. */
  die(): void {
    this.ws.terminate()
  }

  get gone(): boolean {
    return this.ws.readyState !== WebSocket.OPEN
  }

  credit(stream: number): number {
    return this.#byStream.get(stream)?.credit ?? 0
  }

  spend(stream: number): void {
    const entry = this.#byStream.get(stream)
    if (entry) entry.credit -= 1
  }

  /** Resolves when the gateway has said something more, or the link closed. */
  something(): Promise<void> {
    return new Promise((resolve) => this.#listeners.add(resolve))
  }

  claims(epoch: Epoch = this.boot.epochs.current()): Claims {
    return {
      role: 'worker',
      bootId: this.boot.bootId,
      signingKey: toBase64(this.boot.publicKey),
      epoch: epochClaims(epoch),
      accelerators: [],
      embedding: 'cpu',
      models: [
        {
          ...MODEL,
          quantization: 'q8_0',
          contextLength: 512,
          tokenizerSha256: 'cd'.repeat(32),
          templateSha256: 'ef'.repeat(32),
        },
      ],
      software: { version: '0.1.0', commit: 'test' },
      registry: { globalId: -77, address: '' },
      payoutAddress: `0:${'11'.repeat(32)}`,
      ...this.#options.claims,
    }
  }

  sign(message: Uint8Array): string {
    return toBase64(new Uint8Array(sign(null, message, this.boot.signingKey)))
  }

  receiptMessage(job: Job, receipt: SignedReceipt, final: boolean): WorkerMessage {
    return { type: 'receipt', requestId: job.requestId, stream: job.stream, receipt, final }
  }

  async evidence(nonce: Uint8Array): Promise<{ bundle: EvidenceBundle; digest: Uint8Array }> {
    const epoch = this.boot.epochs.current()
    const claims = encodeClaims(this.claims(epoch))
    const digest = claimsDigest(claims)
    epoch.bindClaims(digest)
    const bundle = await createEvidence({ tee: this.#options.tee, nonce, claims })
    return { bundle: (await this.#options.bendEvidence?.(bundle)) ?? bundle, digest }
  }

  #onText(text: string): void {
    const message = parseGatewayMessage(text)
    this.heard.push(message)
    void this.#react(message)
    this.#notify()
  }

  async #react(message: GatewayMessage): Promise<void> {
    switch (message.type) {
      case 'challenge':
        return await this.#join(fromBase64(message.nonce))
      case 'welcome':
        this.quotes = message.quotes.map((quote) => parseQuote(fromBase64(quote)))
        this.say({
          ...{ type: 'held', receipts: this.#options.held ?? [], done: true },
          ...(this.#options.voucher && { voucher: this.#options.voucher }),
        })
        return
      case 'attest': {
        const nonce = fromBase64(message.nonce)
        const { bundle, digest } = await this.evidence(nonce)
        this.say({ type: 'evidence', evidence: bundle, signature: this.sign(reattestMessage(nonce, digest)) })
        return
      }
      case 'attest-for':
        return await (this.#options.relay ?? answerRelayed)(message, this)
      case 'credit': {
        const entry = this.#byStream.get(message.stream)
        if (entry) entry.credit += message.frames
        return
      }
      case 'cancel':
        // Like the real worker: a stream that never was is a breach.
        if (!this.#byStream.has(message.stream)) this.die()
        this.#byStream.get(message.stream)?.job?.cancel()
    }
  }

  async #join(nonce: Uint8Array): Promise<void> {
    const { bundle, digest } = await this.evidence(nonce)
    const own = new Uint8Array(randomBytes(32))
    const { payoutKey } = this.#options
    const message = joinMessage({ challengeNonce: nonce, workerNonce: own, claimsDigest: digest, payoutKey })
    const join: WorkerMessageOf<'join'> = {
      type: 'join',
      version: LINK_VERSIONS.max,
      versions: LINK_VERSIONS,
      nonce: toBase64(own),
      evidence: bundle,
      signature: this.sign(message),
      prices: [{ model: MODEL.id, prices: PRICES }],
      capacity: { slots: this.#options.slots ?? 4 },
      ...(payoutKey !== undefined && { payoutKey }),
    }
    this.say((await this.#options.bendJoin?.(join)) ?? join)
  }

  #onChunk(bytes: Uint8Array): void {
    const { kind, stream, payload } = decodeChunk(bytes)
    const entry = this.#byStream.get(stream) ?? { parts: [], credit: 64 }
    this.#byStream.set(stream, entry)
    entry.parts.push(payload)
    if (kind === CHUNK.lastRequest) void this.#open(stream, entry)
  }

  async #open(stream: number, entry: { parts: Uint8Array[]; job?: Job }): Promise<void> {
    try {
      const opened = await openSealed(Buffer.concat(entry.parts), {
        epochs: this.boot.epochs,
        authKey: (context) => fromBase64(context.payer.key),
        now: this.#options.clock.now.bind(this.#options.clock),
      })
      const job = new Job(this, stream, opened)
      entry.job = job
      this.jobs.push(job)
      this.#notify()
      await (this.#options.serve ?? ((each: Job) => each.answer(['hello'])))(job)
    } catch (error) {
      if (error instanceof SealError) this.say({ type: 'end', stream, hint: 'seal_refused' })
      else if (this.ws.readyState === WebSocket.OPEN) throw error
    }
  }

  #notify(): void {
    const listeners = this.#listeners
    this.#listeners = new Set()
    for (const listener of listeners) listener()
  }
}

/** Evidence over the nonce that was passed on, as a worker should. */
export async function answerRelayed(
  { ticket, nonce }: GatewayMessageOf<'attest-for'>,
  worker: FakeWorker,
): Promise<void> {
  const { bundle } = await worker.evidence(fromBase64(nonce))
  worker.say({ type: 'evidence-for', ticket, evidence: bundle })
}
