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
  /** User-defined tokens are matched in any text by llama.cpp itself, so text must be cut inside them. */
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
    const encoder = new Encoder(this.#tokenizer, this.#userDefined)
    for (const piece of pieces) {
      if (piece.trusted) this.#encodeTrusted(encoder, piece.text)
      else encoder.text(piece.text)
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
}

/**
 * Joins neighbouring texts before they are tokenized, so that merges across them are the ones of training. Special
 * tokens of trusted texts have been taken out by then, so what still looks like a user-defined token comes, at
 * least in part, from a user: it is cut, so that it is only its letters.
 */
class Encoder {
  readonly #tokens: number[] = []
  readonly #tokenizer: Tokenizer
  readonly #userDefined: RegExp | undefined
  #text = ''

  constructor(tokenizer: Tokenizer, userDefined: RegExp | undefined) {
    this.#tokenizer = tokenizer
    this.#userDefined = userDefined
  }

  text(text: string): void {
    this.#text += text
  }

  special(id: number): void {
    this.#flush()
    this.#tokens.push(id)
  }

  end(): number[] {
    this.#flush()
    return this.#tokens
  }

  #flush(): void {
    let start = 0
    for (const end of [...cuts(this.#text, this.#userDefined), this.#text.length]) {
      if (end === start) continue
      const tokens = this.#tokenizer.tokenize(this.#text.slice(start, end), start > 0)
      for (const token of tokens) this.#tokens.push(token)
      start = end
    }
    this.#text = ''
  }
}

/** Behind the first character of every match, overlapping ones included. */
function cuts(text: string, pattern: RegExp | undefined): number[] {
  const places: number[] = []
  if (!pattern) return places
  pattern.lastIndex = 0
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const [first = ''] = match[0]
    pattern.lastIndex = match.index + first.length
    places.push(pattern.lastIndex)
  }
  return places
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
