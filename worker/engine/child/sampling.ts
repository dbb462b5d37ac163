import { createHash, randomInt } from 'node:crypto'
import type { EvaluationPriority, SequenceEvaluateOptions, Token } from 'node-llama-cpp'
import type { Sampling } from '../types.ts'

/** Any number to the 32 bits that llama.cpp takes; 32-bit seeds keep their value. */
export function seed32(seed: number): number {
  if (Number.isInteger(seed) && seed >= 0 && seed < 0xffff_ffff) return seed
  return createHash('sha256').update(String(seed)).digest().readUInt32BE() % 0xffff_ffff
}

/**
 * Absent would be 40, and 0 sorts the whole vocabulary for each token: milliseconds with a large one. Null is
 * neither: the library then builds no top-k sampler.
 */
const noTopK = null as unknown as number

/** OpenAI's sampling in llama.cpp's terms: no hidden top-k or min-p, penalties over the generated text only. */
export function samplingOptions(
  sampling: Sampling,
  evaluationPriority: EvaluationPriority,
  generated: () => readonly number[],
): SequenceEvaluateOptions {
  const { temperature, topP, presencePenalty, frequencyPenalty } = sampling
  const penalized = presencePenalty !== 0 || frequencyPenalty !== 0
  return {
    temperature,
    topP,
    topK: noTopK,
    minP: 0,
    seed: sampling.seed === undefined ? randomInt(0xffff_ffff) : seed32(sampling.seed),
    evaluationPriority,
    yieldEogToken: true,
    ...(penalized && {
      repeatPenalty: {
        punishTokens: () => generated() as Token[],
        penalty: 1,
        presencePenalty,
        frequencyPenalty,
      },
    }),
  }
}
