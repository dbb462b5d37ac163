import type { Sampling } from '../engine/types.ts'
import type { SamplingRequest } from '../protocol/sampling.ts'

/** A request's sampling as the engine takes it. */
export function samplingOf(request: SamplingRequest): Sampling {
  const { temperature, topP, presencePenalty, frequencyPenalty } = request
  return {
    temperature,
    topP,
    presencePenalty,
    frequencyPenalty,
    ...(request.seed !== undefined && { seed: request.seed }),
    ...(request.topK !== undefined && { topK: request.topK }),
    ...(request.minP !== undefined && { minP: request.minP }),
    ...(request.repeatPenalty !== undefined && { repeatPenalty: request.repeatPenalty }),
    ...(request.logitBias !== undefined && { logitBias: request.logitBias }),
  }
}
