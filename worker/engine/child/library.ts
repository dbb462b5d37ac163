/**
 * @module What this engine uses of node-llama-cpp below its public interface, all in one place. The public
 * `evaluate` tells a token and nothing of the logits it was drawn from; `controlledEvaluate` tells the logits that
 * are left after penalties, bias, temperature and cuts, and takes no grammar. The model's own distribution beside a
 * token drawn in any way needs two looks at one row of logits, hence the calls here. The version is pinned exactly;
 * the engine's tests would notice a change.
 */

import type { EvaluationPriority, LlamaContextSequence, LlamaModel } from 'node-llama-cpp'

declare const brand: unique symbol
/** A native grammar state. */
export type NativeGrammar = { readonly [brand]: 'grammar' }

export interface SamplerConfig {
  readonly temperature: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly seed?: number
  readonly repeatPenalty?: number
  readonly repeatPenaltyMaxTokens?: number
  /** Tokens that count as generated before the first one that this sampler draws. */
  readonly repeatPenaltyTokens?: Uint32Array
  readonly repeatPenaltyPresencePenalty?: number
  readonly repeatPenaltyFrequencyPenalty?: number
  readonly tokenBiasKeys?: Uint32Array
  readonly tokenBiasValues?: Float32Array
  readonly grammarEvaluationState?: NativeGrammar
}

/** llama.cpp's chain of samplers. It remembers its random state and the tokens it drew. */
export interface NativeSampler {
  applyConfig(config: SamplerConfig): void
  dispose(): void
}

/** Tokens and logits, alternating. */
type Pairs = readonly number[]

type LogitFilter = readonly [
  tokens: readonly number[],
  includeMax: boolean,
  includeMin: boolean,
  includeSelected: boolean,
  includeTop: number,
]

interface NativeContext {
  sampleToken(row: number, sampler: NativeSampler): Promise<number>
  sampleToken(
    row: number,
    sampler: NativeSampler,
    probabilities: false,
    confidence: false,
    logits: LogitFilter,
    totalLogitWeight: boolean,
  ): Promise<readonly [number, undefined, undefined, Pairs | undefined, number | undefined]>
}

interface Bindings {
  readonly AddonSampler: {
    new (model: unknown): NativeSampler
    acceptGrammarEvaluationStateToken(state: NativeGrammar, token: number): void
  }
}

interface InternalModel {
  readonly _model: { getTokenString(token: number): string }
  readonly _llama: { readonly _bindings: Bindings }
}

interface InternalSequence {
  readonly _context: { readonly _ctx: NativeContext }
  readonly _tokenMeter: unknown
  readonly _takeIntervalCheckpointIfNeededAfterBatch: unknown
  _decodeTokens(
    tokens: readonly number[],
    logits: readonly boolean[],
    priority: number | undefined,
    meter: unknown,
    contextShift: { readonly size: number; readonly strategy: () => never },
    mapRow: (row: number, index: number) => unknown,
    afterBatch: unknown,
  ): Promise<unknown[]>
}

const internal = (model: LlamaModel) => model as unknown as InternalModel

export function newSampler(model: LlamaModel): NativeSampler {
  const { _model, _llama } = internal(model)
  return new _llama._bindings.AddonSampler(_model)
}

/** The native part of a public LlamaGrammarEvaluationState. */
export function nativeGrammar(state: object): NativeGrammar {
  return (state as { _state: NativeGrammar })._state
}

/** Throws when the grammar does not take the token; the state is spoilt then. Never give it an end token: it aborts. */
export function acceptToken(model: LlamaModel, state: NativeGrammar, token: number): void {
  internal(model)._llama._bindings.AddonSampler.acceptGrammarEvaluationStateToken(state, token)
}

/** A token as the vocabulary writes it: `<0x0A>`, `▁word` or byte-level BPE letters. */
export function rawTokenText(model: LlamaModel, token: number): string {
  return internal(model)._model.getTokenString(token)
}

/** The logits behind one evaluated token; valid until the promise of its reader settles. */
export class LogitRow {
  readonly #context: NativeContext
  readonly #row: number

  constructor(context: NativeContext, row: number) {
    this.#context = context
    this.#row = row
  }

  /** Draws the next token; rejects when there is none that the sampler's grammar takes. */
  async draw(sampler: NativeSampler): Promise<number> {
    const token = await this.#context.sampleToken(this.#row, sampler)
    if (token < 0) throw new Error('no token can be drawn')
    return token
  }

  /** Logits after this sampler's chain: of these tokens, of the one it draws, and of the `top` first in its order. */
  async logits(
    sampler: NativeSampler,
    tokens: readonly number[],
    top: number,
  ): Promise<{ readonly logits: ReadonlyMap<number, number>; readonly totalWeight: number }> {
    const filter: LogitFilter = [tokens, false, false, true, top]
    const answer = await this.#context.sampleToken(this.#row, sampler, false, false, filter, true)
    const pairs = answer[3] ?? []
    const logits = new Map<number, number>()
    for (let i = 1; i < pairs.length; i += 2) logits.set(pairs[i - 1] ?? 0, pairs[i] ?? 0)
    return { logits, totalWeight: answer[4] ?? 1 }
  }
}

const never = {
  size: 1,
  strategy: (): never => {
    throw new Error('the context is full')
  },
}

type Attempt<T> = { readonly value: T } | { readonly failure: unknown }

/** Evaluates tokens; nothing is drawn. */
export async function evaluate(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  priority: EvaluationPriority,
): Promise<void> {
  await decode(sequence, tokens, [], priority, async () => undefined)
}

/** Evaluates tokens and lets `read` look at the logits behind each. */
export async function evaluateAll<T>(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  priority: EvaluationPriority,
  read: (row: LogitRow, index: number) => Promise<T>,
): Promise<T[]> {
  const all = tokens.map(() => true)
  return await decode(sequence, tokens, all, priority, read)
}

/** Evaluates tokens and lets `read` look at the logits behind the last. */
export async function evaluateLast<T>(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  priority: EvaluationPriority,
  read: (row: LogitRow) => Promise<T>,
): Promise<T> {
  const last: boolean[] = []
  last[tokens.length - 1] = true
  const results = await decode(sequence, tokens, last, priority, read)
  return results[tokens.length - 1] as T // always there: its row was asked for
}

/**
 * The library never settles a batch in which a reader fails, for any of its streams: so a reader's failure passes
 * through it as a value.
 */
async function decode<T>(
  sequence: LlamaContextSequence,
  tokens: readonly number[],
  logits: readonly boolean[],
  priority: EvaluationPriority,
  read: (row: LogitRow, index: number) => Promise<T>,
): Promise<T[]> {
  const inner = sequence as unknown as InternalSequence
  const attempt = async (row: number, index: number): Promise<Attempt<T>> => {
    try {
      return { value: await read(new LogitRow(inner._context._ctx, row), index) }
    } catch (failure) {
      return { failure }
    }
  }
  const results = await inner._decodeTokens(
    tokens,
    logits,
    priority,
    inner._tokenMeter,
    never,
    attempt,
    inner._takeIntervalCheckpointIfNeededAfterBatch,
  )
  return (results as Attempt<T>[]).map((result) => {
    if ('failure' in result) throw result.failure
    return result.value
  })
}
