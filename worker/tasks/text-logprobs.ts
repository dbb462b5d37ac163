/** @module Log probabilities as text completions tell them: four arrays of one length. */

import type { TokenChance, TokenLogprob } from '../engine/types.ts'

export interface TextLogprobs {
  readonly tokens: string[]
  /** Null for the first token of a prompt, which nothing precedes. */
  readonly token_logprobs: (number | null)[]
  /** The likeliest tokens, and the one that was taken. */
  readonly top_logprobs: (Readonly<Record<string, number>> | null)[]
  /** Characters (Unicode code points) of the choice's text before each token. */
  readonly text_offset: number[]
}

/** Counts the characters of an answer by the bytes of its tokens. */
export class TextOffsets {
  #characters = 0

  /** Where a token begins: inside a character, if it is a further part of one. */
  next(bytes: Uint8Array | readonly number[]): number {
    const [first] = bytes
    const begun = first !== undefined && isContinuation(first) && this.#characters > 0
    const offset = begun ? this.#characters - 1 : this.#characters
    for (const byte of bytes) if (!isContinuation(byte)) this.#characters++
    return offset
  }
}

/** @param first text of the token that has no chance of its own */
export function textLogprobs(
  entries: readonly (TokenLogprob | null)[],
  offsets: TextOffsets,
  first = '',
): TextLogprobs {
  return {
    tokens: entries.map((entry) => (entry ? nameOf(entry) : first)),
    token_logprobs: entries.map((entry) => entry?.logprob ?? null),
    top_logprobs: entries.map((entry) => entry && likeliest(entry)),
    text_offset: entries.map((entry) => offsets.next(entry?.bytes ?? Buffer.from(first))),
  }
}

/** Mean log probability of an answer's tokens; of none, less than any. */
export function meanLogprob(entries: readonly TokenLogprob[]): number {
  if (entries.length === 0) return Number.NEGATIVE_INFINITY
  return entries.reduce((sum, { logprob }) => sum + logprob, 0) / entries.length
}

function likeliest(entry: TokenLogprob): Record<string, number> {
  // From entries, as a token may be called `__proto__`.
  return Object.fromEntries([...entry.top, entry].map((chance) => [nameOf(chance), chance.logprob]))
}

/** A token's text; of a part of a character its bytes, as OpenAI writes them. */
function nameOf({ token, bytes }: TokenChance): string {
  if (!token.includes('\ufffd')) return token
  return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}
