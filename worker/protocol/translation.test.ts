import { expect, test } from 'vitest'
import { boundsOfTranslation } from './bounds.ts'
import { ApiError } from './errors.ts'
import { parseTranslationRequest } from './translation.ts'

const base = { model: 'chrysalis-tiny', input: 'Guten Morgen', target_language: 'en' }

test('one text or many, tags made canonical, source detected by default', () => {
  expect(parseTranslationRequest(base)).toEqual({
    model: 'chrysalis-tiny',
    input: ['Guten Morgen'],
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
  ).toMatchObject({ input: ['a', ''], targetLanguage: 'pt-BR', sourceLanguage: 'de', stream: true })
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
  [{ ...base, formality: 'more' }, 'formality', 'unknown_parameter'],
])('%j is refused at %s with %s', (json, param, code) => {
  try {
    parseTranslationRequest(json)
    expect.unreachable('accepted')
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError)
    expect([(error as ApiError).param, (error as ApiError).apiCode]).toEqual([param, code])
  }
})

test('bounds are sums over the inputs', () => {
  const request = parseTranslationRequest({ ...base, input: ['abcd', ''] })
  expect(boundsOfTranslation(request, 10_000)).toEqual({
    maxPromptTokens: 4 + 65 + 65,
    maxOutputTokens: 20_000,
    n: 1,
  })
  expect(boundsOfTranslation(request, 32)).toEqual({ maxPromptTokens: 64, maxOutputTokens: 64, n: 1 })
})
