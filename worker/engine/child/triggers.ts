/** @module Looks for the text from which on a grammar holds, piece by piece; not inside the model's reasoning. */

import type { ModelInfo } from '../types.ts'

export interface Trigger {
  readonly trigger: string
  /** How much of the text so far lies behind it. */
  readonly behind: number
}

export interface TriggerOptions {
  readonly triggers: readonly string[]
  readonly reasoning?: ModelInfo['reasoning']
  /** The text begins inside the reasoning. */
  readonly inside: boolean
}

/** Finds the first trigger of a streamed text. One inside the reasoning counts only if it is the mark that closes it. */
export class TriggerWatch {
  readonly #triggers: readonly string[]
  readonly #reasoning: ModelInfo['reasoning']
  /** `start`: the text may still turn out to open the reasoning. */
  #place: 'start' | 'reasoning' | 'answer'
  /** The end of the text so far, where a mark or a trigger may have begun. */
  #tail = ''

  constructor({ triggers, reasoning, inside }: TriggerOptions) {
    this.#triggers = triggers
    this.#reasoning = reasoning
    this.#place = reasoning ? (inside ? 'reasoning' : 'start') : 'answer'
  }

  push(text: string): Trigger | undefined {
    const all = this.#tail + text
    if (this.#reasoning && this.#place === 'start') return this.#start(all, this.#reasoning)
    if (this.#reasoning && this.#place === 'reasoning') return this.#think(all, this.#reasoning)
    return this.#find(all, this.#triggers)
  }

  #start(all: string, reasoning: { open: string; close: string }): Trigger | undefined {
    const begun = all.trimStart()
    if (begun.startsWith(reasoning.open)) return this.#think(begun.slice(reasoning.open.length), reasoning)
    if (!reasoning.open.startsWith(begun)) return this.#find(all, this.#triggers)
    this.#tail = all
    return undefined
  }

  #think(all: string, { close }: { close: string }): Trigger | undefined {
    this.#place = 'reasoning'
    const at = all.indexOf(close)
    if (at < 0 || this.#triggers.includes(close)) return this.#find(all, [close])
    return this.#find(all.slice(at + close.length), this.#triggers)
  }

  #find(all: string, texts: readonly string[]): Trigger | undefined {
    if (texts === this.#triggers) this.#place = 'answer'
    const [first] = texts
      .map((trigger) => ({ trigger, at: all.indexOf(trigger) }))
      .filter(({ at }) => at >= 0)
      .toSorted((a, b) => a.at - b.at)
    if (first) return { trigger: first.trigger, behind: all.length - first.at - first.trigger.length }
    const longest = Math.max(...texts.map(({ length }) => length))
    this.#tail = all.slice(Math.max(0, all.length - longest + 1))
    return undefined
  }
}
