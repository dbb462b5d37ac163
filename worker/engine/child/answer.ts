/** @module The text of one answer as its tokens come: whole characters, no stop strings, log probabilities. */

import type { EngineEvent, TokenLogprob } from '../types.ts'
import type { Chances } from './chances.ts'
import type { ActiveGrammar } from './grammar.ts'
import { type BytesOf, ShownChances } from './shown.ts'
import { type Decoded, StopFilter, type TokenDecoder } from './text.ts'

/** A text event is due after so many tokens, even an empty one: what is counted must also be told. */
const maxSilentTokens = 16

export interface Taken {
  /** A stop string ends the answer here. */
  readonly stopped: boolean
  /** What stays of the token's text where the grammar refuses its end; undefined: all of it. */
  readonly cut?: string
}

/** Turns drawn tokens into text events. */
export class Answer {
  /** Tokens drawn so far. */
  tokens = 0
  readonly #decoder: TokenDecoder
  readonly #filter: StopFilter
  readonly #grammar: ActiveGrammar | undefined
  readonly #chances: ShownChances | undefined
  readonly #send: (event: EngineEvent) => void
  #told = 0

  constructor(options: {
    readonly decoder: TokenDecoder
    readonly stop: readonly string[]
    readonly grammar: ActiveGrammar | undefined
    /** Present: log probabilities are told. */
    readonly bytesOf: BytesOf | undefined
    readonly send: (event: EngineEvent) => void
  }) {
    this.#decoder = options.decoder
    this.#filter = new StopFilter(options.stop)
    this.#grammar = options.grammar
    this.#chances = options.bytesOf && new ShownChances(options.bytesOf)
    this.#send = options.send
  }

  take(token: number, chances: Chances | undefined): Taken {
    this.tokens++
    if (chances) this.#chances?.drawn(chances)
    const decoded = this.#decoder.push(token)
    const triggered = this.#grammar?.watch(decoded.text)
    // What the grammar takes for text is shown as text.
    if (triggered) this.#decoder.special = true
    const text = decoded.text.slice(0, triggered?.keep)
    const stopped = this.#filterAndTell({ text, tokens: decoded.tokens })
    const isCut = text.length < decoded.text.length && decoded.tokens.length === 1
    return { stopped, ...(isCut && { cut: text }) }
  }

  /** The rest, held back until now, and the end event. */
  end(finishReason: 'stop' | 'length'): void {
    const last = this.#decoder.end()
    this.#chances?.decoded(last)
    const cut = this.#filter.push(last.text)
    this.#finish(cut.stopped ? 'stop' : finishReason, cut.text + (cut.stopped ? '' : this.#filter.end()))
  }

  #filterAndTell(decoded: Decoded): boolean {
    this.#chances?.decoded(decoded)
    const { text, stopped } = this.#filter.push(decoded.text)
    if (stopped) this.#finish('stop', text)
    else if (text !== '' || this.tokens - this.#told >= maxSilentTokens)
      this.#tell(text, this.#chances?.show(text))
    return stopped
  }

  #finish(finishReason: 'stop' | 'length', text: string): void {
    const logprobs = this.#chances && [...this.#chances.show(text), ...this.#chances.end()]
    if (text !== '' || logprobs?.length) this.#tell(text, logprobs)
    this.#send({ type: 'end', finishReason, completionTokens: this.tokens })
  }

  #tell(text: string, logprobs: readonly TokenLogprob[] | undefined): void {
    const tokens = this.tokens - this.#told
    this.#told = this.tokens
    this.#send({ type: 'text', text, tokens, ...(logprobs && { logprobs }) })
  }
}
