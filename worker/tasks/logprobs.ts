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
  /** Text that no part has been found in yet. */
  #text = ''
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

  /** The entries of the next part; undefined when there are none for any. Parts are to be asked for in their order. */
  take(part: string): TokenLogprob[] | undefined {
    if (!this.#asked) return undefined
    const at = this.#text.indexOf(part)
    if (at < 0) return []
    this.#drop(Buffer.byteLength(this.#text.slice(0, at)))
    this.#text = this.#text.slice(at + part.length)
    return this.#drop(Buffer.byteLength(part))
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
