/** What POST /v1/translations answers: one document, or the events of a stream. */

import type { ApiErrorObject } from './errors.ts'
import type { JsonSchema } from './readers.ts'
import { type TelegramEntity, telegramEntitySchema } from './telegram.ts'

/** One text of the answer. */
export interface TranslationItem {
  index: number
  /** Always there; with `error` it is the best that there was, and may be the input itself. */
  text: string
  /** The language found, or the one that was given; `und` for a text without a letter, or whose language is not clear. */
  detected_source_language: string
  /** With the format `telegram`: what the parts of `text` are, in the order of the input's entities. */
  entities?: TelegramEntity[]
  /** Other translations that passed all checks, when the request asked for some; there may be none. */
  alternatives?: string[]
  /** With a glossary: its terms that stand in the input, and whether the translation says what it should. */
  glossary?: { source: string; target: string; applied: boolean }[]
  /** Why `text` must not be used unseen. */
  error?: ApiErrorObject
}

/** Tokens of the whole request, counted as in a chat completion. */
export interface TranslationUsage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  prompt_tokens_details: { cached_tokens: number }
  completion_tokens_details: { reasoning_tokens: number }
}

/** The response body of a request without `stream`. */
export interface TranslationResponse {
  object: 'translation'
  id: string
  created: number
  model: string
  data: TranslationItem[]
  usage: TranslationUsage
}

/** What the kinds of events of a streamed translation hold, by their `type`. */
export type TranslationEventContent =
  /** A further piece of one text. */
  | { type: 'translation.delta'; index: number; delta: string }
  /** One text is finished. `text` repeats its deltas; absent when it is longer than 16,384 UTF-16 units. */
  | ({ type: 'translation.item.done'; text?: string; done: true } & Omit<TranslationItem, 'text'>)
  /** All texts are finished; the last event. */
  | { type: 'translation.done'; usage: TranslationUsage }

/** One event of a streamed translation. */
export type TranslationStreamEvent = {
  object: 'translation.chunk'
  id: string
  created: number
  model: string
  /** Random letters that bring the event to one of few sizes. */
  obfuscation: string
} & TranslationEventContent

const count: JsonSchema = { type: 'integer', minimum: 0 }
const string: JsonSchema = { type: 'string' }

/** An object of these members; those in `optional` may be absent. */
function record(properties: Record<string, JsonSchema>, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, required, additionalProperties: false }
}

const usage = record({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  prompt_tokens_details: record({ cached_tokens: count }),
  completion_tokens_details: record({ reasoning_tokens: count }),
})

const orNull: JsonSchema = { type: ['string', 'null'] }

const itemMembers = {
  index: count,
  text: string,
  detected_source_language: string,
  entities: { type: 'array', items: telegramEntitySchema },
  alternatives: { type: 'array', items: string },
  glossary: {
    type: 'array',
    items: record({ source: string, target: string, applied: { type: 'boolean' } }),
  },
  error: record({ message: string, type: string, param: orNull, code: orNull }),
}

const optionalMembers = ['entities', 'alternatives', 'glossary', 'error']

const head = { id: string, created: count, model: string }

/** JSON Schema of {@link TranslationResponse}. */
export const translationResponseSchema: JsonSchema = record({
  object: { const: 'translation' },
  ...head,
  data: { type: 'array', items: record(itemMembers, optionalMembers) },
  usage,
})

const event = (type: string, members: Record<string, JsonSchema>, optional: readonly string[] = []) =>
  record(
    {
      type: { const: type },
      object: { const: 'translation.chunk' },
      ...head,
      ...members,
      obfuscation: string,
    },
    optional,
  )

/** JSON Schema of {@link TranslationStreamEvent}. */
export const translationEventSchema: JsonSchema = {
  anyOf: [
    event('translation.delta', { index: count, delta: string }),
    event('translation.item.done', { ...itemMembers, done: { const: true } }, ['text', ...optionalMembers]),
    event('translation.done', { usage }),
  ],
}
