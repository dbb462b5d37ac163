/**
 * @module Text to tokens with a wall between the template and the user: tokens with a meaning (turn markers,
 * begin, end) come from trusted text only, whatever the user writes.
 */

import type { LlamaModel, Token } from 'node-llama-cpp'

/** A part of a prompt. Only trusted parts may hold special tokens. */
export interface Piece {
  readonly text: string
  readonly trusted: boolean
}

export interface SpecialToken {
  readonly id: number
  readonly text: string
  /** User-defined tokens are matched in any text by llama.cpp itself, so user text must be cut inside them. */
  readonly userDefined: boolean
  readonly strip: { readonly left: boolean; readonly right: boolean }
}

/** The part of a model that the vocabulary needs. */
export interface Tokenizer {
  readonly specials: readonly SpecialToken[]
  /** Tokenizes plain text; `continues`: it follows text, so the vocabulary's prefix space is left out. */
  tokenize(text: string, continues: boolean): readonly number[]
  readonly beginToken?: number
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function alternation(texts: readonly string[]): RegExp | undefined {
  if (texts.length === 0) return undefined
  const longestFirst = texts.toSorted((a, b) => b.length - a.length)
  return new RegExp(`(${longestFirst.map(escapeRegExp).join('|')})`, 'g')
}

/** Turns text into tokens; a special token comes from the template only, never from a user's text. */
export class Vocabulary {
  readonly #tokenizer: Tokenizer
  readonly #byText: ReadonlyMap<string, SpecialToken>
  readonly #special: RegExp | undefined
  readonly #userDefined: RegExp | undefined

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
    const specials = tokenizer.specials.filter((special) => special.text !== '')
    this.#byText = new Map(specials.map((special) => [special.text, special]))
    this.#special = alternation(specials.map((special) => special.text))
    const guarded = specials.filter((special) => special.userDefined && special.text.trim().length > 1)
    this.#userDefined = alternation(guarded.map((special) => special.text))
  }

  hasSpecial(text: string): boolean {
    return this.#byText.has(text)
  }

  /** Encodes a prompt; puts the begin token in front when the model wants one and the template did not. */
  encode(pieces: readonly Piece[]): number[] {
    const encoder = new Encoder(this.#tokenizer)
    for (const piece of pieces) {
      if (piece.trusted) this.#encodeTrusted(encoder, piece.text)
      else this.#encodeUntrusted(encoder, piece.text)
    }
    const tokens = encoder.end()
    const begin = this.#tokenizer.beginToken
    return begin === undefined || tokens[0] === begin ? tokens : [begin, ...tokens]
  }

  #encodeTrusted(encoder: Encoder, text: string): void {
    const parts = this.#special ? text.split(this.#special) : [text]
    for (const [index, part] of parts.entries()) {
      const special = index % 2 === 1 ? this.#byText.get(part) : undefined
      if (special) {
        encoder.special(special.id)
        continue
      }
      const before = this.#byText.get(parts[index - 1] ?? '')
      const after = this.#byText.get(parts[index + 1] ?? '')
      const stripped = before?.strip.right ? part.trimStart() : part
      encoder.text(after?.strip.left ? stripped.trimEnd() : stripped)
    }
  }

  /** Cuts the text inside everything that looks like a user-defined token, so that it is only its letters. */
  #encodeUntrusted(encoder: Encoder, text: string): void {
    const parts = this.#userDefined ? text.split(this.#userDefined) : [text]
    for (const [index, part] of parts.entries()) {
      const [first = ''] = part
      const isToken = index % 2 === 1
      encoder.text(isToken ? first : part)
      if (!isToken) continue
      encoder.cut()
      encoder.text(part.slice(first.length))
    }
  }
}

/** Joins neighbouring texts before they are tokenized, so that merges across them are the ones of training. */
class Encoder {
  readonly #tokens: number[] = []
  readonly #tokenizer: Tokenizer
  #text = ''
  #continues = false

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer
  }

  text(text: string): void {
    this.#text += text
  }

  special(id: number): void {
    this.#flush()
    this.#tokens.push(id)
    this.#continues = false
  }

  cut(): void {
    this.#flush()
    this.#continues = true
  }

  end(): number[] {
    this.#flush()
    return this.#tokens
  }

  #flush(): void {
    if (this.#text === '') return
    for (const token of this.#tokenizer.tokenize(this.#text, this.#continues)) this.#tokens.push(token)
    this.#text = ''
  }
}

/** Reads the special tokens of a loaded model. */
export function tokenizerOf(
  model: LlamaModel,
): Tokenizer & { readonly longestToken: number; readonly size: number } {
  const specials: SpecialToken[] = []
  let size = 0
  let longestToken = 1
  for (const token of model.iterateAllTokens()) {
    size++
    const attributes = model.getTokenAttributes(token)
    const isSpecial =
      attributes.control || attributes.userDefined || attributes.unknown || model.isEogToken(token)
    const text = model.detokenize([token], true)
    longestToken = Math.max(longestToken, Buffer.byteLength(text) + 1)
    if (!isSpecial) continue
    const strip = { left: attributes.lstrip, right: attributes.rstrip }
    specials.push({ id: token, text, userDefined: attributes.userDefined, strip })
  }
  const begin = model.tokens.shouldPrependBosToken ? model.tokens.bos : null
  return {
    specials,
    longestToken,
    size,
    tokenize: (text, continues) => model.tokenize(text, false, continues ? 'trimLeadingSpace' : undefined),
    ...(begin !== null && { beginToken: begin as Token & number }),
  }
}
