/** @module The output of a response: items made of an answer's parts, in their order. */

import type { ChoicePart, FinishReason } from '../chat/answer.ts'
import { CallItem, type OutputItem, type ResponseEvent, TextItem } from './items.ts'

/** Gathers the items of one answer and tells the events of each part. */
export class Output {
  readonly #requestId: string
  readonly #done: object[] = []
  #open: OutputItem | undefined
  finishReason: FinishReason = 'stop'

  constructor(requestId: string) {
    this.#requestId = requestId
  }

  /** The items that are finished. */
  get items(): readonly object[] {
    return this.#done
  }

  add(part: ChoicePart): ResponseEvent[] {
    if (part.type === 'start') return []
    if (part.type === 'end') return this.#end(part.finishReason)
    if (this.#open?.takes(part)) return this.#open.add(part)
    const closed = this.#close('completed')
    return [...closed, ...this.#begin(part)]
  }

  #begin(part: ChoicePart): ResponseEvent[] {
    const item = itemFor(part, { requestId: this.#requestId, output_index: this.#done.length })
    if (!item) return []
    this.#open = item
    const added = {
      type: 'response.output_item.added',
      output_index: this.#done.length,
      item: item.document('in_progress'),
    }
    return [added, ...item.opened(), ...item.add(part)]
  }

  /** An answer without a word is a message without a word. */
  #end(finishReason: FinishReason): ResponseEvent[] {
    this.finishReason = finishReason
    const isEmpty = !this.#open && this.#done.length === 0
    const begun = isEmpty ? this.#begin({ type: 'content', text: '' }) : []
    return [...begun, ...this.#close(finishReason === 'length' ? 'incomplete' : 'completed')]
  }

  #close(status: 'completed' | 'incomplete'): ResponseEvent[] {
    const item = this.#open
    if (!item) return []
    this.#open = undefined
    const document = item.document(status)
    const output_index = this.#done.push(document) - 1
    return [...item.closed(), { type: 'response.output_item.done', output_index, item: document }]
  }
}

function itemFor(part: ChoicePart, place: ConstructorParameters<typeof TextItem>[1]): OutputItem | undefined {
  if (part.type === 'content' || part.type === 'reasoning') return new TextItem(part.type, place)
  return part.type === 'call' ? new CallItem(part, place) : undefined
}
