/** @module Many generations of one request, side by side: one budget, one meter, each prompt counted once. */

import { createHmac, randomBytes } from 'node:crypto'
import { EngineError, PromptTooLong } from '../engine/errors.ts'
import type { Engine, EngineEvent, GenerateRequest, Prompt } from '../engine/types.ts'
import { OutputBudget } from './budget.ts'
import { toTaskError } from './errors.ts'
import { sideBySide } from './merge.ts'
import type { TaskContext } from './types.ts'

/** What is asked of the engine; the same for all choices but for the seed. */
export interface Job extends Omit<GenerateRequest, 'prompt' | 'maxPromptTokens' | 'limit'> {
  readonly prompts: readonly Prompt[]
  /** Choices for each prompt; choice i is sampled with seed + i. */
  readonly choices: number
  /** The request's field that holds the prompts, for errors. */
  readonly param: string
  /** The documents tell the whole answer again at its end, streamed ones too: no event may be longer than a body. */
  readonly retold?: boolean
  /** The field that the grammar was made of. */
  readonly grammarParam?: string
}

/** What a reader makes of an engine's event. */
export interface Reading<Part> {
  readonly parts: readonly Part[]
  /** How many of the event's tokens are reasoning. */
  readonly reasoningTokens?: number
  /** Nothing that comes later is wanted: the engine is stopped. */
  readonly done?: boolean
}

/** Reads one generation. */
export interface Reader<Part> {
  read(event: EngineEvent): Reading<Part>
  /** The generation ends here, as if it had come to the bound on its tokens. */
  cut(): readonly Part[]
}

/** A gateway holds a whole answer until it is paid for, 64 MiB at most: what would be longer is cut before. */
export const MOST_ANSWER_BYTES = 48 * 1024 * 1024

/** A part of generation `index`: prompts in their order, each with its choices. */
export interface Indexed<Part> {
  readonly index: number
  readonly part: Part
}

/**
 * Runs all generations of a job and yields what their readers make of them. What is counted is in the meter before
 * a part that shows it is handed out: a streamed prompt with its first event, a whole answer's with its first token.
 * @throws ApiError; EngineError ERR_CANCELLED
 */
export async function* generateAll<Part>(
  job: Job,
  context: TaskContext,
  engine: Engine,
  reader: (index: number) => Reader<Part>,
): AsyncGenerator<Indexed<Part>, void> {
  const indexes = Array.from({ length: job.prompts.length * job.choices }, (_, index) => index)
  const shared = new Shared(job, context)
  const { meter } = context
  try {
    const steps = sideBySide(indexes, engine.sequences, context.signal, (index, signal) =>
      generateOne(shared, index, engine, reader(index), signal),
    )
    for await (const { index, counts, parts } of steps) {
      meter.promptTokens += counts.promptTokens
      meter.cachedTokens += counts.cachedTokens
      meter.completionTokens += counts.completionTokens
      meter.reasoningTokens += counts.reasoningTokens
      for (const part of parts) yield { index, part }
    }
  } catch (cause) {
    const param = isBadGrammar(cause) ? (job.grammarParam ?? job.param) : job.param
    throw toTaskError(cause, param, engine.info.contextLength)
  }
}

function isBadGrammar(cause: unknown): boolean {
  return cause instanceof EngineError && cause.code === 'ERR_BAD_GRAMMAR'
}

/** The engine's name of a cache that only requests of this payer with this `prompt_cache_key` share. */
export function cacheKeyOf(context: TaskContext, promptCacheKey: string | undefined): string | undefined {
  if (promptCacheKey === undefined || context.cacheKey === undefined) return undefined
  return createHmac('sha256', context.cacheKey).update(promptCacheKey).digest('hex')
}

/** Neighbouring seeds stay apart up to 64 bits: only so do choices differ. */
function seedOf(seed: number | undefined, choice: number): { seed?: number } {
  if (seed === undefined) return {}
  return { seed: Number(BigInt.asIntN(53, BigInt(seed) + BigInt(choice))) }
}

const NOTHING = { promptTokens: 0, cachedTokens: 0 }

/** What the generations of one job have in common. */
class Shared {
  readonly job: Job
  readonly streamed: boolean
  readonly #bounded: boolean
  readonly #context: TaskContext
  readonly #budget: OutputBudget
  readonly #counted = new Set<number>()
  readonly #cacheKey: string | undefined
  #roomBytes = MOST_ANSWER_BYTES

  constructor(job: Job, context: TaskContext) {
    this.job = job
    this.streamed = context.stream
    this.#bounded = !context.stream || job.retold === true
    this.#context = context
    this.#budget = new OutputBudget(context, job.prompts.length * job.choices, job.prompts.length)
    // A choice that has to wait for a sequence finds its prompt already read there.
    this.#cacheKey = job.cacheKey ?? (job.choices > 1 ? randomBytes(32).toString('hex') : undefined)
  }

  /** Whether what is told at once still has room after these parts, of all generations together. */
  hasRoomAfter(parts: readonly unknown[]): boolean {
    if (this.#bounded) this.#roomBytes -= Buffer.byteLength(JSON.stringify(parts))
    return this.#roomBytes > 0
  }

  /** What the engine is asked for generation `index`; `counted` is told when its prompt is the one to be counted. */
  request(index: number, counted: () => void): GenerateRequest {
    const { prompts, choices, param: _, grammarParam: __, retold: ___, sampling, ...same } = this.job
    const at = Math.floor(index / choices)
    const prompt = prompts[at]
    if (prompt === undefined) throw new RangeError('no such prompt')
    return {
      ...same,
      prompt,
      maxPromptTokens: this.#context.maxPromptTokens,
      maxTokens: Math.min(this.job.maxTokens, this.#context.maxOutputTokens),
      sampling: { ...sampling, ...seedOf(sampling.seed, index % choices) },
      ...(this.#cacheKey !== undefined && { cacheKey: this.#cacheKey }),
      limit: (promptTokens, cachedTokens) => {
        if (!this.#counted.has(at)) {
          this.#counted.add(at)
          counted()
          const excess = this.#budget.addPrompt(promptTokens, cachedTokens)
          if (excess > 0) {
            throw new PromptTooLong(this.#budget.promptTokens, this.#budget.promptTokens - excess)
          }
        }
        return this.#budget.take()
      },
    }
  }
}

interface Step<Part> {
  readonly index: number
  readonly counts: {
    readonly promptTokens: number
    readonly cachedTokens: number
    readonly completionTokens: number
    readonly reasoningTokens: number
  }
  readonly parts: readonly Part[]
}

async function* generateOne<Part>(
  shared: Shared,
  index: number,
  engine: Engine,
  reader: Reader<Part>,
  signal: AbortSignal,
): AsyncGenerator<Step<Part>> {
  let isCounted = false
  const request = shared.request(index, () => {
    isCounted = true
  })
  let told = 0
  // Of a whole answer the prompt counts from the first token on, when it has been read.
  let prompt = NOTHING
  for await (const event of engine.generate(request, signal)) {
    if (event.type === 'prompt' && isCounted) {
      prompt = { promptTokens: event.promptTokens, cachedTokens: event.cachedTokens }
    }
    const { parts, reasoningTokens = 0, done } = reader.read(event)
    if (event.type === 'prompt' && !shared.streamed) continue
    const completionTokens = tokensOf(event, told)
    told += completionTokens
    const isCut = !done && event.type !== 'end' && !shared.hasRoomAfter(parts)
    const counts = { ...prompt, completionTokens, reasoningTokens }
    // A text of few tokens is told all the same; an echo may be of any length.
    const shown = isCut && event.type === 'echo' ? [] : parts
    yield { index, counts, parts: isCut ? [...shown, ...reader.cut()] : parts }
    prompt = NOTHING
    if (done || isCut) return
  }
}

/** How many tokens an event adds to those told before. */
function tokensOf(event: EngineEvent, told: number): number {
  if (event.type === 'text') return event.tokens
  return event.type === 'end' ? event.completionTokens - told : 0
}
