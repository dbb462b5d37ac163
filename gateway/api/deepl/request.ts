/** What DeepL's `POST /v2/translate` takes, and what it is in our own words. */

import {
  accepted,
  defaulted,
  optional,
  parseFields,
  refused,
  required,
} from '../../../worker/protocol/fields.ts'
import { invalidRequest } from '../../../worker/protocol/index.ts'
import { arrayOf, choice, mapped, type Reader, text, textOr } from '../../../worker/protocol/readers.ts'
import { MAX_TRANSLATION_INPUTS } from '../../../worker/protocol/translation.ts'

/** JSON has booleans, a form has `1` and `0`. */
const flag: Reader<boolean> = {
  schema: { enum: [true, false, '1', '0'] },
  read(value, path) {
    if (value === true || value === '1') return true
    if (value === false || value === '0') return false
    throw invalidRequest(
      path,
      `Invalid '${path}': expected true or false (in a form 1 or 0).`,
      'invalid_value',
    )
  },
}

/** A form says once what it has one of. */
function oneOrMany(max: number): Reader<string[]> {
  const many = arrayOf(text(), 1, max)
  return mapped(textOr(text(), many, 'an array of strings'), (value) => [value].flat())
}

const HOSTED = 'A feature of DeepL itself.'

export const deepLTranslateFields = {
  text: required(oneOrMany(MAX_TRANSLATION_INPUTS), 'A text, or up to 128.'),
  target_lang: required(text(), 'A BCP 47 tag in any case, e.g. `DE`, `EN-US`.'),
  source_lang: defaulted(text(), 'auto', 'The same; absent: detected.'),
  context: optional(text(), 'Text around the input, for understanding it.'),
  formality: optional(
    choice('default', 'more', 'less', 'prefer_more', 'prefer_less'),
    'As in `/v1/translations`.',
  ),
  custom_instructions: optional(
    oneOrMany(10),
    'Wishes about tone and wording: `style` of `/v1/translations`.',
  ),
  tag_handling: optional(choice('html', 'xml'), 'Tags come back as they were, checked.'),
  show_billed_characters: defaulted(flag, false, 'Code points of each text; what is charged are tokens.'),
  split_sentences: accepted(
    choice('0', '1', 'nonewlines'),
    'Texts are split where they are too long, always at the ends of sentences.',
  ),
  preserve_formatting: accepted(flag, 'Line breaks and spaces always stay.'),
  model_type: optional(
    choice('quality_optimized', 'prefer_quality_optimized', 'latency_optimized'),
    'One model serves all; the answer says so in `model_type_used`.',
  ),
  enable_beta_languages: accepted(flag, 'Every language of the model is there.'),
  outline_detection: refused(HOSTED),
  non_splitting_tags: refused(HOSTED),
  splitting_tags: refused(HOSTED),
  ignore_tags: refused(HOSTED),
  tag_handling_version: refused(HOSTED),
  glossary_id: refused('Glossaries are not kept here: send terms in `glossary` of `/v1/translations`.'),
  glossary_ids: refused('Glossaries are not kept here: send terms in `glossary` of `/v1/translations`.'),
  style_id: refused(HOSTED),
  translation_memory_id: refused(HOSTED),
  translation_memory_threshold: refused(HOSTED),
  auth_key: refused('Keys belong into the header `Authorization: DeepL-Auth-Key KEY`.'),
}

/** A request to `/v2/translate`, read. */
export interface DeepLRequest {
  readonly texts: readonly string[]
  readonly billed: boolean
  readonly modelType: boolean
  /** The body of the same request to `/v1/translations`, without its model. */
  readonly translation: Readonly<Record<string, unknown>>
}

/** @throws ApiError 400 naming the field */
export function readTranslate(body: Record<string, unknown>): DeepLRequest {
  const fields = parseFields(deepLTranslateFields, body)
  return {
    texts: fields.text,
    billed: fields.show_billed_characters,
    modelType: fields.model_type !== undefined,
    translation: {
      input: fields.text,
      target_language: fields.target_lang,
      source_language: fields.source_lang,
      ...(fields.tag_handling !== undefined && { format: 'html' }),
      ...(fields.formality !== undefined && { formality: fields.formality }),
      ...(fields.context !== undefined && { context: fields.context }),
      ...(fields.custom_instructions && { style: fields.custom_instructions.join('\n') }),
    },
  }
}
