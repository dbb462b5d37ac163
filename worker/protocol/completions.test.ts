import type OpenAI from 'openai'
import { expect, test } from 'vitest'
import { boundsOfCompletion, boundsOfEmbedding } from './bounds.ts'
import { type completionFields, parseCompletionRequest } from './completions.ts'
import { type embeddingFields, parseEmbeddingRequest } from './embeddings.ts'
import { refusalOf, type SameKeys } from './testing.ts'

const model = 'chrysalis-tiny'

test('the tables know every field of the official client', () => {
  type Extra = { top_k: unknown; min_p: unknown; repeat_penalty: unknown }
  const completions: SameKeys<typeof completionFields, OpenAI.CompletionCreateParamsNonStreaming & Extra> =
    true
  const embeddings: SameKeys<typeof embeddingFields, OpenAI.EmbeddingCreateParams> = true
  expect([completions, embeddings]).toEqual([true, true])
})

test.each([
  [null, [{ text: '' }]],
  ['a', [{ text: 'a' }]],
  [
    ['a', ''],
    [{ text: 'a' }, { text: '' }],
  ],
  [[1, 2], [{ tokens: [1, 2] }]],
  [
    [[1], [2, 3]],
    [{ tokens: [1] }, { tokens: [2, 3] }],
  ],
])('prompt %j', (prompt, prompts) => {
  expect(parseCompletionRequest({ model, prompt }).prompts).toEqual(prompts)
})

test('defaults are those of OpenAI', () => {
  expect(parseCompletionRequest({ model })).toEqual({
    model,
    prompts: [{ text: '' }],
    echo: false,
    n: 1,
    bestOf: 1,
    maxTokens: 16,
    temperature: 1,
    topP: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    stop: [],
    stream: false,
    includeUsage: false,
    includeObfuscation: true,
  })
})

test.each([
  [{ prompt: [] }, 'prompt', 'empty_array'],
  [{ prompt: 5 }, 'prompt', 'invalid_type'],
  [{ prompt: ['a', 5] }, 'prompt[1]', 'invalid_type'],
  [{ prompt: [5, 'a'] }, 'prompt[1]', 'invalid_type'],
  [{ prompt: [[]] }, 'prompt[0]', 'empty_array'],
  [{ prompt: [-1] }, 'prompt[0]', 'integer_below_min_value'],
  [{ prompt: Array(129).fill('a') }, 'prompt', 'array_above_max_length'],
  [{ prompt: Array(65).fill('a'), n: 2 }, 'prompt', 'invalid_parameter_combination'],
  [{ best_of: 1, n: 2 }, 'best_of', 'invalid_parameter_combination'],
  [{ best_of: 2, stream: true }, 'best_of', 'invalid_parameter_combination'],
  [{ logprobs: 6 }, 'logprobs', 'integer_above_max_value'],
  [{ logprobs: true }, 'logprobs', 'invalid_type'],
  [{ max_tokens: -1 }, 'max_tokens', 'integer_below_min_value'],
  [{ suffix: 'x', echo: true }, 'suffix', 'invalid_parameter_combination'],
  [{ stream_options: {} }, 'stream_options', 'invalid_parameter_combination'],
  [{ nonsense: 1 }, 'nonsense', 'unknown_parameter'],
])('completion %j is refused at %s with %s', (fields, param, code) => {
  const error = refusalOf(parseCompletionRequest, { model, prompt: 'a', ...fields })
  expect([error.status, error.param, error.apiCode]).toEqual([400, param, code])
})

test('bounds count each prompt once and every answer that is made', () => {
  const request = parseCompletionRequest({ model, prompt: ['abc', 'd'], n: 2, best_of: 3, max_tokens: 5 })
  expect(boundsOfCompletion(request, 1000)).toEqual({
    maxPromptTokens: 3 + 65 + 1 + 65,
    maxOutputTokens: 10,
    n: 3,
  })
  expect(boundsOfCompletion(request, 2)).toEqual({ maxPromptTokens: 4, maxOutputTokens: 4, n: 3 })
})

test('embeddings: inputs in order, floats by default', () => {
  const request = parseEmbeddingRequest({ model, input: ['a', 'bc'], dimensions: 3 })
  expect(request).toEqual({
    model,
    inputs: [{ text: 'a' }, { text: 'bc' }],
    encodingFormat: 'float',
    dimensions: 3,
  })
  expect(boundsOfEmbedding(request, 1000)).toEqual({
    maxPromptTokens: 66 + 67,
    maxOutputTokens: 0,
    n: 1,
    extraBytes: 150,
  })
})

test.each([
  [{ input: '' }, 'input', 'string_below_min_length'],
  [{ input: ['a', ''] }, 'input[1]', 'string_below_min_length'],
  [{ input: [] }, 'input', 'empty_array'],
  [{ input: Array(2049).fill('a') }, 'input', 'array_above_max_length'],
  [{}, 'input', 'missing_required_parameter'],
  [{ input: 'a', encoding_format: 'hex' }, 'encoding_format', 'invalid_value'],
  [{ input: 'a', dimensions: 0 }, 'dimensions', 'integer_below_min_value'],
])('embedding %j is refused at %s with %s', (fields, param, code) => {
  const error = refusalOf(parseEmbeddingRequest, { model, ...fields })
  expect([error.status, error.param, error.apiCode]).toEqual([400, param, code])
})
