/** POST /v1/translations: what a worker accepts and returns. */

import { invalidRequest } from './errors.ts'
import { defaulted, parseFields, required } from './fields.ts'
import { modelId } from './ids.ts'
import { arrayOf, boolean, mapped, type Reader, text, textOr } from './readers.ts'

/** The most texts that one request may hold. */
export const MAX_TRANSLATION_INPUTS = 128

/** A translation request, read and filled with its defaults. */
export interface TranslationRequest {
  model: string
  /** One to 128 texts; an empty text is answered by an empty text. */
  input: string[]
  /** Canonical BCP 47 tag. */
  targetLanguage: string
  /** Canonical BCP 47 tag, or `auto`. */
  sourceLanguage: string
  stream: boolean
}

/** One text of the answer. */
export interface TranslationItem {
  index: number
  text: string
  /** The language found, or the one that was given; `und` for a text without a letter. */
  detected_source_language: string
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
  | {
      type: 'translation.item.done'
      index: number
      text?: string
      detected_source_language: string
      done: true
    }
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

const input: Reader<string[]> = mapped(
  textOr(text(), arrayOf(text(), 1, MAX_TRANSLATION_INPUTS), 'one of a string or array of strings'),
  (value) => (typeof value === 'string' ? [value] : value),
)

const language: Reader<string> = mapped(text(), (tag, path) => {
  try {
    const canonical = tag.length >= 2 && tag.length <= 64 ? Intl.getCanonicalLocales(tag)[0] : undefined
    if (canonical !== undefined) return canonical
  } catch {
    // Not a language tag: refused below.
  }
  throw invalidRequest(
    path,
    `Invalid '${path}': expected a BCP 47 language tag such as 'de' or 'pt-BR'.`,
    'invalid_value',
  )
})

const source: Reader<string> = {
  schema: language.schema,
  read: (value, path) => (value === 'auto' ? 'auto' : language.read(value, path)),
}

export const translationFields = {
  model: required(modelId, 'A name or alias of `GET /v1/models`.'),
  input: required(input, 'A text, or up to 128 texts; an empty text is answered by an empty text.'),
  target_language: required(language, 'BCP 47 tag of the language to translate into.'),
  source_language: defaulted(source, 'auto', 'BCP 47 tag of the language of the input, or `auto`.'),
  stream: defaulted(boolean, false, 'Server-sent events, a piece of one text each, then `data: [DONE]`.'),
}

/**
 * Reads a translation request.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseTranslationRequest(json: unknown): TranslationRequest {
  const fields = parseFields(translationFields, json)
  return {
    model: fields.model,
    input: fields.input,
    targetLanguage: fields.target_language,
    sourceLanguage: fields.source_language,
    stream: fields.stream,
  }
}
