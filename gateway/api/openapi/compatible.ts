/** The routes of DeepL and LibreTranslate. */

import {
  about,
  anyOf,
  bool,
  count,
  list,
  nullable,
  record,
  string,
} from '../../../worker/protocol/documents/schema.ts'
import { deepLTranslateFields } from '../deepl/request.ts'
import { libreDetectFields, libreTranslateFields } from '../libretranslate/request.ts'
import type { Operation } from './operation.ts'

const deepLFailure = { title: 'DeepLError', ...record({ message: string }) }
const libreFailure = { title: 'LibreTranslateError', ...record({ error: string }) }

const detected = record({ confidence: { type: 'number' }, language: string })

export const compatibleOperations: readonly Operation[] = [
  {
    method: 'post',
    path: '/v2/translate',
    id: 'deeplTranslate',
    tag: 'DeepL',
    summary: 'Translate',
    about: "DeepL's API, for its clients: give them this server's address.",
    key: 'deepl',
    request: {
      name: 'DeepLTranslateRequest',
      table: deepLTranslateFields,
      forms: true,
      example: { text: ['Guten Morgen'], target_lang: 'EN' },
    },
    answer: {
      about: 'The translations.',
      schema: record({
        translations: list(
          record(
            { detected_source_language: string, text: string },
            { billed_characters: count, model_type_used: string },
          ),
        ),
      }),
      example: { translations: [{ detected_source_language: 'DE', text: 'Good morning' }] },
    },
    errors: [400, 403, 404, 413, 415, 429, 456, 500, 503],
    failure: deepLFailure,
  },
  {
    method: 'get',
    path: '/v2/usage',
    id: 'deeplUsage',
    tag: 'DeepL',
    summary: 'Usage',
    about:
      'The bound here is the channel, not a number of characters: the limit is what DeepL says for "none".',
    key: 'deepl',
    answer: { about: 'Counts.', schema: record({ character_count: count, character_limit: count }) },
    errors: [403, 429],
    failure: deepLFailure,
  },
  {
    method: 'get',
    path: '/v2/languages',
    id: 'deeplLanguages',
    tag: 'DeepL',
    summary: 'Languages',
    about: 'The languages of the model, as sources or targets.',
    key: 'deepl',
    parameters: [
      { name: 'type', in: 'query', about: '`source` or `target`.', schema: { enum: ['source', 'target'] } },
    ],
    answer: {
      about: 'Languages.',
      schema: list(record({ language: string, name: string }, { supports_formality: bool })),
    },
    errors: [400, 403, 429, 503],
    failure: deepLFailure,
  },
  {
    method: 'post',
    path: '/translate',
    id: 'libreTranslate',
    tag: 'LibreTranslate',
    summary: 'Translate',
    about: "LibreTranslate's API, for its clients.",
    key: 'libretranslate',
    request: {
      name: 'LibreTranslateRequest',
      table: libreTranslateFields,
      forms: true,
      example: { q: 'Guten Morgen', source: 'auto', target: 'en' },
    },
    answer: {
      about: 'The translation; arrays for an array.',
      schema: record(
        { translatedText: anyOf(string, list(string)) },
        {
          detectedLanguage: anyOf(detected, list(detected)),
          alternatives: list(anyOf(string, list(string))),
        },
      ),
      example: { translatedText: 'Good morning', detectedLanguage: { confidence: 90, language: 'de' } },
    },
    errors: [400, 403, 413, 415, 429, 500, 503],
    failure: libreFailure,
  },
  {
    method: 'post',
    path: '/detect',
    id: 'libreDetect',
    tag: 'LibreTranslate',
    summary: 'Detect a language',
    about: 'Languages that a text may be in, the likeliest first. The text leaves this gateway for nowhere.',
    key: 'libretranslate',
    request: {
      name: 'LibreDetectRequest',
      table: libreDetectFields,
      forms: true,
      example: { q: 'Guten Morgen' },
    },
    answer: { about: 'Languages.', schema: list(detected) },
    errors: [400, 403, 413, 415, 429],
    failure: libreFailure,
  },
  {
    method: 'get',
    path: '/languages',
    id: 'libreLanguages',
    tag: 'LibreTranslate',
    summary: 'Languages',
    about: 'What can be translated into what.',
    answer: {
      about: 'Languages.',
      schema: list(record({ code: string, name: string, targets: list(string) })),
    },
    errors: [503],
    failure: libreFailure,
  },
  {
    method: 'get',
    path: '/frontend/settings',
    id: 'libreSettings',
    tag: 'LibreTranslate',
    summary: 'Settings',
    about: 'What a page of LibreTranslate asks for before it begins.',
    answer: {
      about: 'Settings.',
      schema: { type: 'object', additionalProperties: about(nullable({}), 'A setting.') },
    },
    errors: [],
    failure: libreFailure,
  },
]
