/** @module One generation inside the child: prompt, prefill, decode, and a stop at every turn. */

import type { LlamaContextSequence, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import { EngineError, PromptTooLong } from '../errors.ts'
import { type WireRequest, windowEvents } from '../messages.ts'
import type { EngineEvent } from '../types.ts'
import { Batching, prefillChunk } from './batching.ts'
import type { LoadedModel } from './model.ts'
import type { Slot } from './pool.ts'
import { samplingOptions } from './sampling.ts'
import { StopFilter, TokenDecoder } from './text.ts'

/** A text event is due after so many tokens, even an empty one: what is counted must also be told. */
const maxSilentTokens = 16

type Finish = 'stop' | 'length'

/** The state that the parent steers by messages. */
export class Generation {
  readonly id: number
  /** Tokens generated so far. */
  tokens = 0
  /** Tokens when the cancellation was read; undefined while nobody cancelled. */
  cancelledAt: number | undefined
  stalled = false
  readonly #abort = new AbortController()
  readonly #go = Promise.withResolvers<number>()
  readonly #emit: (event: EngineEvent) => void
  #unconsumed = 0
  #room: PromiseWithResolvers<void> | undefined

  constructor(id: number, emit: (event: EngineEvent) => void) {
    this.id = id
    this.#emit = emit
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  cancel(): void {
    this.cancelledAt ??= this.tokens
    this.#abort.abort()
    this.#go.resolve(0)
    this.#room?.resolve()
  }

  /** The parent's answer to the prompt event. */
  go(maxTokens: number): void {
    this.#go.resolve(maxTokens)
  }

  /** The consumer has taken so many more events. */
  ack(events: number): void {
    this.#unconsumed -= events
    if (this.#unconsumed >= windowEvents) return
    this.#room?.resolve()
    this.#room = undefined
  }

  /** Runs to the end; returns early without an `end` event once cancelled. */
  async run(model: LoadedModel, request: WireRequest): Promise<void> {
    const tokens = encodePrompt(model, request)
    const slot = await model.pool.acquire(tokens, request.cacheKey, this.signal)
    if (!slot) return
    let usable = false
    try {
      const cachedTokens = await model.pool.prepare(slot, tokens, request.cacheKey)
      this.#send({ type: 'prompt', promptTokens: tokens.length, cachedTokens })
      const maxTokens = Math.min(await this.#go.promise, model.contextLength - tokens.length)
      if (!this.signal.aborted)
        await this.#generate(model, slot, tokens.slice(cachedTokens), maxTokens, request)
      usable = true
    } finally {
      model.pool.release(slot, usable)
    }
  }

  async #generate(
    model: LoadedModel,
    slot: Slot,
    rest: readonly number[],
    maxTokens: number,
    request: WireRequest,
  ): Promise<void> {
    const { batching } = model
    const priority = Batching.priority(slot.index, model.sequences)
    batching.enter()
    try {
      const last = await this.#prefill(slot.sequence, rest, priority, batching)
      if (last === undefined) return
      const options = samplingOptions(request.sampling, priority, () => this.#generated)
      await this.#decode(model, slot.sequence, last, options, maxTokens, request.stop)
    } finally {
      batching.leave()
    }
  }

  readonly #generated: number[] = []

  /** All but the last token, in pieces that let others through; undefined: cancelled. */
  async #prefill(
    sequence: LlamaContextSequence,
    tokens: readonly number[],
    evaluationPriority: SequenceEvaluateOptions['evaluationPriority'],
    batching: Batching,
  ): Promise<number | undefined> {
    const end = tokens.length - 1
    for (let at = 0; at < end; at += prefillChunk) {
      await batching.turn()
      if (this.signal.aborted) return undefined
      const chunk = tokens.slice(at, Math.min(end, at + prefillChunk)) as Token[]
      await sequence.evaluateWithoutGeneratingNewTokens(
        chunk,
        evaluationPriority ? { evaluationPriority } : {},
      )
    }
    return this.signal.aborted ? undefined : tokens[end]
  }

  async #decode(
    model: LoadedModel,
    sequence: LlamaContextSequence,
    first: number,
    options: SequenceEvaluateOptions,
    maxTokens: number,
    stops: readonly string[],
  ): Promise<void> {
    const decoder = new TokenDecoder(model.detokenize)
    const filter = new StopFilter(stops)
    const stream = sequence.evaluate([first] as Token[], options)
    let told = 0
    const tell = (text: string) => {
      if (text === '' && this.tokens - told < maxSilentTokens) return
      this.#send({ type: 'text', text, tokens: this.tokens - told })
      told = this.tokens
    }
    try {
      for (;;) {
        if (this.tokens >= maxTokens)
          return this.#finish('length', tell, filter.push(decoder.end()).text + filter.end())
        await this.#mayGoOn(model.batching)
        if (this.signal.aborted) return
        const { value: token, done } = await stream.next()
        if (this.signal.aborted) return
        if (done || model.isEnd(token)) {
          const rest = filter.push(decoder.end())
          return this.#finish('stop', tell, rest.text + (rest.stopped ? '' : filter.end()))
        }
        this.tokens++
        this.#generated.push(token)
        const cut = filter.push(decoder.push(token))
        if (cut.stopped) return this.#finish('stop', tell, cut.text)
        tell(cut.text)
      }
    } finally {
      await stream.return()
    }
  }

  /** Waits while the consumer is behind, or while another generation needs the context for itself. */
  async #mayGoOn(batching: Batching): Promise<void> {
    while (this.#unconsumed >= windowEvents && !this.signal.aborted) {
      this.#room ??= Promise.withResolvers()
      this.stalled = true
      batching.leave()
      await this.#room.promise
      batching.enter()
      this.stalled = false
    }
    const turn = batching.turn()
    if (turn) await turn
  }

  #finish(finishReason: Finish, tell: (text: string) => void, rest: string): void {
    if (rest !== '') tell(rest)
    this.#send({ type: 'end', finishReason, completionTokens: this.tokens })
  }

  #send(event: EngineEvent): void {
    this.#unconsumed++
    this.#emit(event)
  }
}

function encodePrompt(model: LoadedModel, request: WireRequest): number[] {
  const { prompt, grammar, logprobs, echo, specialText } = request
  const { topK, minP, repeatPenalty, logitBias } = request.sampling
  const extras = [grammar, logprobs, echo, specialText, topK, minP, repeatPenalty, logitBias]
  if (prompt.kind === 'tokens' || prompt.kind === 'text')
    throw new EngineError('ERR_UNSUPPORTED_PROMPT', 'this engine does not do this yet')
  if (request.maxTokens < 1 || extras.some((extra) => extra !== undefined))
    throw new EngineError('ERR_UNSUPPORTED_PROMPT', 'this engine does not do this yet')
  const pieces = model.prompts.write(prompt)
  const limit = Math.min(request.maxPromptTokens, model.contextLength - 1)
  // A text that cannot fit is refused by its length, before time goes into tokenizing it.
  const bytes = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece.text), 0)
  const least = Math.floor(bytes / model.longestToken)
  if (least > limit) throw new PromptTooLong(least, limit)
  const tokens = model.vocabulary.encode(pieces)
  if (tokens.length > limit) throw new PromptTooLong(tokens.length, limit)
  if (tokens.length === 0) throw new EngineError('ERR_UNSUPPORTED_PROMPT', 'the prompt is empty')
  return tokens
}
