/** @module An engine without a model, for tests: it says what its script says, and waits where a test holds it. */

import { createHash } from 'node:crypto'
import { EngineError, PromptTooLong } from '../errors.ts'
import type {
  Embedding,
  EmbeddingInput,
  Engine,
  EngineEvent,
  ExitInfo,
  GenerateRequest,
  ModelInfo,
  Prompt,
  TokenChance,
  TokenLogprob,
} from '../types.ts'

/** A place where a script waits until the test opens it. */
export class Gate {
  /** Settles when a generation has come to this gate. */
  readonly reached: Promise<void>
  /** Settles when the test has opened the gate. */
  readonly opened: Promise<void>
  #reach: () => void
  #open: () => void

  constructor() {
    const reached = Promise.withResolvers<void>()
    const opened = Promise.withResolvers<void>()
    this.reached = reached.promise
    this.opened = opened.promise
    this.#reach = reached.resolve
    this.#open = opened.resolve
  }

  open(): void {
    this.#open()
  }

  /** For engines: marks the gate as reached and waits. */
  async pass(): Promise<void> {
    this.#reach()
    await this.opened
  }
}

/** One token's text, several tokens shown as one text, or a wait. */
export type ScriptStep =
  | string
  | {
      readonly text: string
      readonly tokens: number
      /** Told when the request asks for log probabilities; default: one token of probability 1/2. */
      readonly logprobs?: readonly TokenLogprob[]
    }
  | Gate

export interface ScriptedOptions {
  readonly info?: Partial<ModelInfo>
  readonly sequences?: number
  /** The answer to each request, one step after the other; the default says `Hello`, ` world`, `!`. */
  readonly script?: (request: GenerateRequest) => Iterable<ScriptStep> | AsyncIterable<ScriptStep>
  /** Default: the number of characters of the prompt, at least 1. */
  readonly promptTokens?: (request: GenerateRequest) => number
  readonly cachedTokens?: (request: GenerateRequest) => number
  /** Told in the prompt event: the answer begins inside the model's reasoning. */
  readonly reasoning?: (request: GenerateRequest) => boolean
  /** Default: as the default of `promptTokens`. */
  readonly count?: (prompt: Prompt) => number
  /** Default: a vector drawn from the input's hash; one token for each character. */
  readonly embed?: (input: EmbeddingInput) => Embedding
}

/** What a test can see of one generation. */
export interface ScriptedRun {
  readonly request: GenerateRequest
  /** Steps that the script was asked for so far, gates not counted: how far the engine worked ahead. */
  produced: number
  state: 'running' | 'ended' | 'cancelled' | 'lost'
  /** Settles when `state` leaves `running`. */
  readonly settled: Promise<void>
}

/** @see Engine; in addition a test sees the runs and can make the process "die". */
export interface ScriptedEngine extends Engine {
  readonly runs: readonly ScriptedRun[]
  /** Resolves with the n-th run (from 0) once it has begun. */
  run(index: number): Promise<ScriptedRun>
  /** The child process is gone: running generations throw `ERR_ENGINE_LOST`, later ones too. */
  lose(): void
}

const defaultInfo: ModelInfo = {
  id: 'chrysalis/scripted',
  sha256: 'ab'.repeat(32),
  quantization: 'F32',
  contextLength: 512,
  tokenizerSha256: 'cd'.repeat(32),
  templateSha256: 'ef'.repeat(32),
  promptStyle: 'chrysalis-tiny-1',
  languages: ['de', 'en', 'es', 'fr', 'ru'],
  embeddingLength: 8,
  vocabularySize: 512,
}

function textOf(prompt: Prompt): string {
  if (prompt.kind === 'chat') return prompt.messages.map((message) => message.content).join('')
  if (prompt.kind === 'tokens') return prompt.tokens.map((token) => String.fromCodePoint(token)).join('')
  return prompt.kind === 'text' ? prompt.text + (prompt.suffix ?? '') : prompt.text
}

function countCharacters(prompt: Prompt): number {
  return Math.max(1, textOf(prompt).length)
}

function scriptedChance(text: string, top: number): TokenLogprob {
  const chance: TokenChance = { token: text, bytes: [...Buffer.from(text)], logprob: Math.log(0.5) }
  return { ...chance, top: top > 0 ? [chance] : [] }
}

/** One token for each character, as `promptTokens` counts by default. */
function echoOf({ prompt, logprobs }: GenerateRequest): EngineEvent {
  const text = textOf(prompt)
  if (logprobs === undefined) return { type: 'echo', text }
  const [first = '', ...others] = text
  return {
    type: 'echo',
    text,
    first,
    logprobs: [null, ...others.map((other) => scriptedChance(other, logprobs))],
  }
}

function scriptedVector(input: EmbeddingInput, length: number): Embedding {
  const text = 'text' in input ? input.text : textOf({ kind: 'tokens', tokens: input.tokens })
  const vector = Float32Array.from({ length }, (_, index) =>
    createHash('sha256').update(`${index} ${text}`).digest().readInt8(),
  )
  const norm = Math.hypot(...vector) || 1
  return { vector: vector.map((value) => value / norm), tokens: Math.max(1, text.length) }
}

/** Makes an engine that plays a script. It keeps the contract of {@link Engine} and uses no timers. */
export function scriptedEngine(options: ScriptedOptions = {}): ScriptedEngine {
  return new Scripted(options)
}

class Scripted implements ScriptedEngine {
  readonly info: ModelInfo
  readonly sequences: number
  readonly accelerator = 'cpu'
  readonly closed: Promise<ExitInfo>
  readonly runs: ScriptedRun[] = []
  readonly #options: ScriptedOptions
  readonly #end = new AbortController()
  readonly #settleClosed: (info: ExitInfo) => void
  readonly #waiting = new Map<number, PromiseWithResolvers<ScriptedRun>>()

  constructor(options: ScriptedOptions) {
    this.#options = options
    this.info = { ...defaultInfo, ...options.info }
    this.sequences = options.sequences ?? 4
    const closed = Promise.withResolvers<ExitInfo>()
    this.closed = closed.promise
    this.#settleClosed = closed.resolve
  }

  async close(): Promise<void> {
    this.#finish('ERR_ENGINE_CLOSED', 'the engine was closed', { expected: true, exitCode: 0, signal: null })
  }

  lose(): void {
    this.#finish('ERR_ENGINE_LOST', 'the engine process ended', {
      expected: false,
      exitCode: null,
      signal: 'SIGKILL',
    })
  }

  run(index: number): Promise<ScriptedRun> {
    const known = this.runs[index]
    if (known) return Promise.resolve(known)
    const waiting = this.#waiting.get(index) ?? Promise.withResolvers<ScriptedRun>()
    this.#waiting.set(index, waiting)
    return waiting.promise
  }

  async *generate(request: GenerateRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const settled = Promise.withResolvers<void>()
    const run: ScriptedRun = { request, produced: 0, state: 'running', settled: settled.promise }
    this.#register(run)
    try {
      yield* this.#play(run, signal)
      run.state = 'ended'
    } finally {
      if (run.state === 'running') run.state = this.#end.signal.aborted ? 'lost' : 'cancelled'
      settled.resolve()
    }
  }

  async *#play(run: ScriptedRun, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const { request } = run
    const stop = AbortSignal.any([signal, this.#end.signal])
    const check = () => this.#check(signal)
    check()
    const { logprobs } = request
    const promptTokens = this.#options.promptTokens?.(request) ?? countCharacters(request.prompt)
    const cachedTokens = this.#options.cachedTokens?.(request) ?? 0
    const limit = Math.min(request.maxPromptTokens, this.info.contextLength - 1)
    if (promptTokens > limit) throw new PromptTooLong(promptTokens, limit)
    const maxTokens = Math.min(request.maxTokens, request.limit?.(promptTokens, cachedTokens) ?? Infinity)
    if (maxTokens < Math.min(1, request.maxTokens))
      throw new EngineError('ERR_NO_OUTPUT_ROOM', 'no output token is allowed')
    const reasoning = this.#options.reasoning?.(request)
    yield { type: 'prompt', promptTokens, cachedTokens, ...(reasoning && { reasoning }) }
    if (request.echo) yield echoOf(request)
    if (maxTokens === 0) return yield { type: 'end', finishReason: 'length', completionTokens: 0 }

    let completionTokens = 0
    for await (const step of this.#options.script?.(request) ?? ['Hello', ' world', '!']) {
      check()
      if (step instanceof Gate) {
        await Promise.race([step.pass(), aborted(stop)])
        check()
        continue
      }
      if (completionTokens >= maxTokens)
        return yield { type: 'end', finishReason: 'length', completionTokens }
      run.produced++
      const {
        text,
        tokens,
        logprobs: scripted,
      } = typeof step === 'string' ? { text: step, tokens: 1, logprobs: undefined } : step
      completionTokens += tokens
      const told = logprobs === undefined ? undefined : (scripted ?? [scriptedChance(text, logprobs)])
      yield { type: 'text', text, tokens, ...(told && { logprobs: told }) }
      check()
    }
    yield { type: 'end', finishReason: 'stop', completionTokens }
  }

  async count(prompt: Prompt, signal: AbortSignal): Promise<number> {
    this.#check(signal)
    return (this.#options.count ?? countCharacters)(prompt)
  }

  async countInput(input: EmbeddingInput, signal: AbortSignal): Promise<number> {
    this.#check(signal)
    const { tokens } = scriptedVector(input, 1)
    if (tokens > this.info.contextLength) throw new PromptTooLong(tokens, this.info.contextLength)
    return tokens
  }

  async embed(input: EmbeddingInput, maxTokens: number, signal: AbortSignal): Promise<Embedding> {
    this.#check(signal)
    const embedding = this.#options.embed?.(input) ?? scriptedVector(input, this.info.embeddingLength)
    if (embedding.tokens > maxTokens) throw new PromptTooLong(embedding.tokens, maxTokens)
    return embedding
  }

  #check(signal: AbortSignal): void {
    if (this.#end.signal.aborted) throw this.#end.signal.reason
    if (signal.aborted) throw new EngineError('ERR_CANCELLED', 'the request was cancelled')
  }

  #register(run: ScriptedRun): void {
    const index = this.runs.push(run) - 1
    this.#waiting.get(index)?.resolve(run)
  }

  #finish(code: 'ERR_ENGINE_CLOSED' | 'ERR_ENGINE_LOST', message: string, info: ExitInfo): void {
    if (this.#end.signal.aborted) return
    this.#end.abort(new EngineError(code, message))
    this.#settleClosed(info)
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
