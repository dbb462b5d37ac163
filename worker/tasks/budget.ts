import type { TaskContext } from './types.ts'

/**
 * Shares one request's bounds among generations that run side by side: each gets an equal part of what is left, so
 * that all of them together stay within the output bound of all choices and the maximum charge.
 */
export class OutputBudget {
  promptTokens = 0
  #cachedTokens = 0
  #granted = 0
  #waiting: number
  readonly #context: TaskContext
  readonly #single: boolean

  /** @param prompts how many different prompts the generations have */
  constructor(context: TaskContext, generations: number, prompts = generations) {
    this.#context = context
    this.#waiting = generations
    this.#single = prompts === 1
  }

  /** Counts a prompt; returns by how many tokens the request's bound is now exceeded. */
  addPrompt(promptTokens: number, cachedTokens: number): number {
    this.promptTokens += promptTokens
    this.#cachedTokens += cachedTokens
    return Math.max(0, this.promptTokens - this.#context.maxPromptTokens)
  }

  /** Output tokens for the next generation. While other prompts are still to come, the whole prompt bound is set aside. */
  take(): number {
    const { affordable, maxOutputTokens, maxPromptTokens, n } = this.#context
    const paid = this.#single
      ? affordable(this.promptTokens, this.#cachedTokens)
      : affordable(Math.max(maxPromptTokens, this.promptTokens), 0)
    const left = Math.min(paid, maxOutputTokens * n) - this.#granted
    const part = Math.floor(left / Math.max(1, this.#waiting))
    this.#waiting--
    this.#granted += Math.max(0, part)
    return part
  }
}
