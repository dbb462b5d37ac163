/** @module The sequences of one context: lent to one generation at a time, never disposed. */

import type { LlamaContextSequence } from 'node-llama-cpp'
import type { Batching } from './batching.ts'

export interface Slot {
  readonly index: number
  readonly sequence: LlamaContextSequence
  /** Whose tokens the sequence holds; undefined: nobody's, they are never reused. */
  cacheKey: string | undefined
  lastUsed: number
}

interface Waiter {
  readonly cacheKey: string | undefined
  readonly tokens: readonly number[]
  readonly resolve: (slot: Slot) => void
}

/** Lends out the sequences of a context, each to one generation at a time, with the cached prefix that fits best. */
export class SequencePool {
  readonly #free: Set<Slot>
  readonly #waiting: Waiter[] = []
  readonly #batching: Batching
  #clock = 0

  constructor(sequences: readonly LlamaContextSequence[], batching: Batching) {
    this.#batching = batching
    this.#free = new Set(
      sequences.map((sequence, index) => ({ index, sequence, cacheKey: undefined, lastUsed: 0 })),
    )
  }

  get waiting(): number {
    return this.#waiting.length
  }

  /** Lends a sequence, first come first served; undefined when the signal fires first. */
  async acquire(
    tokens: readonly number[],
    cacheKey: string | undefined,
    signal: AbortSignal,
  ): Promise<Slot | undefined> {
    if (signal.aborted) return undefined
    const slot = this.#take(tokens, cacheKey)
    if (slot) return slot
    return await new Promise((resolve) => {
      const waiter: Waiter = {
        cacheKey,
        tokens,
        resolve: (lent) => {
          signal.removeEventListener('abort', leave)
          resolve(lent)
        },
      }
      const leave = () => {
        const at = this.#waiting.indexOf(waiter)
        if (at >= 0) this.#waiting.splice(at, 1)
        resolve(undefined)
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Makes the sequence hold a beginning of `tokens`, never all of them; returns how many it keeps. */
  async prepare(slot: Slot, tokens: readonly number[], cacheKey: string | undefined): Promise<number> {
    const { sequence } = slot
    const reuse = cacheKey !== undefined && slot.cacheKey === cacheKey
    slot.cacheKey = undefined
    if (sequence.nextTokenIndex > 0) {
      await this.#batching.exclusive(() =>
        reuse ? sequence.adaptStateToTokens(tokens.slice(0, -1) as never, false) : sequence.clearHistory(),
      )
    }
    slot.cacheKey = cacheKey
    return sequence.nextTokenIndex
  }

  /**
   * Forgets what the sequence holds beyond these first tokens. What was read for an answer that was taken back before its
   * first token was paid for by nobody, and must not be had for the price of cached tokens.
   */
  async trim({ sequence }: Slot, tokens: readonly number[]): Promise<void> {
    if (sequence.nextTokenIndex <= tokens.length) return
    await this.#batching.exclusive(() =>
      tokens.length > 0 ? sequence.adaptStateToTokens(tokens as never, false) : sequence.clearHistory(),
    )
  }

  /** Gives a sequence back; `usable` false: what it holds is not to be trusted. */
  release(slot: Slot, usable: boolean): void {
    if (!usable) slot.cacheKey = undefined
    slot.lastUsed = ++this.#clock
    this.#free.add(slot)
    const next = this.#waiting.shift()
    if (!next) return
    const lent = this.#take(next.tokens, next.cacheKey)
    if (lent) next.resolve(lent)
  }

  /** The longest common beginning under the same key, else the sequence that nobody has used for longest. */
  #take(tokens: readonly number[], cacheKey: string | undefined): Slot | undefined {
    let best: Slot | undefined
    let bestScore: readonly [number, number] = [-1, 0]
    for (const slot of this.#free) {
      const common = cacheKey !== undefined && slot.cacheKey === cacheKey ? commonPrefix(slot, tokens) : 0
      const score = [common, -slot.lastUsed] as const
      if (best && (score[0] < bestScore[0] || (score[0] === bestScore[0] && score[1] <= bestScore[1])))
        continue
      best = slot
      bestScore = score
    }
    if (best) this.#free.delete(best)
    return best
  }
}

function commonPrefix({ sequence }: Slot, tokens: readonly number[]): number {
  return sequence.compareContextTokens(tokens as never).firstDifferentIndex
}
