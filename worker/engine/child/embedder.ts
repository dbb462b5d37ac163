/** @module Embeddings: one context of its own, made when the first is asked for, one input after the other. */

import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp'
import { EngineError, PromptTooLong } from '../errors.ts'

/** Tokens that go into one batch where the input may be cut into several. */
const chunk = 512

export interface EmbedderOptions {
  readonly contextLength: number
  readonly threads: number
}

export interface RawEmbedding {
  /** Of length 1. */
  readonly vector: Float32Array
  readonly tokens: number
}

/** Computes the embeddings of one model. */
export class Embedder {
  readonly #model: LlamaModel
  readonly #options: EmbedderOptions
  #context: Promise<LlamaEmbeddingContext> | undefined
  /** Settles when all that came before have been computed. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(model: LlamaModel, options: EmbedderOptions) {
    this.#model = model
    this.#options = options
  }

  /**
   * @param signal takes effect until the computing begins; one input is not interrupted
   * @returns undefined when it was cancelled
   * @throws {PromptTooLong} and {EngineError} `ERR_GENERATION`
   */
  async embed(
    tokens: readonly number[],
    maxTokens: number,
    signal: AbortSignal,
  ): Promise<RawEmbedding | undefined> {
    const length = await this.count(tokens, maxTokens)
    const context = await this.#open()
    const turn = this.#last.then(async () => {
      if (signal.aborted) return undefined
      const { vector } = await context.getEmbeddingFor([...tokens] as Token[])
      return { vector: normalize(vector), tokens: length }
    })
    this.#last = turn.catch(() => {})
    return await turn
  }

  /**
   * Tokens of an input with the begin and end token that the library may put around.
   * @throws {PromptTooLong} and {EngineError} `ERR_GENERATION`
   */
  async count(tokens: readonly number[], maxTokens: number): Promise<number> {
    const context = await this.#open()
    const length = context.calculateInputLength([...tokens] as Token[])
    const limit = Math.min(maxTokens, this.#options.contextLength - 1)
    if (length > limit) throw new PromptTooLong(length, limit)
    return length
  }

  #open(): Promise<LlamaEmbeddingContext> {
    this.#context ??= this.#create().catch((cause: unknown) => {
      // The next request may find more memory.
      this.#context = undefined
      throw new EngineError('ERR_GENERATION', 'there is no memory for embeddings beside this model', {
        cause,
      })
    })
    return this.#context
  }

  #create(): Promise<LlamaEmbeddingContext> {
    const { contextLength, threads } = this.#options
    // A pooled embedding is made of all tokens of one batch; another is the last token's.
    const batchSize = isPooled(this.#model) ? contextLength : Math.min(chunk, contextLength)
    return this.#model.createEmbeddingContext({ contextSize: contextLength, batchSize, threads })
  }
}

function isPooled({ fileInfo }: LlamaModel): boolean {
  const { architectureMetadata } = fileInfo
  return Boolean(architectureMetadata.pooling_type) || architectureMetadata.attention?.causal === false
}

function normalize(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  if (!(length > 0) || !Number.isFinite(length))
    throw new EngineError('ERR_GENERATION', 'the model has no embedding for this input')
  return Float32Array.from(vector, (value) => value / length)
}
