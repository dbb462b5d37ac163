import { contextLengthExceeded } from '../../protocol/errors.ts'
import { translationOutput } from '../../protocol/translation.ts'
import type { TaskContext } from '../types.ts'

/** A generation's part of the budget; `release` gives back what it did not use. */
export interface Grant {
  /** For the engine: takes the prompt's tokens and tells how many output tokens there are. @throws ApiError 400 */
  readonly limit: (promptTokens: number, cachedTokens: number) => number
  readonly release: (completionTokens: number) => void
}

/** Tokens by which a repeated prompt may be longer than the first: other marks, a plainer instruction. */
const REPEAT_TOKENS = 96

/** Output tokens that a piece of so many bytes will hardly need more of. */
const likely = (bytes: number): number => 16 + 2 * bytes

/**
 * Shares one request's bounds among its pieces, which run side by side. What every piece needs for its first attempt
 * is set aside; repeated attempts and further translations get what is left.
 */
export class TranslationBudget {
  readonly #context: TaskContext
  readonly #single: boolean
  /** Output tokens that first attempts which have not begun may want, and what they will hardly need more of. */
  #waiting: number
  #likely: number
  #promptTokens = 0
  #cachedTokens = 0
  /** Used, or granted to what runs. */
  #output = 0
  /** The longest prompt so far: what is assumed of those to come. */
  #longest = 0
  #firsts: number

  /** @param pieces bytes of each piece */
  constructor(context: TaskContext, pieces: readonly number[]) {
    this.#context = context
    this.#single = pieces.length === 1
    this.#firsts = pieces.length
    this.#waiting = pieces.reduce((sum, bytes) => sum + translationOutput(bytes), 0)
    this.#likely = pieces.reduce((sum, bytes) => sum + likely(bytes), 0)
  }

  /** The part of a piece's first attempt. */
  first(bytes: number): Grant {
    const wanted = translationOutput(bytes)
    let waits = true
    const begin = () => {
      this.#waiting -= waits ? wanted : 0
      this.#likely -= waits ? likely(bytes) : 0
      this.#firsts -= waits ? 1 : 0
      waits = false
    }
    const grant = this.#grant((promptTokens, cachedTokens) => {
      this.#take(promptTokens, cachedTokens)
      const share = Math.floor((this.#left() * wanted) / Math.max(1, this.#waiting))
      begin()
      return Math.min(wanted, share)
    })
    const release = (completionTokens: number) => {
      // One that the engine refused before it asked for the limit waits no longer either.
      begin()
      grant.release(completionTokens)
    }
    return { limit: grant.limit, release }
  }

  /** The part of a further attempt, when it does not take what a first attempt may need; else undefined. */
  further(bytes: number): Grant | undefined {
    const wanted = translationOutput(bytes)
    const expected = this.#longest + REPEAT_TOKENS
    const fits = () =>
      this.#promptTokens + expected * (1 + this.#firsts) <= this.#context.maxPromptTokens &&
      this.#left(expected) - this.#likely >= wanted
    if (!fits()) return undefined
    return this.#grant((promptTokens, cachedTokens) => {
      this.#take(promptTokens, cachedTokens)
      return Math.min(wanted, this.#left() - this.#likely)
    })
  }

  #grant(limit: Grant['limit']): Grant {
    let granted = 0
    return {
      limit: (promptTokens, cachedTokens) => {
        granted = Math.max(0, limit(promptTokens, cachedTokens))
        this.#output += granted
        return granted
      },
      release: (completionTokens) => {
        this.#output -= Math.max(0, granted - completionTokens)
        granted = 0
      },
    }
  }

  #take(promptTokens: number, cachedTokens: number): void {
    this.#promptTokens += promptTokens
    this.#cachedTokens += cachedTokens
    this.#longest = Math.max(this.#longest, promptTokens)
    const { maxPromptTokens } = this.#context
    if (this.#promptTokens > maxPromptTokens) {
      throw contextLengthExceeded(maxPromptTokens, this.#promptTokens, 'input')
    }
  }

  /** Output tokens that nobody has. While other prompts are still to come, the whole prompt bound is set aside. */
  #left(more = 0): number {
    const { affordable, maxOutputTokens, maxPromptTokens } = this.#context
    const paid = this.#single
      ? affordable(this.#promptTokens + more, this.#cachedTokens)
      : affordable(Math.max(maxPromptTokens, this.#promptTokens), 0)
    return Math.min(paid, maxOutputTokens) - this.#output
  }
}
