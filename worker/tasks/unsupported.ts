import type { ChatRequest } from '../protocol/chat.ts'
import { unsupportedParameter } from '../protocol/refusals.ts'

/**
 * What the protocol reads and this worker does not do yet.
 * @throws ApiError 400 naming the field
 */
export function refuseUnsupported(request: ChatRequest): void {
  const asked: Record<string, boolean> = {
    n: request.n > 1,
    logprobs: request.logprobs !== undefined,
    logit_bias: request.logitBias !== undefined && request.logitBias.length > 0,
    top_k: (request.topK ?? 0) > 0,
    min_p: (request.minP ?? 0) > 0,
    repeat_penalty: (request.repeatPenalty ?? 1) !== 1,
    tools: request.tools.length > 0,
    messages: request.messages.some(({ role, toolCalls }) => role === 'tool' || toolCalls !== undefined),
    response_format: request.responseFormat.type !== 'text',
    grammar: request.grammar !== undefined,
    reasoning_effort: !['medium', 'none', undefined].includes(request.reasoningEffort),
  }
  const first = Object.keys(asked).find((name) => asked[name])
  if (first !== undefined) throw unsupportedParameter(first)
}
