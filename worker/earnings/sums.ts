import type { TokenCounts } from '../protocol/index.ts'

export const NO_TOKENS: TokenCounts = {
  promptTokens: 0,
  cachedTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
}

/** The sum of two counts. */
export function plus(a: TokenCounts, b: TokenCounts): TokenCounts {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  }
}

/** What `a` has more than `b`. */
export function minus(a: TokenCounts, b: TokenCounts = NO_TOKENS): TokenCounts {
  return {
    promptTokens: a.promptTokens - b.promptTokens,
    cachedTokens: a.cachedTokens - b.cachedTokens,
    completionTokens: a.completionTokens - b.completionTokens,
    reasoningTokens: a.reasoningTokens - b.reasoningTokens,
  }
}
