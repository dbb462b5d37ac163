/** @module A text as its format sees it: words to translate, and what has to come back as it was. */

/** Words, as a reader sees them: nothing is escaped. */
export interface Words {
  readonly kind: 'words'
  readonly text: string
}

/** Comes back unchanged, wherever the translation puts it: a placeholder, an address, code, a block of markup. */
export interface Kept {
  readonly kind: 'kept'
  readonly id: number
  /** As it is written in the answer. */
  readonly raw: string
  /** Stands between paragraphs, cells and the like: no sentence goes across it. */
  readonly block?: true
  /** The words of the input that a glossary puts this in the place of. */
  readonly term?: string
}

/** One of two marks around words that are translated; the other has the same id. */
export interface Mark {
  readonly kind: 'open' | 'close'
  readonly id: number
  readonly raw: string
  /** What a model is shown when `raw` is nothing that can be seen. */
  readonly show?: string
}

export type Part = Words | Kept | Mark

/** Something that a translation has to have, exactly once. */
export type Slot = Kept | Mark

export const words = (text: string): Words => ({ kind: 'words', text })

export function isSlot(part: Part): part is Slot {
  return part.kind !== 'words'
}

/** The words alone. */
export function wordsOf(parts: readonly Part[]): string {
  return parts.map((part) => (part.kind === 'words' ? part.text : '')).join('')
}

/** How a format writes words; slots are written as they are. */
export type Encode = (text: string) => string

/** The text of the parts, as the format writes it. */
export function write(parts: readonly Part[], encode: Encode): string {
  return parts.map((part) => (part.kind === 'words' ? encode(part.text) : part.raw)).join('')
}

/** Neighbouring words as one part, nothing empty. */
export function joined(parts: readonly Part[]): Part[] {
  const result: Part[] = []
  for (const part of parts) {
    const last = result.at(-1)
    if (part.kind === 'words' && last?.kind === 'words') {
      result[result.length - 1] = words(last.text + part.text)
    } else if (part.kind !== 'words' || part.text !== '') {
      result.push(part)
    }
  }
  return result
}

/** Numbers slots, each its own and pairs alike. */
export class Ids {
  #last = 0

  next(): number {
    this.#last += 1
    return this.#last
  }
}

/** A regular expression for exactly this text. */
export const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
