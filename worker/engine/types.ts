/** @module What an engine is to the rest of the worker. The tasks know this interface only, never llama.cpp. */

export interface ModelInfo {
  /** The name that clients send as `model`. */
  readonly id: string
  /** SHA-256 of the GGUF file's bytes, hexadecimal. */
  readonly sha256: string
  /** File type of the GGUF, for example `Q8_0`. */
  readonly quantization: string
  /** Tokens of one sequence: prompt and answer together. */
  readonly contextLength: number
  /** SHA-256 over the tokenizer part of the GGUF's metadata, hexadecimal. */
  readonly tokenizerSha256: string
  /** SHA-256 of the chat template's text, hexadecimal; of nothing when the model has none. */
  readonly templateSha256: string
  /** `chrysalis-tiny-1` for models trained here, `jinja` for a template in the file, `plain` for neither. */
  readonly promptStyle: string
  /** BCP 47 languages that the model translates between; absent when it does not say. */
  readonly languages?: readonly string[]
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

export type Prompt =
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] }
  | { readonly kind: 'translation'; readonly text: string; readonly source: string; readonly target: string }

export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number
  readonly topP: number
  /** Any safe integer; the same seed, prompt and model give the same answer on one machine and thread count. */
  readonly seed?: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
}

export interface GenerateRequest {
  readonly prompt: Prompt
  /** More prompt tokens than this throw {@link PromptTooLong} before anything is evaluated. */
  readonly maxPromptTokens: number
  /** Bound on generated tokens, the end-of-turn token not counted. */
  readonly maxTokens: number
  readonly sampling: Sampling
  /** Strings that end the answer; they are not part of it. */
  readonly stop: readonly string[]
  /** Prompt prefixes are reused between requests of the same key only; absent: never. */
  readonly cacheKey?: string
  /**
   * Called in the caller's process once the prompt is counted and before anything is evaluated; lowers
   * `maxTokens` to what it returns. What it throws, `generate` throws.
   */
  readonly limit?: (promptTokens: number, cachedTokens: number) => number
}

export type EngineEvent =
  | { readonly type: 'prompt'; readonly promptTokens: number; readonly cachedTokens: number }
  /** `tokens`: how many more tokens have been generated when this text is shown; 0 is possible. */
  | { readonly type: 'text'; readonly text: string; readonly tokens: number }
  /** `completionTokens` counts every generated token, also those of a stop string, and not the end-of-turn token. */
  | { readonly type: 'end'; readonly finishReason: 'stop' | 'length'; readonly completionTokens: number }

export interface ExitInfo {
  /** True when the owner called `close()`; false: the child crashed or was killed. */
  readonly expected: boolean
  readonly exitCode: number | null
  readonly signal: string | null
}

export interface Engine {
  readonly info: ModelInfo
  /** Number of generations that run side by side; more wait in the order of arrival. */
  readonly sequences: number
  /** What computes: `cpu`, `cuda`, `vulkan` or `metal`. */
  readonly accelerator: string
  /**
   * Runs one generation: one `prompt` event, any number of `text` events, one `end` event. An engine works
   * ahead of a slow consumer by a small window only. Leaving the loop early, or the signal, stops the model
   * within one token. Throws {@link EngineError}; `ERR_CANCELLED` once the signal has fired.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<EngineEvent>
  /** Ends the child; running generations throw `ERR_ENGINE_CLOSED`. Idempotent. */
  close(): Promise<void>
  /** Settles when the child has ended, for whatever reason; never rejects. */
  readonly closed: Promise<ExitInfo>
}
