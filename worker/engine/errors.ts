import { ChrysalisError } from '../../attest/errors.ts'

/**
 * Codes of {@link EngineError}:
 * - `ERR_ENGINE_LOST`: the child process ended while work was running; start a new engine.
 * - `ERR_ENGINE_CLOSED`: the engine was closed by its owner.
 * - `ERR_ENGINE_START`: the child could not load llama.cpp, the accelerator or the context.
 * - `ERR_MODEL_UNREADABLE`, `ERR_MODEL_INVALID`, `ERR_MODEL_CHANGED`: the file, its content, its identity.
 * - `ERR_CANCELLED`: the caller's signal fired.
 * - `ERR_PROMPT_TOO_LONG`, `ERR_NO_OUTPUT_ROOM`, `ERR_UNSUPPORTED_PROMPT`: the request does not fit the model.
 * - `ERR_BAD_GRAMMAR`: the grammar is not GBNF, or too large.
 * - `ERR_BAD_TOKEN`: a token id of the prompt or the logit bias is not in the vocabulary.
 * - `ERR_GENERATION`: llama.cpp failed on this request only.
 */
export type EngineErrorCode =
  | 'ERR_ENGINE_LOST'
  | 'ERR_ENGINE_CLOSED'
  | 'ERR_ENGINE_START'
  | 'ERR_MODEL_UNREADABLE'
  | 'ERR_MODEL_INVALID'
  | 'ERR_MODEL_CHANGED'
  | 'ERR_CANCELLED'
  | 'ERR_PROMPT_TOO_LONG'
  | 'ERR_NO_OUTPUT_ROOM'
  | 'ERR_UNSUPPORTED_PROMPT'
  | 'ERR_BAD_GRAMMAR'
  | 'ERR_BAD_TOKEN'
  | 'ERR_GENERATION'

/** Anything that goes wrong in or around the engine's child process. Its message never holds prompt or answer text. */
export class EngineError extends ChrysalisError {
  declare readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** The prompt has more tokens than the request or the model's context allows. Nothing was evaluated. */
export class PromptTooLong extends EngineError {
  readonly promptTokens: number
  readonly limit: number

  constructor(promptTokens: number, limit: number) {
    super('ERR_PROMPT_TOO_LONG', `the prompt has ${promptTokens} tokens, at most ${limit} fit; shorten it`)
    this.promptTokens = promptTokens
    this.limit = limit
  }
}
