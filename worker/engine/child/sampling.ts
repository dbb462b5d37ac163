/** @module How the next token is chosen: OpenAI's sampling in llama.cpp's terms. */

import { createHash, randomInt } from 'node:crypto'
import { EngineError } from '../errors.ts'
import type { Sampling } from '../types.ts'
import type { LogitRow, NativeGrammar, NativeSampler, SamplerConfig } from './library.ts'

/** Any number to the 32 bits that llama.cpp takes; 32-bit seeds keep their value. */
export function seed32(seed: number): number {
  if (Number.isInteger(seed) && seed >= 0 && seed < 0xffff_ffff) return seed
  return createHash('sha256').update(String(seed)).digest().readUInt32BE() % 0xffff_ffff
}

/** The bias that bans a token. */
const ban = -100

/**
 * No hidden top-k or min-p; penalties over the generated text only.
 *
 * @param maxTokens what the penalties have to remember
 */
export function samplerConfig(sampling: Sampling, maxTokens: number): SamplerConfig {
  const { temperature, topP, topK = 0, minP = 0, logitBias = [], seed } = sampling
  const { repeatPenalty = 1, presencePenalty, frequencyPenalty } = sampling
  const penalized = repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0
  return {
    temperature,
    topP,
    // Absent, not 0: 0 would sort the whole vocabulary for each token.
    ...(topK > 0 && { topK }),
    ...(minP > 0 && { minP }),
    seed: seed === undefined ? randomInt(0xffff_ffff) : seed32(seed),
    ...(penalized && {
      repeatPenalty,
      repeatPenaltyMaxTokens: Math.max(1, maxTokens),
      repeatPenaltyTokens: new Uint32Array(0),
      repeatPenaltyPresencePenalty: presencePenalty,
      repeatPenaltyFrequencyPenalty: frequencyPenalty,
    }),
    ...(logitBias.length > 0 && {
      tokenBiasKeys: Uint32Array.from(logitBias, ([token]) => token),
      tokenBiasValues: Float32Array.from(logitBias, ([, bias]) => (bias <= ban ? -Infinity : bias)),
    }),
  }
}

/** By how much the draws of one answer may exceed {@link usualMs} in all because of its grammar; others wait for them. */
const overtimeMs = 4000

/** What a draw under a grammar takes at most on a slow, busy machine: it looks at all tokens of the vocabulary. */
function usualMs(vocabularySize: number): number {
  return 100 + vocabularySize / 500
}

export interface SamplerOptions {
  readonly native: NativeSampler
  readonly sampling: Sampling
  /** What the penalties have to remember. */
  readonly maxTokens: number
  readonly vocabularySize: number
  /** Replaced by tests. */
  readonly overtimeMs?: number
}

/** Draws the tokens of one answer; it remembers its random state and what it drew. */
export class Sampler {
  readonly #native: NativeSampler
  readonly #config: SamplerConfig
  readonly #usualMs: number
  #overtimeMs: number
  #constrained = false
  /** A draw that nobody waits for any more. */
  #abandoned: Promise<unknown> | undefined

  constructor(options: SamplerOptions) {
    this.#native = options.native
    this.#config = samplerConfig(options.sampling, options.maxTokens)
    this.#usualMs = usualMs(options.vocabularySize)
    this.#overtimeMs = options.overtimeMs ?? overtimeMs
    this.#native.applyConfig(this.#config)
  }

  /** From now on the grammar holds; `drawn` are the tokens so far, which the penalties go on counting. */
  constrain(grammarEvaluationState: NativeGrammar, drawn: readonly number[]): void {
    const { repeatPenaltyTokens } = this.#config
    this.#constrained = true
    this.#native.applyConfig({
      ...this.#config,
      ...(repeatPenaltyTokens && { repeatPenaltyTokens: Uint32Array.from(drawn) }),
      grammarEvaluationState,
    })
  }

  /** @throws {EngineError} `ERR_BAD_GRAMMAR` when the grammar takes no token, or takes too long */
  async draw(row: Pick<LogitRow, 'draw'>): Promise<number> {
    if (!this.#constrained) return await row.draw(this.#native)
    const started = performance.now()
    const drawing = row.draw(this.#native)
    const late = Promise.withResolvers<never>()
    // A draw before this one may have taken more than there was.
    const patienceMs = Math.max(0, this.#usualMs + this.#overtimeMs)
    const timer = setTimeout(() => {
      this.#abandoned = drawing.catch(() => {})
      late.reject(
        new EngineError('ERR_BAD_GRAMMAR', 'the grammar takes too long to follow; make it less ambiguous'),
      )
    }, patienceMs)
    try {
      return await Promise.race([drawing, late.promise])
    } catch (cause) {
      if (cause instanceof EngineError) throw cause
      const problem = 'the grammar cannot be followed: at some point it takes no token that is allowed'
      throw new EngineError('ERR_BAD_GRAMMAR', problem, { cause })
    } finally {
      clearTimeout(timer)
      this.#overtimeMs -= Math.max(0, performance.now() - started - this.#usualMs)
    }
  }

  /**
   * Frees what llama.cpp holds, as soon as nothing is drawn with it.
   *
   * @returns the draw that has been given up and still runs; undefined: there is none
   */
  dispose(): Promise<unknown> | undefined {
    if (!this.#abandoned) this.#native.dispose()
    return this.#abandoned?.then(() => this.#native.dispose())
  }
}
