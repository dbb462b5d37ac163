/** @module Collects the parts of an answer; blanks are held until it is clear whether they belong to one. */

import type { AnswerPart } from './types.ts'

export class PartSink {
  /** Blanks before a call, and around reasoning, are the format's and not the answer's. */
  readonly #holdsBlanks: boolean
  #parts: AnswerPart[] = []
  #type: 'reasoning' | 'content' = 'content'
  #blanks: { readonly at: number; readonly text: string }[] = []
  #trimsLead = false
  #calls = 0
  /** Nothing of the content has been seen yet, or nothing since the reasoning. */
  atStart = true

  constructor(holdsBlanks: boolean) {
    this.#holdsBlanks = holdsBlanks
  }

  get type(): 'reasoning' | 'content' {
    return this.#type
  }

  /** Hands out the parts so far. */
  take(): AnswerPart[] {
    const parts = this.#parts
    this.#parts = []
    return parts
  }

  /** @param at where the text stands in the whole answer. */
  text(text: string, at: number): void {
    const lead = this.#trimsLead ? text.length - text.trimStart().length : 0
    if (lead === text.length) return
    this.#trimsLead = false
    const end = this.#holdsBlanks ? text.trimEnd().length : text.length
    if (end > lead) {
      this.#showBlanks()
      this.#show(text.slice(lead, end), at + lead)
    }
    if (end < text.length)
      this.#blanks.push({ at: at + Math.max(lead, end), text: text.slice(Math.max(lead, end)) })
  }

  /** From here on texts are of this type; blanks around the border are dropped. */
  turnTo(type: 'reasoning' | 'content'): void {
    this.#type = type
    this.dropBlanks()
    this.#trimsLead = true
    this.atStart = true
  }

  /** The blanks before this place were the format's. */
  dropBlanks(): void {
    this.#blanks = []
  }

  /** @returns the index of the call. */
  call(name: string): number {
    this.dropBlanks()
    // What follows a call has nothing in front that it would have to stand apart from.
    this.#trimsLead = this.atStart
    const index = this.#calls++
    this.#parts.push({ type: 'call', index, name })
    return index
  }

  arguments(index: number, text: string): void {
    const last = this.#parts.at(-1)
    if (text === '') return
    if (last?.type === 'arguments' && last.index === index)
      this.#parts[this.#parts.length - 1] = { ...last, text: last.text + text }
    else this.#parts.push({ type: 'arguments', index, text })
  }

  /** The answer is over: blanks that end the content are its own. */
  end(): void {
    if (this.#type === 'content' && this.#calls === 0) this.#showBlanks()
    this.dropBlanks()
  }

  #showBlanks(): void {
    for (const { at, text } of this.#blanks) this.#show(text, at)
    this.dropBlanks()
  }

  #show(text: string, at: number): void {
    const last = this.#parts.at(-1)
    this.atStart = false
    if (last?.type === this.#type && last.at + last.text.length === at)
      this.#parts[this.#parts.length - 1] = { ...last, text: last.text + text }
    else this.#parts.push({ type: this.#type, at, text })
  }
}
