/** @module Items of a response's output, each with the events by which it is streamed. */

import type { ChoicePart } from '../chat/answer.ts'
import { type ContentLogprob, contentLogprob } from '../logprobs.ts'

/** An event but for its sequence number. `type` stands first: the gateway frames by it. */
export interface ResponseEvent {
  readonly type: string
  readonly [member: string]: unknown
}

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

/** Where an item stands. */
export interface ItemPlace {
  /** Ends the ids of all items of a response. */
  readonly requestId: string
  readonly output_index: number
}

/** One item while it is written: opened, given parts, closed. */
export interface OutputItem {
  /** Whether a part belongs to this item. */
  takes(part: ChoicePart): boolean
  opened(): ResponseEvent[]
  add(part: ChoicePart): ResponseEvent[]
  closed(): ResponseEvent[]
  /** The item as it stands. */
  document(status: ItemStatus): object
}

/** A message, or the model's reasoning: an item with one part of text. */
export class TextItem implements OutputItem {
  readonly #kind: 'content' | 'reasoning'
  readonly #place: { readonly item_id: string; readonly output_index: number; readonly content_index: 0 }
  readonly #logprobs: ContentLogprob[] = []
  #text = ''

  constructor(kind: 'content' | 'reasoning', { requestId, output_index }: ItemPlace) {
    const prefix = kind === 'content' ? 'msg' : 'rs'
    this.#kind = kind
    this.#place = { item_id: `${prefix}_${requestId}_${output_index}`, output_index, content_index: 0 }
  }

  takes({ type }: ChoicePart): boolean {
    return type === this.#kind
  }

  opened(): ResponseEvent[] {
    return [{ type: 'response.content_part.added', ...this.#place, part: this.#part() }]
  }

  add(part: ChoicePart): ResponseEvent[] {
    if (part.type !== 'content' && part.type !== 'reasoning') return []
    this.#text += part.text
    const told = part.type === 'content' ? (part.logprobs ?? []).map(contentLogprob) : []
    this.#logprobs.push(...told)
    if (part.text === '') return []
    return [{ type: `${this.#name}.delta`, ...this.#place, delta: part.text, ...this.#chances(told) }]
  }

  closed(): ResponseEvent[] {
    return [
      { type: `${this.#name}.done`, ...this.#place, text: this.#text, ...this.#chances(this.#logprobs) },
      { type: 'response.content_part.done', ...this.#place, part: this.#part() },
    ]
  }

  document(status: ItemStatus): object {
    const id = this.#place.item_id
    // An item is shown before its first part is there.
    const content = status === 'in_progress' ? [] : [this.#part()]
    if (this.#kind === 'reasoning') return { id, type: 'reasoning', summary: [], content, status }
    return { id, type: 'message', role: 'assistant', status, content }
  }

  get #name(): string {
    return this.#kind === 'content' ? 'response.output_text' : 'response.reasoning_text'
  }

  #part(): object {
    if (this.#kind === 'reasoning') return { type: 'reasoning_text', text: this.#text }
    return { type: 'output_text', text: this.#text, annotations: [], logprobs: [...this.#logprobs] }
  }

  #chances(logprobs: readonly ContentLogprob[]): object {
    return this.#kind === 'content' ? { logprobs } : {}
  }
}

/** A call of a function or of a custom tool. */
export class CallItem implements OutputItem {
  readonly #call: ChoicePart & { type: 'call' }
  readonly #place: { readonly item_id: string; readonly output_index: number }
  #text = ''

  constructor(call: ChoicePart & { type: 'call' }, { requestId, output_index }: ItemPlace) {
    const prefix = call.custom ? 'ctc' : 'fc'
    this.#call = call
    this.#place = { item_id: `${prefix}_${requestId}_${output_index}`, output_index }
  }

  takes(part: ChoicePart): boolean {
    return part.type === 'arguments' && part.index === this.#call.index
  }

  opened(): ResponseEvent[] {
    return []
  }

  add(part: ChoicePart): ResponseEvent[] {
    if (part.type !== 'arguments' || part.text === '') return []
    this.#text += part.text
    return [{ type: `${this.#name}.delta`, ...this.#place, delta: part.text }]
  }

  closed(): ResponseEvent[] {
    return [{ type: `${this.#name}.done`, ...this.#place, ...this.#said }]
  }

  document(status: ItemStatus): object {
    const { id: call_id, name, custom } = this.#call
    const id = this.#place.item_id
    if (custom) return { id, type: 'custom_tool_call', call_id, name, ...this.#said }
    return { id, type: 'function_call', call_id, name, ...this.#said, status }
  }

  get #name(): string {
    return this.#call.custom ? 'response.custom_tool_call_input' : 'response.function_call_arguments'
  }

  get #said(): object {
    return this.#call.custom ? { input: this.#text } : { arguments: this.#text }
  }
}
