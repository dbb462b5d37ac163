import { createHmac, randomBytes } from 'node:crypto'
import { utf8 } from '../../attest/bytes.ts'
import { EpochKeys } from '../../attest/epoch/index.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import type { Claims, Tee } from '../../attest/evidence/index.ts'
import { type OpenedRequest, type OpenInternals, SealError, StoredResponse } from '../../attest/seal/index.ts'
import type { Clock } from '../clock.ts'
import type { Engine, ModelInfo } from '../engine/index.ts'
import { codeOf, type Log } from '../log.ts'
import { affordable, type Quote, type StreamHint, unavailable } from '../protocol/index.ts'
import type { Meter, TaskContext, TaskEvent, TaskResult } from '../tasks/index.ts'
import { EngineHost } from './engine-host.ts'
import { Exchange } from './exchange.ts'
import { type FreshEvidence, Identity, type IdentityOptions } from './identity.ts'
import { checkContext, hintOf, openRequest } from './opening.ts'
import { ReceiptChain } from './receipts.ts'
import type { ResponseSink, ServeTerms, TaskRunner } from './types.ts'

/** Requests that may wait for the engine, as a multiple of its sequences. */
const QUEUE_FACTOR = 2

export interface WorkerOptions {
  /** Starts the engine; called again after a crash. */
  startEngine: () => Promise<Engine>
  runTask: TaskRunner
  /** The TEE, or how to open it once it is known what is loaded and has to be measured. */
  tee: Tee | ((loaded: LoadedEngine) => Promise<{ tee: Tee; accelerators: Claims['accelerators'] }>)
  clock: Clock
  log: Log
  software: Claims['software']
  registry: Claims['registry']
  /** Where this worker is paid; raw TON address or empty. */
  payoutAddress: string
  /** Times of the epochs, in ms; the defaults are those of attest/epoch. */
  epochs?: { lifetimeMs?: number; earlyMs?: number; graceMs?: number }
  /** The engine cannot be kept running, or epochs cannot be made. */
  onFatal?: (error: unknown) => void
  /** Replaced by tests only, e.g. to show a wire without sealing. */
  sealInternals?: OpenInternals
}

/** What an enclave is about to make claims of. */
export interface LoadedEngine {
  model: ModelInfo
  /** What it computes on: `cpu`, or the name of a GPU back end. */
  accelerator: string
}

/**
 * The enclave's whole life in one process: its boot id, its signing key (in memory only), its epochs, its evidence, and
 * the one way in: sealed requests. Nothing leaves it in clear but receipts, evidence and hints.
 */
export class Worker {
  readonly #options: WorkerOptions
  readonly #tee: Tee
  readonly #identity: Identity
  readonly #bootSecret = randomBytes(32)
  readonly #host: EngineHost
  readonly #epochs: EpochKeys
  #active = 0

  private constructor(
    options: WorkerOptions,
    parts: Pick<IdentityOptions, 'tee' | 'accelerators' | 'epochs'>,
    host: EngineHost,
  ) {
    this.#options = options
    this.#tee = parts.tee
    this.#host = host
    this.#epochs = parts.epochs
    this.#identity = new Identity({ ...options, ...parts, model: host.info })
  }

  /** Starts the engine, then the first epoch. Throws what the engine or the key generation throws. */
  static async create(options: WorkerOptions): Promise<Worker> {
    const { clock, log } = options
    const onFatal = options.onFatal ?? (() => {})
    const host = await EngineHost.open({ start: options.startEngine, clock, log, onFatal })
    try {
      const loaded = { model: host.info, accelerator: host.accelerator }
      const { tee, accelerators } =
        typeof options.tee === 'function' ? await options.tee(loaded) : { tee: options.tee, accelerators: [] }
      const epochs = await EpochKeys.create({
        now: clock.now,
        monotonic: clock.monotonic,
        timer: (callback, ms) => clock.after(ms, callback),
        onError: (error) => log.error({ code: codeOf(error) }, 'the next epoch could not be made'),
        ...options.epochs,
      })
      return new Worker(options, { tee, accelerators, epochs }, host)
    } catch (error) {
      await host.close()
      throw error
    }
  }

  /** 32 hex digits; new at each start. */
  get bootId(): string {
    return this.#identity.bootId
  }

  /** Ed25519, 32 bytes. */
  get signingKey(): Uint8Array {
    return this.#identity.signingKey
  }

  /** Id of the newest epoch, 32 hex digits. */
  get epochId(): string {
    return this.#epochs.current().id
  }

  get model(): ModelInfo {
    return this.#host.info
  }

  /** Requests that the engine runs side by side. */
  get slots(): number {
    return this.#host.sequences
  }

  /** The kind of TEE. */
  get tee(): Tee['kind'] {
    return this.#tee.kind
  }

  get accelerator(): string {
    return this.#host.accelerator
  }

  /** Requests that run, and requests that wait for a slot. */
  get load(): { active: number; queued: number } {
    const queued = Math.max(0, this.#active - this.slots)
    return { active: this.#active - queued, queued }
  }

  /** Evidence of the newest epoch over `nonce` (32 bytes). */
  evidence(nonce: Uint8Array): Promise<FreshEvidence> {
    return this.#identity.evidence(nonce)
  }

  /** Signs one of the labelled messages of the link. Returns 64 bytes. */
  sign(message: Uint8Array): Uint8Array {
    return this.#identity.sign(message)
  }

  /** Calls `listener` when a new epoch waits to be attested; the result unsubscribes. */
  onEpoch(listener: () => void): () => void {
    return this.#epochs.onRotate(() => listener())
  }

  /** Makes the next epoch if it is due; the timer does this too. */
  tick(): Promise<void> {
    return this.#epochs.tick()
  }

  /** Resolves when an engine runs. */
  engineRunning(): Promise<void> {
    return this.#host.running()
  }

  /**
   * Serves one sealed request on `sink`, to the stream's `end`. What cannot be opened ends with a hint in clear; after
   * a successful open every outcome is a sealed final frame. Never rejects.
   */
  async serve(request: Uint8Array, terms: ServeTerms, sink: ResponseSink): Promise<void> {
    const refusal = this.#refusal(terms)
    if (refusal !== undefined) return sink.end(refusal)
    this.#active += 1
    try {
      await this.#serve(request, terms, sink)
    } catch (error) {
      this.#options.log.error({ code: codeOf(error) }, 'serving failed')
      if (!sink.lost) sink.end('internal')
    } finally {
      this.#active -= 1
    }
  }

  /** Erases every key and ends the engine. */
  async close(): Promise<void> {
    this.#epochs.close()
    await this.#host.close()
  }

  #refusal(terms: ServeTerms): StreamHint | undefined {
    if (!terms.creditworthy()) return 'credit_exhausted'
    if (this.#active >= this.slots * (1 + QUEUE_FACTOR)) return 'busy'
    return undefined
  }

  async #serve(request: Uint8Array, terms: ServeTerms, sink: ResponseSink): Promise<void> {
    let opened: OpenedRequest
    try {
      const { clock, sealInternals: internals } = this.#options
      opened = await openRequest(request, terms, { epochs: this.#epochs, now: clock.now, internals })
    } catch (error) {
      if (error instanceof StoredResponse) return await resend(error.frames, sink)
      if (!(error instanceof SealError)) throw error
      this.#options.log.warn({ code: error.code }, 'request not opened')
      return sink.end(hintOf(error))
    }
    const quote = terms.quotes.get(opened.ctx.quoteDigest)
    if (quote === undefined) {
      // authKey has let no context pass whose quote is unknown.
      throw new ChrysalisError('ERR_QUOTE_UNKNOWN', 'an opened request names an unknown quote')
    }
    await this.#run(opened, quote, terms, sink)
  }

  async #run(opened: OpenedRequest, quote: Quote, terms: ServeTerms, sink: ResponseSink): Promise<void> {
    const { clock, log } = this.#options
    const meter: Meter = { promptTokens: 0, cachedTokens: 0, completionTokens: 0, reasoningTokens: 0 }
    const chain = new ReceiptChain({ opened, quote, signingKey: this.#identity.privateKey, clock })
    const answer = (signal: AbortSignal) => this.#answer(opened, quote, meter, signal)
    await new Exchange({ opened, sink, terms, chain, clock, log, meter, answer }).run()
  }

  async *#answer(
    opened: OpenedRequest,
    quote: Quote,
    meter: Meter,
    signal: AbortSignal,
  ): AsyncGenerator<TaskEvent, TaskResult> {
    const { ctx, body } = opened
    checkContext(opened, quote, this.model, this.tee)
    const engine = this.#host.engine
    if (engine === undefined) throw unavailable('The engine is starting again. Try again.', 'engine_lost', 1)
    const context: TaskContext = {
      requestId: ctx.requestId,
      created: Math.floor(this.#options.clock.now() / 1000),
      now: this.#options.clock.now,
      model: ctx.model.id,
      maxPromptTokens: ctx.maxPromptTokens,
      maxOutputTokens: ctx.maxOutputTokens,
      n: ctx.n,
      stream: ctx.responseMode.stream,
      affordable: (promptTokens, cachedTokens) =>
        affordable(quote.client, quote.step, BigInt(ctx.maxCharge), promptTokens, cachedTokens),
      cacheKey: this.#cacheKey(opened),
      signal,
      meter,
    }
    return yield* this.#options.runTask({ path: ctx.path, body, context, engine })
  }

  /** Tells payers apart for prompt caches: by key and by account, since one gateway's key pays for many. */
  #cacheKey({ ctx }: OpenedRequest): string {
    const payer = utf8(JSON.stringify([ctx.payer.kind, ctx.payer.key, ctx.payer.channel, ctx.payer.account]))
    return createHmac('sha256', this.#bootSecret).update(payer).digest('hex')
  }
}

/** A byte-identical repeat gets the stored ciphertext. */
async function resend(frames: readonly Uint8Array[], sink: ResponseSink): Promise<void> {
  for (const frame of frames) {
    if (!(await sink.ready())) break
    sink.chunk(frame)
  }
  if (!sink.lost) sink.end()
}
