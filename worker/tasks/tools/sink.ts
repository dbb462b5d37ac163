/** @module Collects the parts of an answer; blanks are held until it is clear whether they belong to one. */

import type { AnswerPart } from './types.ts'

type TextPart = Exclude<AnswerPart, { type: 'call' }>

const trailingBlanks = /[ \t\r\n]*$/
const leadingBlanks = /^[ \t\r\n]*/

export class PartSink {
  /** Blanks before a call, and around reasoning, are the format's and not the answer's. */
  readonly #holdsBlanks: boolean
  #parts: AnswerPart[] = []
  #type: 'reasoning' | 'content' = 'content'
  #blanks = ''
  #trimsLead = false
  #calls = 0
  /** Nothing of the content has been seen yet, or nothing since the reasoning. */
  atStart = true

  constructor(holdsBlanks: boolean) {
    this.#holdsBlanks = holdsBlanks
  }

  /** Hands out the parts so far. */
  take(): AnswerPart[] {
    const parts = this.#parts
    this.#parts = []
    return parts
  }

  text(text: string): void {
    const lead = this.#trimsLead ? text.replace(leadingBlanks, '') : text
    if (lead === '') return
    this.#trimsLead = false
    const all = this.#blanks + lead
    const end = this.#holdsBlanks ? all.search(trailingBlanks) : all.length
    this.#blanks = all.slice(end)
    if (end > 0) this.#show(all.slice(0, end))
  }

  /** From here on texts are of this type; blanks around the border are dropped. */
  turnTo(type: 'reasoning' | 'content'): void {
    this.#type = type
    this.#blanks = ''
    this.#trimsLead = true
    this.atStart = true
  }

  /** The blanks before this place were the format's. */
  dropBlanks(): void {
    this.#blanks = ''
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
    if (text !== '') this.#append({ type: 'arguments', index, text })
  }

  /** The answer is over: blanks that end the content are its own. */
  end(): void {
    if (this.#type === 'content' && this.#calls === 0 && this.#blanks !== '') this.#show(this.#blanks)
    this.#blanks = ''
  }

  #show(text: string): void {
    this.atStart = false
    this.#append({ type: this.#type, text })
  }

  #append(part: TextPart): void {
    const last = this.#parts.at(-1)
    const joins =
      last !== undefined && last.type !== 'call' && last.type === part.type && indexOf(last) === indexOf(part)
    if (joins) this.#parts[this.#parts.length - 1] = { ...part, text: last.text + part.text }
    else this.#parts.push(part)
  }
}

function indexOf(part: TextPart): number | undefined {
  return part.type === 'arguments' ? part.index : undefined
}
