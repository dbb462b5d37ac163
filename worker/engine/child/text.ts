/** @module From tokens to text that may be shown: whole characters only, nothing of a stop string. */

/** Turns tokens into text; `before` are the tokens that precede them, `special`: control tokens are text, too. */
export type Detokenize = (tokens: readonly number[], before: readonly number[], special: boolean) => string

export interface Decoded {
  /** What has become whole, possibly nothing. */
  readonly text: string
  /** The tokens that it stands for; none while they are held back. */
  readonly tokens: readonly number[]
}

/** A character has at most four bytes, so a longer run of unfinished tokens is not going to be one. */
const maxHeldTokens = 8
const replacement = '\uFFFD'

/** Tokens that detokenizing looks back at. */
const lookBack = 4

/** Decodes one token after another; holds back what is not yet a whole character. */
export class TokenDecoder {
  /** Show control tokens as text, from the next token on. */
  special: boolean
  readonly #detokenize: Detokenize
  #before: readonly number[]
  #held: number[] = []

  /** @param before tokens that the text continues */
  constructor(detokenize: Detokenize, special = false, before: readonly number[] = []) {
    this.#detokenize = detokenize
    this.special = special
    this.#before = before.slice(-lookBack)
  }

  push(token: number): Decoded {
    this.#held.push(token)
    const text = this.#detokenize(this.#held, this.#before, this.special)
    if (text.endsWith(replacement) && this.#held.length < maxHeldTokens) return { text: '', tokens: [] }
    return this.#release(text)
  }

  /** The rest at the end of an answer; a cut character is dropped. */
  end(): Decoded {
    if (this.#held.length === 0) return { text: '', tokens: [] }
    const { text, tokens } = this.#release(this.#detokenize(this.#held, this.#before, this.special))
    return { text: text.replace(/\uFFFD+$/, ''), tokens }
  }

  #release(text: string): Decoded {
    const tokens = this.#held
    this.#before = [...this.#before, ...tokens].slice(-lookBack)
    this.#held = []
    return { text, tokens }
  }
}

export interface Cut {
  /** Text that may be shown now. */
  readonly text: string
  readonly stopped: boolean
}

/** Ends a text before the first stop string; holds back what may be the beginning of one. */
export class StopFilter {
  #stops: readonly string[]
  #pending = ''

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '')
  }

  push(text: string): Cut {
    this.#pending += text
    const at = this.#firstStop()
    if (at >= 0) {
      const shown = this.#pending.slice(0, at)
      this.#pending = ''
      return { text: shown, stopped: true }
    }
    const keep = this.#heldLength()
    const shown = this.#pending.slice(0, this.#pending.length - keep)
    this.#pending = this.#pending.slice(this.#pending.length - keep)
    return { text: shown, stopped: false }
  }

  /** What was held back, once it is clear that no stop string follows. */
  end(): string {
    const rest = this.#pending
    this.#pending = ''
    return rest
  }

  #firstStop(): number {
    const found = this.#stops.map((stop) => this.#pending.indexOf(stop)).filter((at) => at >= 0)
    return found.length === 0 ? -1 : Math.min(...found)
  }

  /** The longest end of the pending text with which a stop string begins. */
  #heldLength(): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1))
    for (let length = Math.min(longest, this.#pending.length); length > 0; length--) {
      const tail = this.#pending.slice(this.#pending.length - length)
      if (this.#stops.some((stop) => stop.startsWith(tail))) return length
    }
    return 0
  }
}
