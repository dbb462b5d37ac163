/** How many tokens a request can cost at most, told from its text alone: the gateway reserves by these bounds. */

import type { ChatRequest } from './chat.ts'
import type { TranslationRequest } from './translation.ts'

/** Both are enforced by the worker: the first before prefill, the second while decoding. */
export interface RequestBounds {
  maxPromptTokens: number
  maxOutputTokens: number
}

/**
 * Tokens that a chat template or translation prompt may add around one text (role markers, newlines, an
 * instruction). Generous: a prompt beyond its bound is refused, and the reservation is released anyway.
 */
const TEMPLATE_TOKENS = 64

const encoder = new TextEncoder()

/** A tokenizer never makes more tokens than there are UTF-8 bytes, but for one leading space that some add. */
function promptBound(text: string): number {
  return encoder.encode(text).length + 1 + TEMPLATE_TOKENS
}

/**
 * Bounds of a chat completion.
 * @param contextLength tokens of prompt and answer together that the model takes
 */
export function boundsOfChat(request: ChatRequest, contextLength: number): RequestBounds {
  const prompt = request.messages.reduce((sum, { content }) => sum + promptBound(content), TEMPLATE_TOKENS)
  return {
    maxPromptTokens: Math.min(prompt, contextLength),
    maxOutputTokens: Math.min(request.maxTokens ?? contextLength, contextLength),
  }
}

/** Bounds of a translation: the sum over its items, each of which is a prompt of its own. */
export function boundsOfTranslation(request: TranslationRequest, contextLength: number): RequestBounds {
  const prompts = request.input.reduce((sum, text) => sum + Math.min(promptBound(text), contextLength), 0)
  return { maxPromptTokens: prompts, maxOutputTokens: request.input.length * contextLength }
}
