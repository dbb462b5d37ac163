/** @module The model's own distribution behind a token, however the token was drawn. */

import type { LlamaModel } from 'node-llama-cpp'
import { type LogitRow, type NativeSampler, newSampler } from './library.ts'

/** What probability 0 is told as: JSON has no infinity. */
const least = -9999

/** A token and the natural logarithm of its probability. */
export interface Chance {
  readonly id: number
  readonly logprob: number
}

export interface Chances extends Chance {
  /** The likeliest first. */
  readonly top: readonly Chance[]
}

/** Reads log probabilities before penalties, bias, temperature, cuts and grammar; one row at a time. */
export class ChanceReader {
  readonly #top: number
  /** Draws the likeliest token, whose logit every exponent is taken from; changes no logit. */
  readonly #greedy: NativeSampler
  /** Keeps the likeliest only, so that no more than these are sorted; changes no logit. */
  readonly #best: NativeSampler

  constructor(model: LlamaModel, top: number) {
    this.#top = top
    this.#greedy = newSampler(model)
    this.#greedy.applyConfig({ temperature: 0 })
    this.#best = newSampler(model)
    this.#best.applyConfig({ temperature: 1, seed: 0, topK: Math.max(1, top) })
  }

  async read(row: LogitRow, token: number): Promise<Chances> {
    const { logits, totalWeight } = await row.logits(this.#greedy, [token], 0)
    const offset = Math.max(...logits.values()) + Math.log(totalWeight)
    const logprob = (logit: number | undefined) => clamp((logit ?? -Infinity) - offset)
    const best =
      this.#top > 0 ? (await row.logits(this.#best, [], this.#top)).logits : new Map<number, number>()
    const top = [...best].slice(0, this.#top).map(([id, logit]) => ({ id, logprob: logprob(logit) }))
    return {
      id: token,
      logprob: logprob(logits.get(token)),
      top: top.toSorted((a, b) => b.logprob - a.logprob),
    }
  }

  dispose(): void {
    this.#greedy.dispose()
    this.#best.dispose()
  }
}

function clamp(logprob: number): number {
  return logprob > least ? Math.min(0, logprob) : least
}
