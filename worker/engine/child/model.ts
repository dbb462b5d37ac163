/** @module Loads llama.cpp, the model and one context. */

import { getLlama, type Llama, type LlamaModel, type Token } from 'node-llama-cpp'
import { EngineError } from '../errors.ts'
import type { GpuChoice, LoadOptions } from '../messages.ts'
import { Batching } from './batching.ts'
import { Embedder } from './embedder.ts'
import type { GrammarHost } from './grammar.ts'
import { SequencePool } from './pool.ts'
import { PromptWriter } from './prompt.ts'
import type { BytesOf } from './shown.ts'
import type { Detokenize } from './text.ts'
import { tokenBytes } from './token-bytes.ts'
import { tokenizerOf, Vocabulary } from './vocabulary.ts'

export interface LoadedModel {
  readonly accelerator: string
  readonly contextLength: number
  readonly sequences: number
  readonly batching: Batching
  readonly pool: SequencePool
  readonly prompts: PromptWriter
  readonly vocabulary: Vocabulary
  /** The most bytes that one token stands for. */
  readonly longestToken: number
  readonly detokenize: Detokenize
  readonly bytesOf: BytesOf
  readonly vocabularySize: number
  /** Names of the tokens around a middle that is to be filled in; undefined when the model has none. */
  readonly infill: InfillMarks | undefined
  readonly grammars: GrammarHost
  readonly embedder: Embedder
  readonly llama: LlamaModel
  isEnd(token: number): boolean
}

export interface InfillMarks {
  readonly prefix: string
  readonly suffix: string
  readonly middle: string
}

const batchTokens = 512

/** Throws EngineError; the library's own words stay in here, as they may quote the file. */
export async function loadModel(options: LoadOptions): Promise<LoadedModel> {
  const llama = await startLlama(options.gpu, options.threads)
  const model = await llama
    .loadModel({ modelPath: options.modelPath, checkTensors: true, useMmap: true })
    .catch((cause: unknown) => {
      throw (
        memoryError(cause) ?? new EngineError('ERR_MODEL_INVALID', 'llama.cpp cannot load this model file')
      )
    })
  const batching = new Batching()
  const { sequences, contextLength } = options
  const context = await createContext(model, options, batching)
  const tokenizer = tokenizerOf(model)
  const vocabulary = new Vocabulary(tokenizer)
  const format = {
    style: options.promptStyle,
    beginText: model.tokens.bosString ?? '',
    endText: model.tokens.eosString ?? '',
    ...(options.template !== undefined && { template: options.template }),
  }
  return {
    accelerator: llama.gpu || 'cpu',
    contextLength,
    sequences,
    batching,
    pool: new SequencePool(
      Array.from({ length: sequences }, () => context.getSequence()),
      batching,
    ),
    prompts: new PromptWriter(format, vocabulary),
    vocabulary,
    longestToken: tokenizer.longestToken,
    detokenize: (tokens, before, special) => model.detokenize(tokens as Token[], special, before as Token[]),
    bytesOf: tokenBytes(model),
    vocabularySize: tokenizer.size,
    infill: infillMarks(model),
    grammars: {
      llama,
      model,
      tokenize: (text) => tokenizer.tokenize(text, true),
      ...(options.reasoning && { reasoning: options.reasoning }),
    },
    embedder: new Embedder(model, { contextLength, threads: options.threads }),
    llama: model,
    isEnd: (token) => model.isEogToken(token as Token),
  }
}

function infillMarks({ tokens: { infill } }: LlamaModel): InfillMarks | undefined {
  const { prefixString: prefix, suffixString: suffix, middleString: middle } = infill
  return prefix && suffix && middle ? { prefix, suffix, middle } : undefined
}

async function startLlama(gpu: GpuChoice, threads: number): Promise<Llama> {
  const choice = gpu === 'off' ? false : gpu
  try {
    return await getLlama({
      gpu: choice,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: 'error' as never,
      maxThreads: threads,
    })
  } catch {
    throw new EngineError(
      'ERR_ENGINE_START',
      gpu === 'cuda'
        ? 'CUDA was asked for and does not work here; install driver and CUDA runtime libraries, or use --gpu off'
        : `no llama.cpp binary works on ${process.platform}-${process.arch}; see the README for platforms`,
    )
  }
}

async function createContext(model: LlamaModel, options: LoadOptions, batching: Batching) {
  const { sequences, contextLength, threads } = options
  try {
    return await model.createContext({
      sequences,
      contextSize: contextLength,
      batchSize: Math.max(batchTokens, sequences),
      threads: { ideal: threads, min: threads },
      ...(options.batching === 'sorted' && {
        batching: { itemPrioritizationStrategy: batching.strategy },
      }),
    })
  } catch (cause) {
    throw (
      memoryError(cause) ??
      new EngineError(
        'ERR_ENGINE_START',
        `llama.cpp cannot hold ${sequences} sequences of ${contextLength} tokens; lower one of them`,
      )
    )
  }
}

function memoryError(cause: unknown): EngineError | undefined {
  if (!(cause instanceof Error) || cause.constructor.name !== 'InsufficientMemoryError') return undefined
  return new EngineError(
    'ERR_ENGINE_START',
    'not enough memory for this model and context; use fewer sequences, a shorter context or a smaller model',
  )
}
