/**
 * @module Stand-ins for text that nobody vouches for. A chat template is rendered with them in the place of contents,
 * names and schemas, so it never sees user text; afterwards they are replaced, as untrusted pieces. So user text is
 * neither template nor a special token.
 */

import { randomBytes } from 'node:crypto'
import type { Piece } from './vocabulary.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What a template may compare with or look up; a word of this list is the same whoever wrote it. */
const schemaWords: ReadonlySet<string> = new Set(
  (
    'type function name description parameters strict object string number integer boolean array null properties ' +
    'required items prefixItems enum const default title examples format pattern anyOf oneOf allOf not $ref $defs ' +
    'definitions $schema additionalProperties nullable minimum maximum exclusiveMinimum exclusiveMaximum ' +
    'multipleOf minLength maxLength minItems maxItems uniqueItems return'
  ).split(' '),
)

const blanks: ReadonlySet<string> = new Set(' \t\r\n')

/** A template walks what it is given, slowly and on the thread that serves everybody. */
const limits = { depth: 64, values: 32_768 }

export class Marks {
  readonly #nonce = randomBytes(12).toString('hex')
  readonly #texts: string[] = []
  readonly #words = new Map<string, string>()
  /** Marks that a rendering has to hold, else something was left out. */
  readonly #needed = new Set<number>()
  /** Marks that must not stand inside a JSON string. */
  readonly #plain = new Set<number>()
  #values = 0

  /**
   * A mark for this text, another one for each call. Blanks at its ends stay as they are, and so does the empty text:
   * they can mean nothing, and templates trim them, or ask for them.
   * `plain`: a rendering that writes it as a JSON string is wrong.
   */
  content(text: string, options?: { readonly plain?: boolean }): string {
    let start = 0
    let end = text.length
    while (start < end && blanks.has(text.charAt(start))) start++
    while (end > start && blanks.has(text.charAt(end - 1))) end--
    if (start === end) return text
    this.#needed.add(this.#texts.length)
    if (options?.plain) this.#plain.add(this.#texts.length)
    return text.slice(0, start) + this.#add(text.slice(start, end)) + text.slice(end)
  }

  /** The same mark for the same text, so that a template may look a name up among others. */
  word(text: string): string {
    if (text === '') return ''
    const mark = this.#words.get(text) ?? this.#add(text)
    this.#words.set(text, mark)
    return mark
  }

  /**
   * Marks for all texts of a JSON Schema, keys included, but its own vocabulary.
   * @throws RangeError for what is too large or too deep for a template
   */
  schema(value: Json): Json {
    return this.#map(value, (text) => (schemaWords.has(text) ? text : this.word(text)))
  }

  /** Marks for all texts of a value, keys included. Throws as {@link schema}. */
  value(value: Json): Json {
    return this.#map(value, (text) => this.content(text))
  }

  /**
   * A rendering as pieces. A quote inside the marks tells how often each was encoded as JSON, and its text is encoded
   * as often.
   * @returns undefined when it lacks a mark that it has to hold
   */
  pieces(rendered: string): Piece[] | undefined {
    const missing = new Set(this.#needed)
    const pieces: Piece[] = []
    const parts = rendered.split(new RegExp(`m${this.#nonce}i([0-9]+)(\\\\*)"m`))
    for (let at = 0; at < parts.length; at += 3) {
      const [template = '', index, slashes] = parts.slice(at, at + 3)
      pieces.push({ text: template, trusted: true })
      if (index === undefined || slashes === undefined) continue
      missing.delete(Number(index))
      if (slashes !== '' && this.#plain.has(Number(index))) return undefined
      pieces.push({ text: encode(this.#texts[Number(index)] ?? '', slashes.length), trusted: false })
    }
    return missing.size === 0 ? pieces : undefined
  }

  #map(value: Json, change: (text: string) => string, depth = 0): Json {
    if (++this.#values > limits.values || depth > limits.depth)
      throw new RangeError('too much for a template')
    if (typeof value === 'string') return change(value)
    if (value === null || typeof value !== 'object') return value
    if (isList(value)) return value.map((item) => this.#map(item, change, depth + 1))
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [change(key), this.#map(item, change, depth + 1)]),
    )
  }

  #add(text: string): string {
    return `m${this.#nonce}i${this.#texts.push(text) - 1}"m`
  }
}

/** Each encoding doubles the slashes before a quote and adds one: 0, 1, 3, 7. */
function encode(text: string, slashes: number): string {
  let encoded = text
  for (let left = slashes; left > 0; left = (left - 1) / 2) encoded = JSON.stringify(encoded).slice(1, -1)
  return encoded
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
