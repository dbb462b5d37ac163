/** @module What a request asks for, in tokens; everything that can be refused is refused here, before it costs. */

import { EngineError, PromptTooLong } from '../errors.ts'
import type { WireRequest } from '../messages.ts'
import type { EmbeddingInput, Prompt } from '../types.ts'
import type { LoadedModel } from './model.ts'
import type { Piece } from './vocabulary.ts'

export interface EncodedPrompt {
  readonly tokens: readonly number[]
  /** The answer begins inside the model's reasoning. */
  readonly reasoning: boolean
  /** The answer continues the prompt's text, as opposed to answering it. */
  readonly continues: boolean
}

/** @throws {EngineError} `ERR_PROMPT_TOO_LONG`, `ERR_BAD_TOKEN`, `ERR_UNSUPPORTED_PROMPT` */
export function encodePrompt(model: LoadedModel, prompt: Prompt, maxTokens: number): EncodedPrompt {
  if (prompt.kind === 'tokens') {
    checkTokens(model, prompt.tokens)
    return { tokens: checkLength(prompt.tokens, maxTokens), reasoning: false, continues: true }
  }
  const continues = prompt.kind === 'text' && prompt.suffix === undefined
  const pieces = prompt.kind === 'text' ? writeText(model, prompt) : model.prompts.write(prompt)
  const reasoning = prompt.kind === 'chat' && model.prompts.opensReasoning(pieces)
  return { tokens: encodePieces(model, pieces, maxTokens), reasoning, continues }
}

/** @throws {EngineError} `ERR_PROMPT_TOO_LONG`, `ERR_BAD_TOKEN`, `ERR_UNSUPPORTED_PROMPT` */
export function encodeInput(model: LoadedModel, input: EmbeddingInput, maxTokens: number): readonly number[] {
  const prompt =
    'tokens' in input ? ({ kind: 'tokens', ...input } as const) : ({ kind: 'text', ...input } as const)
  return encodePrompt(model, prompt, maxTokens).tokens
}

function encodePieces(model: LoadedModel, pieces: readonly Piece[], maxTokens: number): readonly number[] {
  // A text that cannot fit is refused by its length, before time goes into tokenizing it.
  const bytes = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece.text), 0)
  const least = Math.floor(bytes / model.longestToken)
  if (least > maxTokens) throw new PromptTooLong(least, maxTokens)
  return checkLength(model.vocabulary.encode(pieces), maxTokens)
}

/** @throws {EngineError} `ERR_BAD_TOKEN` */
function checkTokens(model: LoadedModel, tokens: readonly number[]): void {
  const wrong = tokens.find((token) => !isToken(model, token))
  if (wrong !== undefined) throw badToken(model, wrong)
}

/** @throws {EngineError} `ERR_BAD_TOKEN` */
export function checkSampling(model: LoadedModel, { logitBias = [] }: WireRequest['sampling']): void {
  const wrong = logitBias.find(([token]) => !isToken(model, token))
  if (wrong) throw badToken(model, wrong[0])
}

function isToken(model: LoadedModel, token: number): boolean {
  return Number.isInteger(token) && token >= 0 && token < model.vocabularySize
}

function badToken(model: LoadedModel, token: number): EngineError {
  const last = model.vocabularySize - 1
  return new EngineError('ERR_BAD_TOKEN', `token ${token} is not one of the model's: 0 to ${last}`)
}

function checkLength(tokens: readonly number[], maxTokens: number): readonly number[] {
  if (tokens.length > maxTokens) throw new PromptTooLong(tokens.length, maxTokens)
  if (tokens.length === 0) throw new EngineError('ERR_UNSUPPORTED_PROMPT', 'the prompt is empty')
  return tokens
}

/** User text only, but for the marks around a middle that is to be filled in (prefix, suffix, middle). */
function writeText(model: LoadedModel, { text, suffix }: Prompt & { kind: 'text' }): Piece[] {
  const user = (content: string): Piece => ({ text: content, trusted: false })
  const mark = (content: string): Piece => ({ text: content, trusted: true })
  if (suffix === undefined) return [user(text)]
  if (!model.infill)
    throw new EngineError('ERR_UNSUPPORTED_PROMPT', 'this model cannot fill in before a suffix')
  const { prefix, suffix: end, middle } = model.infill
  return [mark(prefix), user(text), mark(end), user(suffix), mark(middle)]
}
