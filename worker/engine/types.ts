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
  /** How the model writes tool calls, told by its template; absent: it was taught none. */
  readonly toolFormat?: ToolFormatName
  /** Marks around the model's reasoning; absent: it does not think aloud. */
  readonly reasoning?: { readonly open: string; readonly close: string }
  /** The model has tokens to fill in a middle: a `text` prompt may have a `suffix`. */
  readonly infill?: boolean
  /** Length of an embedding vector. */
  readonly embeddingLength: number
  /** Token ids are 0 to one less than this. */
  readonly vocabularySize: number
  /** Lower-case slug of the model's family as its file tells it; chooses the style of translation prompts. */
  readonly family?: string
}

/** A way of writing tool calls in text; `worker/tasks/tools` knows what each looks like. */
export type ToolFormatName =
  | 'generic'
  | 'hermes'
  | 'hermes-tags'
  | 'glm'
  | 'minimax'
  | 'llama3'
  | 'mistral'
  | 'mistral-args'
  | 'granite'
  | 'phi'
  | 'nemotron'
  | 'command'
  | 'functionary'
  | 'deepseek'
  | 'deepseek-bare'
  | 'kimi'
  | 'gemma'
  | 'harmony'

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON text of an object. */
  readonly arguments: string
}

export type ChatMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls?: readonly ToolCall[] }
  | {
      readonly role: 'tool'
      readonly content: string
      /** The id of the call that this answers. */
      readonly toolCallId: string
      readonly name?: string
    }

export interface ToolDefinition {
  readonly name: string
  readonly description?: string
  /** JSON Schema of the arguments. */
  readonly parameters?: Record<string, unknown>
}

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' | 'max'

export type Prompt =
  | {
      readonly kind: 'chat'
      readonly messages: readonly ChatMessage[]
      readonly tools?: readonly ToolDefinition[]
      readonly reasoningEffort?: ReasoningEffort
    }
  /** To be continued as it is, without a template; with `suffix`: to be filled in between (`info.infill`). */
  | { readonly kind: 'text'; readonly text: string; readonly suffix?: string }
  /** Evaluated as they are; nothing is put in front. */
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] }
  | { readonly kind: 'translation'; readonly text: string; readonly source: string; readonly target: string }

export interface Sampling {
  /** 0 is greedy. */
  readonly temperature: number
  readonly topP: number
  /** 0 or absent: all tokens. */
  readonly topK?: number
  /** Least probability of a token, as a part of the likeliest one's; 0 or absent: no bound. */
  readonly minP?: number
  /** Divides the logits (multiplies negative ones) of tokens already generated; 1 or absent: none. */
  readonly repeatPenalty?: number
  /** Added to the logits: -100 to 100; -100 bans the token. */
  readonly logitBias?: readonly (readonly [token: number, bias: number])[]
  /** Any safe integer; the same seed, prompt and model give the same answer on one machine and thread count. */
  readonly seed?: number
  readonly presencePenalty: number
  readonly frequencyPenalty: number
}

export interface Grammar {
  /** GBNF with a rule `root`. At most {@link maxGrammarLength} characters. */
  readonly gbnf: string
  /** The grammar holds from the first of these texts on, the text itself included; absent: from the first token. */
  readonly triggers?: readonly string[]
  /** Held instead of the above when the prompt's end opened a reasoning block. */
  readonly insideReasoning?: { readonly gbnf: string; readonly triggers?: readonly string[] }
}

/** What is checked and parsed of a grammar in some tens of milliseconds; all generations wait meanwhile. */
export const maxGrammarLength = 256 * 1024

export interface GenerateRequest {
  readonly prompt: Prompt
  /** More prompt tokens than this throw {@link PromptTooLong} before anything is evaluated. */
  readonly maxPromptTokens: number
  /** Bound on generated tokens, the end-of-turn token not counted; 0: only the prompt is read. */
  readonly maxTokens: number
  readonly sampling: Sampling
  /** Strings that end the answer; they are not part of it. */
  readonly stop: readonly string[]
  /** Prompt prefixes are reused between requests of the same key only; absent: never. */
  readonly cacheKey?: string
  readonly grammar?: Grammar
  /**
   * Log probabilities of each shown token and of so many likeliest ones (0 to {@link maxTopLogprobs}); absent: none.
   * They are the model's own, before penalties, bias, temperature, cuts and grammar.
   */
  readonly logprobs?: number
  /** Tell the prompt back in one `echo` event, with log probabilities when those are asked for. */
  readonly echo?: boolean
  /** Show control tokens as text: some models write tool calls and reasoning with them. */
  readonly specialText?: boolean
  /**
   * Called in the caller's process once the prompt is counted and before anything is evaluated; lowers
   * `maxTokens` to what it returns. What it throws, `generate` throws.
   */
  readonly limit?: (promptTokens: number, cachedTokens: number) => number
}

/** The most alternatives that a request may ask the log probabilities of. */
export const maxTopLogprobs = 20

export interface TokenChance {
  /** The token's text alone; U+FFFD where it is a part of a character. */
  readonly token: string
  /** The `bytes` of an answer's tokens, joined, are the bytes of its text. */
  readonly bytes: readonly number[]
  /** Natural logarithm: at most 0, finite, at least -9999. */
  readonly logprob: number
}

export interface TokenLogprob extends TokenChance {
  /** The likeliest tokens, the likeliest first. */
  readonly top: readonly TokenChance[]
}

export type EngineEvent =
  | {
      readonly type: 'prompt'
      readonly promptTokens: number
      readonly cachedTokens: number
      /** The end of the prompt opened a reasoning block: the answer begins inside of it. */
      readonly reasoning?: boolean
    }
  | {
      readonly type: 'echo'
      readonly text: string
      /** One for each prompt token; null for the first, which nothing precedes. Its text is `first`. */
      readonly logprobs?: readonly (TokenLogprob | null)[]
      readonly first?: string
    }
  /**
   * `tokens`: how many more tokens have been generated when this text is shown; 0 is possible. `logprobs`: of the
   * tokens whose text is shown here.
   */
  | {
      readonly type: 'text'
      readonly text: string
      readonly tokens: number
      readonly logprobs?: readonly TokenLogprob[]
    }
  /** `completionTokens` counts every generated token, also those of a stop string, and not the end-of-turn token. */
  | { readonly type: 'end'; readonly finishReason: 'stop' | 'length'; readonly completionTokens: number }

export type EmbeddingInput = { readonly text: string } | { readonly tokens: readonly number[] }

export interface Embedding {
  readonly vector: Float32Array
  /** Tokens of the input. */
  readonly tokens: number
}

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
   * Runs one generation: one `prompt` event, an `echo` event if asked for, any number of `text` events, one `end`
   * event. An engine works ahead of a slow consumer by a small window only. Leaving the loop early, or the signal, stops the model
   * within one token. Throws {@link EngineError}; `ERR_CANCELLED` once the signal has fired.
   */
  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<EngineEvent>
  /**
   * Tokens of a prompt by the model's own template and tokenizer; nothing is evaluated. Throws as `generate` does.
   * @throws {PromptTooLong} above the context length
   */
  count(prompt: Prompt, signal: AbortSignal): Promise<number>
  /**
   * Tokens that `embed` would read of an input, those that it puts around included; nothing is computed.
   * @throws as `embed` does with the context length
   */
  countInput(input: EmbeddingInput, signal: AbortSignal): Promise<number>
  /**
   * One vector, of length 1. Waits its turn beside generations.
   * @throws {PromptTooLong} above `maxTokens`; otherwise as `generate` does
   */
  embed(input: EmbeddingInput, maxTokens: number, signal: AbortSignal): Promise<Embedding>
  /** Ends the child; running generations throw `ERR_ENGINE_CLOSED`. Idempotent. */
  close(): Promise<void>
  /** Settles when the child has ended, for whatever reason; never rejects. */
  readonly closed: Promise<ExitInfo>
}
