/** POST /v1/translations: what a worker accepts and returns. */

import { z } from 'zod'
import { invalidRequest } from './errors.ts'
import { arrayOf, invalidType, optional, type Parser, parseFields, required } from './fields.ts'
import { modelIdSchema } from './ids.ts'

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

const parseInput: Parser<string[]> = (value, path) => {
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) throw invalidType(path, 'one of a string or array of strings', value)
  return arrayOf(z.string(), 1, MAX_TRANSLATION_INPUTS)(value, path)
}

const languageText = z.string().min(2).max(64)

const parseLanguage: Parser<string> = (value, path) => {
  const parsed = languageText.safeParse(value)
  if (typeof value !== 'string') throw invalidType(path, 'a string', value)
  try {
    const tag = parsed.success ? Intl.getCanonicalLocales(parsed.data)[0] : undefined
    if (tag !== undefined) return tag
  } catch {
    // Not a language tag: refused below.
  }
  throw invalidRequest(
    path,
    `Invalid '${path}': expected a BCP 47 language tag such as 'de' or 'pt-BR'.`,
    'invalid_value',
  )
}

const parseSource: Parser<string> = (value, path) => (value === 'auto' ? 'auto' : parseLanguage(value, path))

export const translationFields = {
  model: required(modelIdSchema),
  input: required(parseInput),
  target_language: required(parseLanguage),
  source_language: optional(parseSource),
  stream: optional(z.boolean()),
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
    sourceLanguage: fields.source_language ?? 'auto',
    stream: fields.stream ?? false,
  }
}
