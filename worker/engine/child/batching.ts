/**
 * @module One decode for all streams. The library's own order leaves the last stream out of each batch, splits
 * batches by completion order, and starves single tokens during a long prompt. This strategy waits for streams
 * that are about to queue, sorts by sequence, and gives prompts only the room that single tokens leave.
 *
 * It leans on behaviour that the library does not promise (an empty choice means "ask again", priorities above
 * 5); the version is pinned and the engine's test watches the batch sizes.
 */

import type { BatchItem, CustomBatchingPrioritizationStrategy, EvaluationPriority } from 'node-llama-cpp'

/** Prompt tokens that go into one batch, all prompts together: what a long prompt may delay others by. */
export const prefillChunk = 128

/** How often an incomplete batch is looked at again; each look lets all pending promises run. */
const maxLooks = 16

/** Decides when a batch goes off and what is in it: waits a little for every active stream, shares the room fairly. */
export class Batching {
  /** Number of batches by number of sequences in them. */
  readonly sizes: number[] = []
  readonly strategy: CustomBatchingPrioritizationStrategy
  #active = 0
  #looks = 0
  #exclusives = 0
  #turn: PromiseWithResolvers<void> | undefined

  constructor() {
    this.strategy = ({ items, size }) => this.#choose(items, size)
  }

  /** A stream begins to evaluate in a row: batches wait for it. Pair with {@link leave}. */
  enter(): void {
    this.#active++
  }

  leave(): void {
    this.#active--
  }

  /** Await before each evaluation: passes at once unless an exclusive operation wants its turn. */
  turn(): Promise<void> | undefined {
    return this.#turn?.promise
  }

  /**
   * Runs an operation that needs the context's lock. The library holds that lock for as long as anything is
   * queued, that is for ever under load: so the streams pause before their next token until it is done.
   */
  async exclusive<T>(operation: () => Promise<T>): Promise<T> {
    this.#exclusives++
    this.#turn ??= Promise.withResolvers()
    try {
      return await operation()
    } finally {
      this.#exclusives--
      if (this.#exclusives === 0) {
        this.#turn.resolve()
        this.#turn = undefined
      }
    }
  }

  /** The rank of a sequence in each batch; the library's type wants 1 to 5, its code takes any number. */
  static priority(sequence: number, sequences: number): EvaluationPriority {
    return (sequences - sequence) as EvaluationPriority
  }

  #choose(items: readonly BatchItem[], size: number) {
    if (this.#exclusives === 0 && items.length < this.#active && this.#looks < maxLooks) {
      this.#looks++
      return []
    }
    this.#looks = 0
    const chosen = shareBatch(items, size)
    this.sizes[chosen.length] = (this.sizes[chosen.length] ?? 0) + 1
    return chosen
  }
}

/** Divides a batch of `size` tokens: single tokens first, then prompts in the order of arrival; sorted by sequence. */
export function shareBatch(items: readonly BatchItem[], size: number) {
  const singles = items.reduce((count, item) => count + (item.tokens.length === 1 ? 1 : 0), 0)
  let room = Math.min(Math.max(0, size - singles), prefillChunk)
  const shares = new Map<BatchItem, number>()
  for (const item of items) {
    const share = item.tokens.length === 1 ? 1 : Math.min(room, item.tokens.length)
    if (item.tokens.length > 1) room -= share
    shares.set(item, share)
  }
  let left = size
  const chosen: { item: BatchItem; processAmount: number }[] = []
  for (const item of items.toSorted((a, b) => b.evaluationPriority - a.evaluationPriority)) {
    const processAmount = Math.min(shares.get(item) ?? 0, left)
    if (processAmount < 1) continue
    left -= processAmount
    chosen.push({ item, processAmount })
  }
  return chosen
}
