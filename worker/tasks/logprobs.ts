/** @module Log probabilities in OpenAI's shape, and which of them belong to which part of an answer. */

import type { TokenChance, TokenLogprob } from '../engine/types.ts'

/** One entry of `logprobs.content`. */
export interface ContentLogprob extends TokenChance {
  readonly top_logprobs: readonly TokenChance[]
}

/** As chat completions and responses tell it. */
export function contentLogprob({ top, ...own }: TokenLogprob): ContentLogprob {
  return { ...own, top_logprobs: top }
}

/** Finds the log probabilities of parts that were cut out of a text: marks and blanks between them belong to none. */
export class LogprobTrack {
  /** Text that no part was taken from yet, and where it begins. */
  #text = ''
  #at = 0
  /** Of that text's tokens; the first may have begun before it. */
  #entries: TokenLogprob[] = []
  /** Bytes of the first entry that lie before `#text`. */
  #begun = 0
  #asked = false

  add(text: string, logprobs: readonly TokenLogprob[] | undefined): void {
    if (logprobs === undefined) return
    this.#asked = true
    this.#text += text
    this.#entries.push(...logprobs)
  }

  /**
   * The entries of a part that stands at `at` in the whole text; undefined when none were told. Parts are to be asked
   * for in their order; a token across a border belongs to the part in which it begins.
   */
  take({ at, text }: { readonly at: number; readonly text: string }): TokenLogprob[] | undefined {
    if (!this.#asked) return undefined
    this.#pass(at - this.#at)
    return this.#pass(text.length)
  }

  #pass(units: number): TokenLogprob[] {
    const passed = this.#text.slice(0, units)
    this.#text = this.#text.slice(units)
    this.#at += units
    return this.#drop(Buffer.byteLength(passed))
  }

  /** Goes on by so many bytes; the entries that begin there. */
  #drop(bytes: number): TokenLogprob[] {
    const passed: TokenLogprob[] = []
    let left = bytes
    while (left > 0) {
      const [entry] = this.#entries
      if (!entry) break
      if (this.#begun === 0) passed.push(entry)
      const rest = entry.bytes.length - this.#begun
      if (rest > left) {
        this.#begun += left
        return passed
      }
      left -= rest
      this.#begun = 0
      this.#entries.shift()
    }
    return passed
  }
}
