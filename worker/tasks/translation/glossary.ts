/** @module Terms that a translation has to use. */

import type { GlossaryTerm } from '../../protocol/translation.ts'
import { type Ids, joined, literal, type Part, words } from './rich.ts'

/** Scripts that put no space between words, so that a term may begin and end anywhere. */
const UNSPACED = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`

/** A request's glossary, made for looking up. */
export class Glossary {
  readonly #terms: ReadonlyMap<string, GlossaryTerm>
  readonly #pattern: RegExp | undefined

  constructor(terms: readonly GlossaryTerm[]) {
    this.#terms = new Map(terms.map((term) => [term.source.toLowerCase(), term]))
    const sources = [...this.#terms.keys()].toSorted((a, b) => b.length - a.length)
    if (sources.length === 0) return
    this.#pattern = new RegExp(sources.map(whole).join('|'), 'giu')
  }

  /** The terms that stand in the words, each once. */
  in(parts: readonly Part[]): GlossaryTerm[] {
    const found = parts.flatMap((part) => (part.kind === 'words' ? this.#matches(part.text) : []))
    return [...new Set(found.map(({ term }) => term))]
  }

  /** The parts with each term as a slot that says its translation: what a model copies it cannot get wrong. */
  fix(parts: readonly Part[], ids: Ids): Part[] {
    const fixed = parts.flatMap((part) => {
      if (part.kind !== 'words') return [part]
      const pieces: Part[] = []
      let at = 0
      for (const { term, start, end } of this.#matches(part.text)) {
        pieces.push(words(part.text.slice(at, start)))
        pieces.push({ kind: 'kept', id: ids.next(), raw: term.target, term: part.text.slice(start, end) })
        at = end
      }
      return [...pieces, words(part.text.slice(at))]
    })
    return joined(fixed)
  }

  #matches(text: string): { term: GlossaryTerm; start: number; end: number }[] {
    if (!this.#pattern) return []
    return [...text.matchAll(this.#pattern)].flatMap(({ 0: match, index }) => {
      const term = this.#terms.get(match.toLowerCase())
      return term ? [{ term, start: index, end: index + match.length }] : []
    })
  }
}

/** The terms whose translation a text does not say. */
export function missing(terms: readonly GlossaryTerm[], text: string): GlossaryTerm[] {
  const said = text.toLowerCase()
  return terms.filter(({ target }) => !said.includes(target.toLowerCase()))
}

/** A pattern for whole words. */
function whole(source: string): string {
  const edge = `[\\p{L}\\p{N}]`
  const spaced = (character: string) =>
    /[\p{L}\p{N}]/u.test(character) && !new RegExp(`[${UNSPACED}]`, 'u').test(character)
  const characters = [...source]
  const before = spaced(characters[0] ?? '') ? `(?<!${edge})` : ''
  const after = spaced(characters.at(-1) ?? '') ? `(?!${edge})` : ''
  return before + literal(source) + after
}
