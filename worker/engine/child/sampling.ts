/** @module How the next token is chosen: OpenAI's sampling in llama.cpp's terms. */

import { createHash, randomInt } from 'node:crypto'
import type { LlamaModel } from 'node-llama-cpp'
import type { Sampling } from '../types.ts'
import {
  type LogitRow,
  type NativeGrammar,
  type NativeSampler,
  newSampler,
  type SamplerConfig,
} from './library.ts'

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

/** Draws the tokens of one answer; it remembers its random state and what it drew. */
export class Sampler {
  readonly #native: NativeSampler
  readonly #config: SamplerConfig

  constructor(model: LlamaModel, sampling: Sampling, maxTokens: number) {
    this.#native = newSampler(model)
    this.#config = samplerConfig(sampling, maxTokens)
    this.#native.applyConfig(this.#config)
  }

  /** From now on the grammar holds; `drawn` are the tokens so far, which the penalties go on counting. */
  constrain(grammarEvaluationState: NativeGrammar, drawn: readonly number[]): void {
    const { repeatPenaltyTokens } = this.#config
    this.#native.applyConfig({
      ...this.#config,
      ...(repeatPenaltyTokens && { repeatPenaltyTokens: Uint32Array.from(drawn) }),
      grammarEvaluationState,
    })
  }

  draw(row: LogitRow): Promise<number> {
    return row.draw(this.#native)
  }

  /** Only while nothing is drawn. */
  dispose(): void {
    this.#native.dispose()
  }
}
