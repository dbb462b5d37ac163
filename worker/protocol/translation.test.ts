import { expect, test } from 'vitest'
import { boundsOfTranslation } from './bounds.ts'
import { ApiError } from './errors.ts'
import { parseTranslationRequest } from './translation.ts'

const base = { model: 'chrysalis-tiny', input: 'Guten Morgen', target_language: 'en' }

test('one text or many, tags made canonical, source detected by default', () => {
  expect(parseTranslationRequest(base)).toEqual({
    model: 'chrysalis-tiny',
    input: [{ text: 'Guten Morgen' }],
    format: 'text',
    formality: 'default',
    glossary: [],
    alternatives: 0,
    targetLanguage: 'en',
    sourceLanguage: 'auto',
    stream: false,
  })
  expect(
    parseTranslationRequest({
      ...base,
      input: ['a', ''],
      target_language: 'pt-br',
      source_language: 'DE',
      stream: true,
    }),
  ).toMatchObject({
    input: [{ text: 'a' }, { text: '' }],
    targetLanguage: 'pt-BR',
    sourceLanguage: 'de',
    stream: true,
  })
  expect(parseTranslationRequest({ ...base, source_language: null, stream: null }).sourceLanguage).toBe(
    'auto',
  )
})

test.each([
  [{ ...base, input: [] }, 'input', 'empty_array'],
  [{ ...base, input: Array(129).fill('x') }, 'input', 'array_above_max_length'],
  [{ ...base, input: ['x', 5] }, 'input[1]', 'invalid_type'],
  [{ ...base, input: 5 }, 'input', 'invalid_type'],
  [{ ...base, input: null }, 'input', 'invalid_type'],
  [{ ...base, target_language: undefined }, 'target_language', 'missing_required_parameter'],
  [{ ...base, target_language: 'auto!' }, 'target_language', 'invalid_value'],
  [{ ...base, target_language: 5 }, 'target_language', 'invalid_type'],
  [{ ...base, source_language: '' }, 'source_language', 'invalid_value'],
  [{ ...base, formality: 'formal' }, 'formality', 'invalid_value'],
  [{ ...base, glossary: [{ source: 'a' }] }, 'glossary[0].target', 'missing_required_parameter'],
  [{ ...base, alternatives: 4 }, 'alternatives', 'integer_above_max_value'],
  [{ ...base, tone: 'kind' }, 'tone', 'unknown_parameter'],
  [{ ...base, input: [{ text: 'a' }] }, 'input[0]', 'invalid_parameter_combination'],
])('%j is refused at %s with %s', (json, param, code) => {
  try {
    parseTranslationRequest(json)
    expect.unreachable('accepted')
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError)
    expect([(error as ApiError).param, (error as ApiError).apiCode]).toEqual([param, code])
  }
})

test('messages of Telegram come with entities', () => {
  const entities = [{ type: 'text_link', offset: 0, length: 2, url: 'https://ton.org' }]
  const message = { text: '🙂 b', entities }
  const request = { ...base, format: 'telegram', input: ['plain', message, { text: 'none' }] }
  expect(parseTranslationRequest(request).input).toEqual([
    { text: 'plain' },
    message,
    { text: 'none', entities: [] },
  ])
})

test.each([
  ['a type that is none', [{ type: 'Bold!', offset: 0, length: 1 }], '[0].type'],
  ['a negative offset', [{ type: 'bold', offset: -1, length: 1 }], '[0].offset'],
  ['no length', [{ type: 'bold', offset: 0, length: 0 }], '[0].length'],
  ['an end behind the text', [{ type: 'bold', offset: 3, length: 2 }], '[0]'],
  ['half a character', [{ type: 'bold', offset: 1, length: 1 }], '[0]'],
  [
    'two that cross',
    [
      { type: 'bold', offset: 0, length: 3 },
      { type: 'italic', offset: 2, length: 2 },
    ],
    '[1]',
  ],
  ['too many', Array(257).fill({ type: 'bold', offset: 2, length: 1 }), ''],
])('an entity with %s is refused', (_, entities, at) => {
  const json = { ...base, format: 'telegram', input: [{ text: '🙂 b', entities }] }
  expect(() => parseTranslationRequest(json)).toThrowError(
    expect.objectContaining({ param: `input[0].entities${at}`, apiCode: 'invalid_value' }),
  )
})

test('one message of Telegram needs no array around it', () => {
  const message = { text: '🙂 b', entities: [{ type: 'bold', offset: 3, length: 1 }] }
  const { input } = parseTranslationRequest({ ...base, format: 'telegram', input: message })
  expect(input).toEqual([message])
  expect(() => parseTranslationRequest({ ...base, input: 5 })).toThrowError(
    expect.objectContaining({ param: 'input', apiCode: 'invalid_type' }),
  )
})

test('bounds are sums over the inputs, for each alternative once more', () => {
  const request = parseTranslationRequest({ ...base, input: ['abcd', ''] })
  expect(boundsOfTranslation(request, 10_000)).toEqual({
    maxPromptTokens: 2 * 512 + 16,
    maxOutputTokens: 2 * 256 + 16,
    n: 1,
  })
  const more = { ...request, alternatives: 2, context: 'é', glossary: [{ source: 'a', target: 'b' }] }
  expect(boundsOfTranslation(more, 10_000)).toEqual({
    maxPromptTokens: 3 * (2 * (512 + 2 + 18) + 16),
    maxOutputTokens: 3 * (2 * 256 + 16),
    n: 1,
  })
})
