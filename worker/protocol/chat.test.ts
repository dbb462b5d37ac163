import fc from 'fast-check'
import type OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { boundsOfChat } from './bounds.ts'
import { chatFields, parseChatRequest } from './chat.ts'
import { ApiError } from './errors.ts'
import { parseJsonObject } from './fields.ts'

const base = { model: 'chrysalis-tiny', messages: [{ role: 'user', content: 'hello' }] }

function refusal(json: unknown): ApiError {
  try {
    parseChatRequest(json)
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error('accepted')
}

describe('the table of fields', () => {
  test('knows every field of the official client', () => {
    type Known = keyof typeof chatFields
    type Missing = Exclude<keyof OpenAI.ChatCompletionCreateParamsNonStreaming, Known>
    type Extra = 'top_k' | 'min_p' | 'repeat_penalty' | 'grammar'
    type Invented = Exclude<Known, keyof OpenAI.ChatCompletionCreateParamsNonStreaming | Extra>
    // Checked by tsc: a field that OpenAI adds makes one of these lines an error.
    const missing: Missing extends never ? true : false = true
    const invented: Invented extends never ? true : false = true
    expect([missing, invented]).toEqual([true, true])
  })

  test('null is accepted everywhere but for model and messages', () => {
    for (const name of Object.keys(chatFields)) {
      const request = { ...base, [name]: null }
      if (name === 'model' || name === 'messages') expect(refusal(request).param).toBe(name)
      else expect(parseChatRequest(request).model, name).toBe('chrysalis-tiny')
    }
  })

  test.each([
    ['n', 1],
    ['logit_bias', {}],
    ['logprobs', false],
    ['top_logprobs', 0],
    ['tools', []],
    ['tool_choice', 'none'],
    ['tool_choice', 'auto'],
    ['parallel_tool_calls', true],
    ['function_call', 'none'],
    ['response_format', { type: 'text' }],
    ['reasoning_effort', 'medium'],
    ['verbosity', 'medium'],
    ['modalities', ['text']],
    ['service_tier', 'auto'],
    ['store', false],
    ['temperature', 1],
    ['top_p', 1],
    ['presence_penalty', 0],
    ['frequency_penalty', 0],
    ['stream', false],
  ])('documented default %s=%j is accepted', (name, value) => {
    expect(parseChatRequest({ ...base, [name]: value }).messages).toHaveLength(1)
  })

  test.each([
    ['verbosity', 'low'],
    ['modalities', ['text', 'audio']],
    ['audio', { voice: 'alloy', format: 'wav' }],
    ['service_tier', 'flex'],
    ['store', true],
    ['prompt_cache_retention', '24h'],
    ['prompt_cache_options', { mode: 'explicit' }],
    ['web_search_options', {}],
    ['moderation', { model: 'm' }],
  ])('unsupported %s=%j is refused by name', (name, value) => {
    const error = refusal({ ...base, [name]: value })
    expect(error.status).toBe(400)
    expect(error.param).toBe(name)
    expect(error.type).toBe('invalid_request_error')
    expect(error.apiCode).toMatch(/^unsupported_(value|parameter)$/)
    expect(error.message).toContain(`'${name}'`)
  })

  test.each(['foo', '__proto__', 'constructor', 'toString', 'Model', ''])('unknown field %j', (name) => {
    const error = refusal(
      JSON.parse(`{"model":"m","messages":[{"role":"user","content":"x"}],${JSON.stringify(name)}:1}`),
    )
    expect([error.status, error.param, error.apiCode]).toEqual([400, name, 'unknown_parameter'])
  })
})

test.each([
  [{ messages: base.messages }, 'model', 'missing_required_parameter'],
  [{ model: 'm' }, 'messages', 'missing_required_parameter'],
  [{ ...base, messages: [] }, 'messages', 'empty_array'],
  [{ ...base, messages: 'hi' }, 'messages', 'invalid_type'],
  [{ ...base, messages: [42] }, 'messages[0]', 'invalid_type'],
  [{ ...base, messages: [{ role: 'user' }] }, 'messages[0].content', 'missing_required_parameter'],
  [{ ...base, messages: [{ role: 'robot', content: 'x' }] }, 'messages[0].role', 'invalid_value'],
  [{ ...base, messages: [{ content: 'x' }] }, 'messages[0].role', 'invalid_type'],
  [
    { ...base, messages: [{ role: 'tool', content: 'x' }] },
    'messages[0].tool_call_id',
    'missing_required_parameter',
  ],
  [
    { ...base, messages: [{ role: 'tool', content: 'x', tool_call_id: 'a' }] },
    'messages[0].tool_call_id',
    'invalid_value',
  ],
  [{ ...base, messages: [{ role: 'user', content: 7 }] }, 'messages[0].content', 'invalid_type'],
  [{ ...base, messages: [{ role: 'user', content: [] }] }, 'messages[0].content', 'empty_array'],
  [
    { ...base, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] },
    'messages[0].content[0].type',
    'invalid_value',
  ],
  [{ ...base, messages: [{ role: 'user', content: 'x', nam: 'b' }] }, 'messages[0].nam', 'unknown_parameter'],
  [
    { ...base, messages: [{ role: 'assistant', content: null, tool_calls: [{ id: 'a' }] }] },
    'messages[0].tool_calls[0].type',
    'invalid_type',
  ],
  [{ ...base, temperature: 200 }, 'temperature', 'decimal_above_max_value'],
  [{ ...base, temperature: -0.1 }, 'temperature', 'decimal_below_min_value'],
  [{ ...base, temperature: '1' }, 'temperature', 'invalid_type'],
  [{ ...base, top_p: 1.5 }, 'top_p', 'decimal_above_max_value'],
  [{ ...base, max_tokens: 0 }, 'max_tokens', 'integer_below_min_value'],
  [{ ...base, max_tokens: 1.5 }, 'max_tokens', 'invalid_type'],
  [{ ...base, max_tokens: 1, max_completion_tokens: 1 }, 'max_tokens', 'invalid_parameter_combination'],
  [{ ...base, stop: ['a', 'b', 'c', 'd', 'e'] }, 'stop', 'array_above_max_length'],
  [{ ...base, stop: 5 }, 'stop', 'invalid_type'],
  [{ ...base, stop: [''] }, 'stop[0]', 'string_below_min_length'],
  [{ ...base, seed: 1.5 }, 'seed', 'invalid_type'],
  [{ ...base, stream: 'yes' }, 'stream', 'invalid_type'],
  [{ ...base, stream_options: {} }, 'stream_options', 'invalid_parameter_combination'],
  [{ ...base, stream: true, stream_options: { x: 1 } }, 'stream_options.x', 'unknown_parameter'],
  [{ ...base, safety_identifier: 'x'.repeat(129) }, 'safety_identifier', 'string_above_max_length'],
  [{ ...base, metadata: { k: 5 } }, 'metadata.k', 'invalid_type'],
  [{ ...base, metadata: { k: 'v'.repeat(513) } }, 'metadata.k', 'string_above_max_length'],
])('%j is refused at %s with %s', (json, param, code) => {
  const error = refusal(json)
  expect([error.status, error.param, error.apiCode]).toEqual([400, param, code])
})

test.each([
  [{ n: 0 }, 'n', 'integer_below_min_value'],
  [{ n: 129 }, 'n', 'integer_above_max_value'],
  [{ n: '1' }, 'n', 'invalid_type'],
  [{ logprobs: 5 }, 'logprobs', 'invalid_type'],
  [{ top_logprobs: 3 }, 'top_logprobs', 'invalid_parameter_combination'],
  [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs', 'integer_above_max_value'],
  [{ logit_bias: { 5: 101 } }, 'logit_bias.5', 'decimal_above_max_value'],
  [{ logit_bias: { hello: 1 } }, 'logit_bias.hello', 'invalid_value'],
  [{ logit_bias: { '01': 1 } }, 'logit_bias.01', 'invalid_value'],
  [{ logit_bias: [1] }, 'logit_bias', 'invalid_type'],
  [{ top_k: -1 }, 'top_k', 'integer_below_min_value'],
  [{ min_p: 1.5 }, 'min_p', 'decimal_above_max_value'],
  [{ repeat_penalty: 0 }, 'repeat_penalty', 'decimal_below_min_value'],
  [{ grammar: '' }, 'grammar', 'string_below_min_length'],
  [{ grammar: 'x'.repeat(65_537) }, 'grammar', 'string_above_max_length'],
  [{ seed: 1e20 }, 'seed', 'invalid_value'],
  [{ reasoning_effort: 'extreme' }, 'reasoning_effort', 'invalid_value'],
  [{ prediction: 'x' }, 'prediction', 'invalid_type'],
  [{ prediction: { type: 'content' } }, 'prediction.content', 'missing_required_parameter'],
  [{ response_format: { type: 'xml' } }, 'response_format.type', 'invalid_value'],
  [{ response_format: 'json' }, 'response_format', 'invalid_type'],
  [
    { response_format: { type: 'json_schema', json_schema: { name: 'a' } } },
    'response_format.json_schema.schema',
    'missing_required_parameter',
  ],
  [
    { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, ''])) },
    'metadata',
    'object_above_max_length',
  ],
])('%j is refused at %s with %s (chat)', (fields, param, code) => {
  const error = refusal({ ...base, ...fields })
  expect([error.status, error.param, error.apiCode]).toEqual([400, param, code])
})

test('what a request may ask for is read', () => {
  const schema = { type: 'object', additionalProperties: false }
  const request = parseChatRequest({
    ...base,
    n: 3,
    logprobs: true,
    top_logprobs: 2,
    logit_bias: { 7: -100, 0: 1.5 },
    top_k: 40,
    min_p: 0.05,
    repeat_penalty: 1.1,
    seed: 2 ** 63,
    reasoning_effort: 'low',
    prediction: { type: 'content', content: [{ type: 'text', text: 'as before' }] },
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
  })
  expect(request).toMatchObject({
    n: 3,
    logprobs: 2,
    logitBias: [
      [0, 1.5],
      [7, -100],
    ],
    topK: 40,
    minP: 0.05,
    repeatPenalty: 1.1,
    seed: 2 ** 63,
    reasoningEffort: 'low',
    prediction: 'as before',
    responseFormat: { type: 'json_schema', name: 'answer', schema, strict: true },
  })
  expect(parseChatRequest({ ...base, logprobs: true }).logprobs).toBe(0)
  expect(parseChatRequest({ ...base, grammar: 'root ::= "a"' }).grammar).toBe('root ::= "a"')
})

test('a prompt cache is parted by all three names together, and by none it is not shared', () => {
  const partition = (fields: object) => parseChatRequest({ ...base, ...fields }).cachePartition
  expect(partition({})).toBeUndefined()
  const names = ['user', 'safety_identifier', 'prompt_cache_key']
  const asked = [
    ...names.map((name) => ({ [name]: 'a' })),
    { user: 'a', prompt_cache_key: 'a' },
    { user: 'b', prompt_cache_key: 'a' },
    { user: 'a","a' },
    { user: 'a', safety_identifier: 'b,' },
    { user: ',a', safety_identifier: 'b' },
    { user: 'a', safety_identifier: 'a', prompt_cache_key: 'a' },
  ]
  expect(new Set(asked.map(partition)).size).toBe(asked.length)
  expect(partition({ prompt_cache_key: 'a' })).toBe(partition({ prompt_cache_key: 'a', user: null }))
})

test('the words for a value out of range are the ones that clients know', () => {
  expect(refusal({ ...base, temperature: 200 }).toJSON()).toEqual({
    error: {
      message:
        "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 200 instead.",
      type: 'invalid_request_error',
      param: 'temperature',
      code: 'decimal_above_max_value',
    },
  })
})

test('what a response held can be sent back, and text parts are joined', () => {
  const request = parseChatRequest({
    ...base,
    messages: [
      { role: 'developer', content: 'be brief' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
      { role: 'assistant', content: 'c', refusal: null, annotations: [] },
      { role: 'assistant', content: null },
    ],
    stream: true,
    stream_options: { include_usage: true, include_obfuscation: null },
    stop: 'END',
    max_completion_tokens: 9,
    seed: -5,
  })
  expect(request.messages.map((message) => message.content)).toEqual(['be brief', 'a\nb', 'c', ''])
  expect(request).toMatchObject({
    includeUsage: true,
    includeObfuscation: true,
    stop: ['END'],
    maxTokens: 9,
    seed: -5,
  })
})

test('a body that is no JSON object is a 400 that does not quote it', () => {
  for (const text of ['', 'canary {', '[]', '"canary"', '42', 'null', '{"a":1}{']) {
    let error: unknown
    try {
      parseJsonObject(utf8(text))
    } catch (caught) {
      error = caught
    }
    expect(error).toBeInstanceOf(ApiError)
    expect((error as ApiError).status).toBe(400)
    expect((error as ApiError).message).not.toContain('canary')
  }
  expect(() => parseJsonObject(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))).toThrow(ApiError)
})

test('property: any JSON is accepted or refused with an ApiError', () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.record(
      Object.fromEntries(
        Object.keys(chatFields).map((name) => [name, fc.oneof(fc.jsonValue(), fc.constant(1))]),
      ),
      { requiredKeys: [] },
    ),
    fc.record({
      model: fc.string({ minLength: 1 }),
      messages: fc.array(
        fc.record({ role: fc.constantFrom('user', 'assistant', 'x'), content: fc.jsonValue() }),
      ),
    }),
  )
  fc.assert(
    fc.property(anything, (json) => {
      try {
        parseChatRequest(json)
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 400) throw error
      }
    }),
    { numRuns: 300 },
  )
})

test('token bounds cover tools as templates write them, unless none may be called, and the calls sent back', () => {
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tools = [{ type: 'function', function: { name: 'weather', parameters } }]
  const bound = (fields: object) =>
    boundsOfChat(parseChatRequest({ ...base, ...fields }), 100_000).maxPromptTokens
  const plain = bound({})
  expect(bound({ tools }) - plain).toBeGreaterThan(JSON.stringify(tools, null, 4).length)
  expect(bound({ tools, tool_choice: 'none' })).toBe(plain)
  const call = (text: string) => ({
    id: 'a',
    type: 'function',
    function: { name: 'weather', arguments: text },
  })
  const called = (text: string) =>
    bound({ messages: [...base.messages, { role: 'assistant', tool_calls: [call(text)] }] })
  expect(called('x'.repeat(1000)) - called('')).toBe(2000)
})

test('token bounds cover the text and never exceed the context', () => {
  const request = parseChatRequest({
    ...base,
    messages: [{ role: 'user', content: 'ä'.repeat(100) }],
    max_tokens: 50,
  })
  expect(boundsOfChat(request, 100_000)).toEqual({
    maxPromptTokens: 200 + 1 + 64 + 256,
    maxOutputTokens: 50,
    n: 1,
  })
  expect(boundsOfChat(request, 128)).toEqual({ maxPromptTokens: 128, maxOutputTokens: 50, n: 1 })
})
