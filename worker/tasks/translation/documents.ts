/** @module The answer's documents: one, or the events of a stream. */

import type {
  TranslationEventContent,
  TranslationItem,
  TranslationResponse,
  TranslationStreamEvent,
  TranslationUsage,
} from '../../protocol/translation.ts'
import { bodyOf, eventOf } from '../documents.ts'
import type { TaskContext, TaskEvent } from '../types.ts'

/** UTF-16 units of text in one event: escaped, encoded and padded it still fits a frame of the seal (256 KiB). */
const EVENT_TEXT = 16 * 1024

export class TranslationDocuments {
  readonly #head: { id: string; created: number; model: string }

  constructor({ requestId, created, model }: TaskContext) {
    this.#head = { id: `trans-${requestId}`, created, model }
  }

  /** A further piece of a text, in as many events as it needs. */
  *deltas(index: number, delta: string): Generator<TaskEvent> {
    for (const piece of pieces(delta)) yield this.#event({ type: 'translation.delta', index, delta: piece })
  }

  /** Repeats the text if one event can hold it; the deltas are the text in any case. */
  itemDone({ text, alternatives, ...item }: TranslationItem): TaskEvent {
    const fit = alternatives?.filter((one) => one.length <= EVENT_TEXT / 4)
    return this.#event({
      type: 'translation.item.done',
      ...item,
      ...(text.length <= EVENT_TEXT && { text }),
      ...(fit && { alternatives: fit }),
      done: true,
    })
  }

  done(usage: TranslationUsage): TaskEvent {
    return this.#event({ type: 'translation.done', usage })
  }

  body(data: TranslationItem[], usage: TranslationUsage): TaskEvent {
    const document: TranslationResponse = { object: 'translation', ...this.#head, data, usage }
    return bodyOf(document)
  }

  #event({ type, ...content }: TranslationEventContent): TaskEvent {
    const frame: Omit<TranslationStreamEvent, 'obfuscation'> = {
      type,
      object: 'translation.chunk',
      ...this.#head,
    }
    return eventOf({ ...frame, ...content }, true)
  }
}

/** A text in parts that fit an event, never cut inside a character. */
function* pieces(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const inside = (text.codePointAt(at + EVENT_TEXT - 1) ?? 0) > 0xffff
    const end = at + EVENT_TEXT - (inside ? 1 : 0)
    yield text.slice(at, end)
    at = end
  }
}
