/**
 * Bounds on a request's tokens that hold without a tokenizer, for the clear context and the reservation. The worker
 * counts exactly and refuses, or stops, at these bounds; a bound too low is a refusal, never an overcharge.
 */

import type { ChatRequest } from './chat.ts'
import type { TranslationRequest } from './translation.ts'

export interface RequestBounds {
  maxPromptTokens: number
  maxOutputTokens: number
}

// A token covers at least one byte of text; the template adds the rest. Templates of common models add some thirty
// tokens of their own (dates, a default system message) and fewer than ten per message.
const TEMPLATE_TOKENS = 256
const MESSAGE_TOKENS = 32

// A translation may be longer than its source, in bytes and still more in tokens of a script the vocabulary lacks.
const TRANSLATION_GROWTH = 4
const TRANSLATION_FLOOR = 64

/** Bounds of a chat request on a model whose context holds `contextLength` tokens. */
export function boundsOfChat(request: ChatRequest, contextLength: number): RequestBounds {
  let tokens = TEMPLATE_TOKENS
  for (const message of request.messages) tokens += Buffer.byteLength(message.content) + MESSAGE_TOKENS
  return {
    maxPromptTokens: Math.min(tokens, contextLength),
    maxOutputTokens: Math.min(request.maxTokens ?? contextLength, contextLength),
  }
}

/** Bounds of a translation request: the sums over its inputs, each of which is a prompt of its own. */
export function boundsOfTranslation(request: TranslationRequest, contextLength: number): RequestBounds {
  const bounds = { maxPromptTokens: 0, maxOutputTokens: 0 }
  for (const text of request.input) {
    const bytes = Buffer.byteLength(text)
    bounds.maxPromptTokens += Math.min(bytes + TEMPLATE_TOKENS, contextLength)
    bounds.maxOutputTokens += Math.min(bytes * TRANSLATION_GROWTH + TRANSLATION_FLOOR, contextLength)
  }
  return bounds
}
