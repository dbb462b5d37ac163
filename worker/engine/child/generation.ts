/** @module One generation inside the child: prompt, prefill, decode, and a stop at every turn. */

import type { EvaluationPriority } from 'node-llama-cpp'
import { type WireRequest, windowEvents } from '../messages.ts'
import { type EngineEvent, type Grammar, maxTopLogprobs, type TokenLogprob } from '../types.ts'
import { Answer } from './answer.ts'
import { Batching, prefillChunk } from './batching.ts'
import { ChanceReader, type Chances } from './chances.ts'
import { checkSampling, type EncodedPrompt, encodePrompt } from './encode.ts'
import { type ActiveGrammar, ParsedGrammar } from './grammar.ts'
import { evaluate, evaluateAll, evaluateLast, type LogitRow, newSampler } from './library.ts'
import type { LoadedModel } from './model.ts'
import type { Slot } from './pool.ts'
import { Sampler } from './sampling.ts'
import { describeChances, divide } from './shown.ts'
import { TokenDecoder } from './text.ts'

/** How long a draw that was given up may go on. */
const drawMs = 60_000

/** The state that the parent steers by messages. */
export class Generation {
  readonly id: number
  /** Tokens when the cancellation was read; undefined while nobody cancelled. */
  cancelledAt: number | undefined
  stalled = false
  readonly #abort = new AbortController()
  readonly #go = Promise.withResolvers<number>()
  readonly #emit: (event: EngineEvent) => void
  #answer: Answer | undefined
  #unconsumed = 0
  #room: PromiseWithResolvers<void> | undefined

  constructor(id: number, emit: (event: EngineEvent) => void) {
    this.id = id
    this.#emit = emit
  }

  /** Tokens generated so far. */
  get tokens(): number {
    return this.#answer?.tokens ?? 0
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
    const limit = Math.min(request.maxPromptTokens, model.contextLength - 1)
    const prompt = encodePrompt(model, request.prompt, limit)
    checkSampling(model, request.sampling)
    const grammar = await openGrammar(model, request.grammar, prompt.reasoning)
    const { tokens } = prompt
    // Log probabilities of a prompt come from evaluating all of it.
    const cacheKey = request.echo && request.logprobs !== undefined ? undefined : request.cacheKey
    const slot = await model.pool.acquire(tokens, cacheKey, this.signal)
    if (!slot) return
    let usable = false
    try {
      const cachedTokens = await model.pool.prepare(slot, tokens, cacheKey)
      const reasoning = prompt.reasoning && { reasoning: true }
      this.#send({ type: 'prompt', promptTokens: tokens.length, cachedTokens, ...reasoning })
      const maxTokens = Math.min(await this.#go.promise, model.contextLength - tokens.length)
      const stage = { model, slot, priority: Batching.priority(slot.index, model.sequences), request }
      if (!this.signal.aborted) await this.#generate(stage, prompt, cachedTokens, maxTokens, grammar)
      if (this.signal.aborted && this.tokens === 0) await model.pool.trim(slot, tokens.slice(0, cachedTokens))
      usable = true
    } finally {
      model.pool.release(slot, usable)
    }
  }

  async #generate(
    stage: Stage,
    prompt: EncodedPrompt,
    cachedTokens: number,
    maxTokens: number,
    grammar: ActiveGrammar | undefined,
  ): Promise<void> {
    const { model, request } = stage
    const reader = request.logprobs === undefined ? undefined : new ChanceReader(model.llama, topOf(request))
    const sampler = new Sampler({
      native: newSampler(model.llama),
      sampling: request.sampling,
      maxTokens,
      vocabularySize: model.vocabularySize,
    })
    model.batching.enter()
    try {
      const chances = await this.#prefill(
        stage,
        prompt.tokens,
        cachedTokens,
        request.echo ? reader : undefined,
      )
      if (this.signal.aborted) return
      if (request.echo) this.#send(echo(model, prompt.tokens, request, chances))
      this.#answer = new Answer({
        decoder: new TokenDecoder(
          model.detokenize,
          request.specialText || grammar?.native !== undefined,
          prompt.continues ? prompt.tokens : [],
        ),
        stop: request.stop,
        grammar,
        bytesOf: reader && model.bytesOf,
        send: (event) => this.#send(event),
      })
      await this.#decode(stage, prompt.tokens.slice(-1), this.#answer, sampler, reader, maxTokens, grammar)
    } finally {
      model.batching.leave()
      leaveUnlessSettled(sampler.dispose())
      reader?.dispose()
    }
  }

  /**
   * Evaluates all but the last token, in pieces that let others through; returns early once cancelled.
   *
   * @returns what `reader` reads of each token but the first
   */
  async #prefill(
    { model, slot, priority }: Stage,
    tokens: readonly number[],
    from: number,
    reader: ChanceReader | undefined,
  ): Promise<Chances[]> {
    const chances: Chances[] = []
    const end = tokens.length - 1
    for (let at = from; at < end; at += prefillChunk) {
      await model.batching.turn()
      if (this.signal.aborted) break
      const chunk = tokens.slice(at, Math.min(end, at + prefillChunk))
      if (!reader) {
        await evaluate(slot.sequence, chunk, priority)
        continue
      }
      const read = (row: LogitRow, index: number) => reader.read(row, tokens[at + index + 1] ?? 0)
      chances.push(...(await evaluateAll(slot.sequence, chunk, priority, read)))
    }
    return chances
  }

  async #decode(
    { model, slot, priority }: Stage,
    last: readonly number[],
    answer: Answer,
    sampler: Sampler,
    reader: ChanceReader | undefined,
    maxTokens: number,
    grammar: ActiveGrammar | undefined,
  ): Promise<void> {
    const { sequence } = slot
    const drawn: number[] = []
    let constrained = false
    let next = last
    for (;;) {
      const isFull = sequence.nextTokenIndex + next.length >= model.contextLength
      if (answer.tokens >= maxTokens || isFull) return answer.end('length')
      await this.#mayGoOn(model.batching)
      if (this.signal.aborted) return
      if (!constrained && grammar?.native) {
        sampler.constrain(grammar.native, drawn)
        constrained = true
      }
      const { token, chances } = await evaluateLast(sequence, next, priority, async (row) => {
        const chosen = await sampler.draw(row)
        return { token: chosen, chances: await reader?.read(row, chosen) }
      })
      if (this.signal.aborted) return
      if (model.isEnd(token)) return answer.end('stop')
      drawn.push(token)
      const { stopped, cut } = answer.take(token, chances)
      if (stopped) return
      next = cut === undefined ? [token] : model.grammars.tokenize(cut)
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

  #send(event: EngineEvent): void {
    this.#unconsumed++
    this.#emit(event)
  }
}

/** Where and for what a generation computes. */
interface Stage {
  readonly model: LoadedModel
  readonly slot: Slot
  readonly priority: EvaluationPriority
  readonly request: WireRequest
}

/** Both grammars are checked, whichever holds: a bad one is refused whatever the template does. */
async function openGrammar(
  { grammars }: LoadedModel,
  grammar: Grammar | undefined,
  inside: boolean,
): Promise<ActiveGrammar | undefined> {
  if (!grammar) return undefined
  const outer = await ParsedGrammar.parse(grammars, grammar)
  const inner = grammar.insideReasoning && (await ParsedGrammar.parse(grammars, grammar.insideReasoning))
  return (inside && inner ? inner : outer).begin(inside)
}

function topOf({ logprobs = 0 }: WireRequest): number {
  return Math.min(maxTopLogprobs, logprobs)
}

/** A draw that was given up keeps a thread and may take ever more memory: the process that has it does not stay. */
function leaveUnlessSettled(draw: Promise<unknown> | undefined): void {
  if (!draw) return
  const timer = setTimeout(() => process.exit(1), drawMs)
  void draw.then(() => clearTimeout(timer))
}

/** The prompt's text, and of each token but the first how likely it was. */
function echo(
  model: LoadedModel,
  tokens: readonly number[],
  { specialText = false, logprobs }: WireRequest,
  chances: readonly Chances[],
): EngineEvent {
  const decoder = new TokenDecoder(model.detokenize, specialText)
  const parts = tokens.map((token) => decoder.push(token))
  parts.push(decoder.end())
  const text = parts.map((part) => part.text).join('')
  if (logprobs === undefined) return { type: 'echo', text }
  const [first, ...others] = parts.flatMap((part) => divide(part, model.bytesOf))
  const entries = others.flatMap((bytes, index): TokenLogprob[] => {
    const chance = chances[index]
    return chance ? [describeChances(chance, bytes, model.bytesOf)] : []
  })
  return { type: 'echo', text, logprobs: [null, ...entries], first: first?.toString('utf8') ?? '' }
}
