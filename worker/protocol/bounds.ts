/** How many tokens a request can cost at most, told from its text alone: the gateway reserves by these bounds. */

import type { ChatMessage, ChatRequest } from './chat.ts'
import type { CompletionRequest, TextInput } from './completions.ts'
import type { EmbeddingRequest } from './embeddings.ts'
import type { InputTokensRequest } from './input-tokens.ts'
import { indentedBytes } from './json-size.ts'
import { type TranslationRequest, translationOutput, translationPieces } from './translation.ts'

/** All are enforced by the worker: prompt tokens before prefill, output tokens while decoding. */
export interface RequestBounds {
  /** Of all distinct prompts together: each is read once, however many choices there are. */
  maxPromptTokens: number
  /** Of each choice, over all prompts of a batch together. */
  maxOutputTokens: number
  /** Choices that are generated, and charged, for each prompt. */
  n: number
  /** Bytes that the answer may have besides the text of its tokens: log probabilities, vectors. Absent: none. */
  extraBytes?: number
}

/**
 * Tokens that a chat template or translation prompt may add around one text (role markers, newlines, an
 * instruction). Generous: a prompt beyond its bound is refused, and the reservation is released anyway.
 */
const TEMPLATE_TOKENS = 64

/** One log probability with its token, its bytes and their padding: a long token's, and a response tells it five times. */
const LOGPROB_BYTES = 16_384
/** One number of a vector as JSON. */
const NUMBER_BYTES = 25
/** More numbers than a vector of any model has. */
const VECTOR_LENGTH = 16_384

/** Tokens that a chat template may write by itself, before any message: dates, channels, the model's name for itself. */
const PREAMBLE_TOKENS = 256

/** Tokens by which a template explains how tools are called. */
const TOOL_TEMPLATE_TOKENS = 1024

/** A tokenizer never makes more tokens than there are UTF-8 bytes, but for one leading space that some add. */
function promptBound(text: string): number {
  return Buffer.byteLength(text) + 1 + TEMPLATE_TOKENS
}

/**
 * Bounds of a chat completion.
 * @param contextLength tokens of prompt and answer together that the model takes
 */
export function boundsOfChat(request: ChatRequest, contextLength: number): RequestBounds {
  const { n, logprobs } = request
  const messages = request.messages.reduce((sum, message) => sum + messageBound(message), PREAMBLE_TOKENS)
  const maxOutputTokens = Math.min(request.maxTokens ?? contextLength, contextLength)
  return {
    maxPromptTokens: Math.min(messages + toolsBound(request), contextLength),
    maxOutputTokens,
    n,
    ...extraOf(logprobs, maxOutputTokens * n),
  }
}

function extraOf(logprobs: number | undefined, tokens: number): { extraBytes?: number } {
  return logprobs === undefined ? {} : { extraBytes: (logprobs + 1) * tokens * LOGPROB_BYTES }
}

/** Templates write arguments anew, at most with a space after each comma and colon. */
function messageBound({ content, toolCalls = [] }: ChatMessage): number {
  return toolCalls.reduce(
    (sum, { name, arguments: text }) => sum + promptBound(name) + 2 * Buffer.byteLength(text),
    promptBound(content),
  )
}

/** Templates write tools as JSON, some of them indented by four. */
function toolsBound({ tools, toolChoice }: ChatRequest): number {
  if (tools.length === 0 || toolChoice.mode === 'none') return 0
  return TOOL_TEMPLATE_TOKENS + tools.length * TEMPLATE_TOKENS + indentedBytes(tools)
}

/** Bounds of a completion: a batch of prompts counts as one longer prompt with one longer answer. */
export function boundsOfCompletion(request: CompletionRequest, contextLength: number): RequestBounds {
  const { prompts, suffix = '', maxTokens, bestOf, echo, logprobs } = request
  const suffixBytes = Buffer.byteLength(suffix)
  const bound = (prompt: TextInput) => Math.min(inputBound(prompt) + suffixBytes, contextLength)
  const maxPromptTokens = prompts.reduce((sum, prompt) => sum + bound(prompt), 0)
  const maxOutputTokens = prompts.length * Math.min(maxTokens, contextLength)
  const told = maxOutputTokens + (echo ? maxPromptTokens : 0)
  return { maxPromptTokens, maxOutputTokens, n: bestOf, ...extraOf(logprobs, told * bestOf) }
}

/** Bounds of embeddings: nothing is generated. */
export function boundsOfEmbedding(request: EmbeddingRequest, contextLength: number): RequestBounds {
  const { inputs, dimensions = VECTOR_LENGTH } = request
  const prompts = inputs.reduce((sum, input) => sum + Math.min(inputBound(input), contextLength), 0)
  const extraBytes = inputs.length * dimensions * NUMBER_BYTES
  return { maxPromptTokens: prompts, maxOutputTokens: 0, n: 1, extraBytes }
}

/** Bounds of counting: no model reads the prompt, so it costs nothing. */
export function boundsOfInputTokens(_request: InputTokensRequest, _contextLength: number): RequestBounds {
  return { maxPromptTokens: 0, maxOutputTokens: 0, n: 1 }
}

function inputBound(input: TextInput): number {
  return 'text' in input ? promptBound(input.text) : input.tokens.length + TEMPLATE_TOKENS
}

/** Tokens of a translation's instruction and of the sentences before a piece, which are repeated with each piece. */
const TRANSLATION_TOKENS = 512

/**
 * Bounds of a translation: the sum over its texts. A long text is translated in pieces, each with the whole instruction;
 * what the first attempts leave pays for repeating those that lost something.
 */
export function boundsOfTranslation(request: TranslationRequest, _contextLength: number): RequestBounds {
  const { input, glossary, context = '', style = '', alternatives } = request
  const terms = glossary.reduce((sum, { source, target }) => sum + Buffer.byteLength(source + target) + 16, 0)
  const around = TRANSLATION_TOKENS + Buffer.byteLength(context + style) + terms
  const each = input.map(({ text }) => {
    const bytes = Buffer.byteLength(text)
    const pieces = translationPieces(bytes)
    return { prompt: pieces * around + 4 * bytes, output: 192 + pieces * translationOutput(0) + 4 * bytes }
  })
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0)
  return {
    maxPromptTokens: (1 + alternatives) * sum(each.map(({ prompt }) => prompt)),
    maxOutputTokens: (1 + alternatives) * sum(each.map(({ output }) => output)),
    n: 1,
  }
}
