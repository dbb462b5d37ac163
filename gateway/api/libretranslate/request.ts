/** What LibreTranslate's routes take, and what it is in our own words. */

import { defaulted, optional, parseFields, required } from '../../../worker/protocol/fields.ts'
import { arrayOf, choice, integer, type Reader, text, textOr } from '../../../worker/protocol/readers.ts'
import { MAX_TRANSLATION_INPUTS } from '../../../worker/protocol/translation.ts'

const texts = textOr(
  text(),
  arrayOf(text(), 1, MAX_TRANSLATION_INPUTS),
  'one of a string or array of strings',
)

const few = integer(0, 3)

/** JSON has numbers, a form has their digits. */
const alternatives: Reader<number> = {
  schema: few.schema,
  read: (value, path) =>
    few.read(typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value, path),
}

const key = optional(text({ max: 256 }), 'The API key; `Authorization: Bearer` serves, too.')

export const libreTranslateFields = {
  q: required(texts, 'A text, or up to 128; an array is answered by arrays.'),
  source: required(text(), 'BCP 47 tag of the language of the texts, or `auto`.'),
  target: required(text(), 'BCP 47 tag of the language to translate into.'),
  format: defaulted(choice('text', 'html'), 'text', 'With `html`, tags come back as they were, checked.'),
  alternatives: defaulted(alternatives, 0, 'Further translations, up to 3.'),
  api_key: key,
}

export const libreDetectFields = {
  q: required(text(), 'A text.'),
  api_key: key,
}

/** A request to `/translate`, read. */
export interface TranslateRequest {
  readonly key: string | undefined
  /** The texts, and whether they came as an array, as the answer then is. */
  readonly texts: readonly string[]
  readonly batch: boolean
  readonly detect: boolean
  readonly alternatives: boolean
  /** The body of the same request to `/v1/translations`, without its model. */
  readonly translation: Readonly<Record<string, unknown>>
}

/** @throws ApiError 400 naming the field */
export function readTranslate(body: Record<string, unknown>): TranslateRequest {
  const { q, source, target, format, alternatives, api_key } = parseFields(libreTranslateFields, body)
  return {
    key: present(api_key),
    texts: [q].flat(),
    batch: Array.isArray(q),
    detect: source === 'auto',
    alternatives: alternatives > 0,
    translation: { input: q, source_language: source, target_language: target, format, alternatives },
  }
}

/** @throws ApiError 400 naming the field */
export function readDetect(body: Record<string, unknown>): { key: string | undefined; text: string } {
  const { q, api_key } = parseFields(libreDetectFields, body)
  return { text: q, key: present(api_key) }
}

// Stock clients send an empty key where none is set.
function present(secret: string | undefined): string | undefined {
  return secret === '' ? undefined : secret
}
