/** POST /v1/translations: what a worker accepts. What it answers is in `translation-answer.ts`. */

import { invalidRequest } from './errors.ts'
import { defaulted, object, optional, parseFields, required } from './fields.ts'
import { modelField } from './model-field.ts'
import { arrayOf, boolean, choice, integer, isObject, mapped, type Reader, text, textOr } from './readers.ts'
import { type TelegramEntity, telegramMessage } from './telegram.ts'

export * from './translation-answer.ts'

/** The most texts that one request may hold. */
export const MAX_TRANSLATION_INPUTS = 128

/** A text of more bytes than this is translated in pieces, side by side. */
export const PIECE_BYTES = 1536

/** The most pieces of a text of so many bytes (a model that knows single sentences only gets smaller ones, and no instruction). */
export const translationPieces = (bytes: number): number => 1 + Math.floor((2 * bytes) / PIECE_BYTES)

/** Output tokens that the translation of so many bytes may take: no language needs more, but a model that rambles does. */
export const translationOutput = (bytes: number): number => 64 + 4 * bytes

/** How the texts are written; what is markup there comes back as it was. */
export type TranslationFormat = 'text' | 'markdown' | 'html' | 'telegram'

/** `prefer_…`: as far as the model can; `more` and `less` are refused where it cannot. */
export type Formality = 'default' | 'more' | 'less' | 'prefer_more' | 'prefer_less'

/** One text; `entities` only in the format `telegram`. */
export interface TranslationInput {
  text: string
  entities?: TelegramEntity[]
}

/** Wherever `source` stands as whole words, the translation says `target`. */
export interface GlossaryTerm {
  source: string
  target: string
}

/** A translation request, read and filled with its defaults. */
export interface TranslationRequest {
  model: string
  /** One to 128 texts; an empty text is answered by an empty text. */
  input: TranslationInput[]
  /** Canonical BCP 47 tag. */
  targetLanguage: string
  /** Canonical BCP 47 tag, or `auto`. */
  sourceLanguage: string
  format: TranslationFormat
  formality: Formality
  glossary: GlossaryTerm[]
  /** Text around the input that helps to understand it; not translated itself. */
  context?: string
  /** A wish about tone and wording, in words. */
  style?: string
  /** Further translations of each text, at most. */
  alternatives: number
  stream: boolean
}

const inputText: Reader<TranslationInput> = mapped(text(), (value) => ({ text: value }))

const one = (expected: string) => textOr(inputText, telegramMessage, expected, isObject)
const single = one('a string, an object with entities, or an array of these')
const several = arrayOf(one('one of a string or object'), 1, MAX_TRANSLATION_INPUTS)

const input: Reader<TranslationInput[]> = {
  schema: { anyOf: [single.schema, several.schema] },
  read: (value, path) => (Array.isArray(value) ? several.read(value, path) : [single.read(value, path)]),
}

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

const glossaryTerm = object({
  source: required(text({ min: 1, max: 256 }), 'The words as they stand in the input.'),
  target: required(text({ min: 1, max: 256 }), 'What the translation says for them.'),
})

export const translationFields = {
  model: modelField,
  input: required(
    input,
    'A text, or up to 128 texts; an empty text is answered by an empty text. With the format `telegram` also `{text, entities}`.',
  ),
  target_language: required(language, 'BCP 47 tag of the language to translate into.'),
  source_language: defaulted(source, 'auto', 'BCP 47 tag of the language of the input, or `auto`.'),
  format: defaulted(
    choice('text', 'markdown', 'html', 'telegram'),
    'text',
    'What counts as markup; markup, placeholders, URLs, mentions and code come back unchanged, and that is checked.',
  ),
  formality: defaulted(
    choice('default', 'more', 'less', 'prefer_more', 'prefer_less'),
    'default',
    'How the reader is addressed; `more` and `less` are refused where the model cannot choose, `prefer_…` are wishes.',
  ),
  glossary: defaulted(
    arrayOf(glossaryTerm, 0, 200),
    [],
    'Terms `{source, target}` that the translation has to use; the answer tells for each that occurred whether it did.',
  ),
  context: optional(
    text({ max: 4096 }),
    'Text around the input, for understanding it; changes nothing with models whose prompt has no place for it.',
  ),
  style: optional(
    text({ min: 1, max: 1024 }),
    'A wish about tone and wording; refused with models that only translate.',
  ),
  alternatives: defaulted(
    integer(0, 3),
    0,
    'Further translations of each text, at most; each costs as much as the first.',
  ),
  stream: defaulted(boolean, false, 'Server-sent events, checked pieces of the texts, then `data: [DONE]`.'),
}

/**
 * Reads a translation request.
 * @param json the parsed body, see `parseJsonObject`
 * @throws ApiError 400 naming the field
 */
export function parseTranslationRequest(json: unknown): TranslationRequest {
  const fields = parseFields(translationFields, json)
  const { format, context, style } = fields
  const withEntities = fields.input.findIndex(({ entities }) => entities !== undefined)
  if (format !== 'telegram' && withEntities >= 0) {
    const path = `input[${withEntities}]`
    throw invalidRequest(
      path,
      `Invalid '${path}': only texts of the format 'telegram' are objects with entities. Send a string, or 'format': 'telegram'.`,
      'invalid_parameter_combination',
    )
  }
  return {
    model: fields.model,
    input: fields.input,
    targetLanguage: fields.target_language,
    sourceLanguage: fields.source_language,
    format,
    formality: fields.formality,
    glossary: fields.glossary,
    alternatives: fields.alternatives,
    stream: fields.stream,
    ...(context !== undefined && { context }),
    ...(style !== undefined && { style }),
  }
}
