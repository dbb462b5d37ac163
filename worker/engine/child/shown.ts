/** @module Which log probabilities belong to the text that is shown, byte for byte. */

import type { TokenChance, TokenLogprob } from '../types.ts'
import type { Chance, Chances } from './chances.ts'
import type { Decoded } from './text.ts'

/** Bytes of a token on its own. */
export type BytesOf = (token: number) => Buffer

const nothing = Buffer.alloc(0)

/**
 * The bytes of each token in a decoded text. Where the text is not simply their sum (a leading space that
 * detokenizing drops, a control token that is not shown, bytes that are no character), the last token has it all.
 */
export function divide({ text, tokens }: Decoded, bytesOf: BytesOf): Buffer[] {
  const whole = Buffer.from(text)
  const parts = tokens.map(bytesOf)
  if (Buffer.concat(parts).equals(whole)) return parts
  return parts.map((_, index) => (index === parts.length - 1 ? whole : nothing))
}

/** @param bytes of the chosen token as it is shown, which the entry of the same token among `top` shows, too */
export function describeChances(
  { id, logprob, top }: Chances,
  bytes: Buffer,
  bytesOf: BytesOf,
): TokenLogprob {
  const describe = (chance: Chance, own: Buffer): TokenChance => ({
    token: own.toString('utf8'),
    bytes: [...own],
    logprob: chance.logprob,
  })
  return {
    ...describe({ id, logprob }, bytes),
    top: top.map((chance) => describe(chance, chance.id === id ? bytes : bytesOf(chance.id))),
  }
}

/** Holds what is known of generated tokens until their text is shown; a token is told once its last byte is. */
export class ShownChances {
  readonly #bytesOf: BytesOf
  readonly #drawn: Chances[] = []
  readonly #waiting: { readonly chances: Chances; readonly bytes: Buffer }[] = []
  /** Bytes that were shown and whose token has not been told. */
  #shown = 0

  constructor(bytesOf: BytesOf) {
    this.#bytesOf = bytesOf
  }

  /** A token was drawn; its text comes with {@link decoded}. */
  drawn(chances: Chances): void {
    this.#drawn.push(chances)
  }

  /** The next drawn tokens have become text, which may be held back still. Tokens without text are forgotten. */
  decoded(decoded: Decoded): void {
    const parts = divide(decoded, this.#bytesOf)
    for (const [index, chances] of this.#drawn.splice(0, parts.length).entries()) {
      const bytes = parts[index] ?? nothing
      if (bytes.length > 0) this.#waiting.push({ chances, bytes })
    }
  }

  /** The tokens whose text is complete with this one. */
  show(text: string): TokenLogprob[] {
    this.#shown += Buffer.byteLength(text)
    const told: TokenLogprob[] = []
    for (let next = this.#waiting[0]; next && next.bytes.length <= this.#shown; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#shown -= next.bytes.length
      told.push(describeChances(next.chances, next.bytes, this.#bytesOf))
    }
    return told
  }

  /** The token that a stop string cut, with the bytes that were shown of it. */
  end(): TokenLogprob[] {
    const next = this.#waiting[0]
    if (!next || this.#shown === 0) return []
    return [describeChances(next.chances, next.bytes.subarray(0, this.#shown), this.#bytesOf)]
  }
}
