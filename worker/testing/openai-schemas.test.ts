import { expect, test } from 'vitest'
import { type OpenAiKind, validateAgainstOpenAi } from './openai-schemas.ts'

const choice = {
  index: 0,
  message: { role: 'assistant', content: 'hi', refusal: null, annotations: [] },
  logprobs: null,
  finish_reason: 'stop',
}
const usage = {
  prompt_tokens: 1,
  completion_tokens: 1,
  total_tokens: 2,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
}
const chat = { id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [choice], usage }
const chrysalis = {
  sha256: 'ab',
  quantization: 'F16',
  context_length: 512,
  modalities: { input: ['text'], output: ['text'] },
  price: {
    prompt: '1',
    cached: '1',
    completion: '1',
    reasoning: '1',
    currency: 'TON',
    unit: 'nanoton per million tokens',
  },
  workers: 1,
  tee: 'tdx',
}

test.each<[OpenAiKind, unknown]>([
  ['Chat', chat],
  [
    'ChatChunk',
    {
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta: { reasoning_content: 'hm' }, logprobs: null, finish_reason: null }],
      usage: null,
    },
  ],
  ['Model', { id: 'm', object: 'model', created: 1, owned_by: 'o', chrysalis }],
  ['Models', { object: 'list', data: [] }],
  ['InputTokens', { object: 'response.input_tokens', input_tokens: 3 }],
  ['Failure', { error: { message: 'm', type: 't', param: null, code: null } }],
  [
    'Embeddings',
    {
      object: 'list',
      model: 'm',
      data: [{ object: 'embedding', index: 0, embedding: [1] }],
      usage: { prompt_tokens: 1, total_tokens: 1 },
    },
  ],
  [
    'Completion',
    {
      id: 'c',
      object: 'text_completion',
      created: 1,
      model: 'm',
      choices: [{ text: 'a', index: 0, logprobs: null, finish_reason: null }],
    },
  ],
  [
    'ResponseEvent',
    {
      type: 'response.output_text.delta',
      item_id: 'i',
      output_index: 0,
      content_index: 0,
      delta: 'x',
      sequence_number: 1,
      logprobs: [],
    },
  ],
])('%s: a right document passes', (kind, document) => {
  expect(() => validateAgainstOpenAi(kind, document)).not.toThrow()
})

test.each<[OpenAiKind, unknown, string]>([
  ['Chat', { ...chat, created: 'now' }, '/created must be number'],
  ['Chat', { ...chat, surprise: 1 }, 'must NOT have additional properties'],
  [
    'Chat',
    { ...chat, choices: [{ ...choice, logprobs: undefined }] },
    "must have required property 'logprobs'",
  ],
  [
    'Chat',
    { ...chat, choices: [{ ...choice, finish_reason: 'done' }] },
    '/choices/0/finish_reason must be equal',
  ],
  ['Failure', { error: { message: 'm', type: 't', param: null } }, "must have required property 'code'"],
])('%s: a wrong document is told where', (kind, document, problem) => {
  expect(() => validateAgainstOpenAi(kind, document)).toThrow(problem)
})
