import type { ModelInfo, Sampling } from '../engine/types.ts'
import { type ApiError, invalidRequest } from '../protocol/errors.ts'
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

/** @throws ApiError 400 for a bias of a token that the model does not have */
export function checkTokens({ logitBias = [] }: SamplingRequest, { vocabularySize }: ModelInfo): void {
  const unknown = logitBias.find(([token]) => token >= vocabularySize)
  if (unknown) throw unknownToken(`logit_bias.${unknown[0]}`)
}

/** 400: a token id that the model does not have. */
export function unknownToken(param: string): ApiError {
  return invalidRequest(
    param,
    `Invalid '${param}': the model's vocabulary has no such token id.`,
    'invalid_value',
  )
}
