import type OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { type inputTokensFields, parseInputTokensRequest } from './input-tokens.ts'
import { parseResponsesRequest, responsesFields } from './responses.ts'
import { refusalOf, type SameKeys } from './testing.ts'

const base = { model: 'chrysalis-tiny', input: 'hello' }
const weather = { type: 'function', name: 'weather', parameters: { type: 'object' }, strict: true }

describe('the tables', () => {
  test('know every field of the official client', () => {
    const responses: SameKeys<typeof responsesFields, OpenAI.Responses.ResponseCreateParamsNonStreaming> =
      true
    const counting: SameKeys<typeof inputTokensFields, OpenAI.Responses.InputTokenCountParams> = true
    expect([responses, counting]).toEqual([true, true])
  })

  test('null is accepted everywhere but for model and input', () => {
    for (const name of Object.keys(responsesFields)) {
      const request = { ...base, [name]: null }
      if (name === 'model' || name === 'input')
        expect(refusalOf(parseResponsesRequest, request).param).toBe(name)
      else expect(parseResponsesRequest(request).chat.model, name).toBe('chrysalis-tiny')
    }
  })

  test.each([
    ['store', true],
    ['background', true],
    ['truncation', 'auto'],
    ['previous_response_id', 'resp_1'],
    ['conversation', 'conv_1'],
    ['prompt', { id: 'p' }],
    ['context_management', [{ type: 'compaction' }]],
    ['image', { context_compression: 'auto' }],
    ['moderation', { model: 'm' }],
    ['access_programs', {}],
    ['prompt_cache_options', { mode: 'explicit' }],
    ['service_tier', 'ultrafast'],
  ])('%s=%j is refused by name', (name, value) => {
    const error = refusalOf(parseResponsesRequest, { ...base, [name]: value })
    expect([error.status, error.param]).toEqual([400, name])
    expect(error.apiCode).toMatch(/^unsupported_(value|parameter)$/)
  })
})

test('a text is what the user says, and instructions come first', () => {
  const { chat, echo } = parseResponsesRequest({ ...base, instructions: 'be brief', max_output_tokens: 7 })
  expect(chat.messages).toEqual([
    { role: 'system', content: 'be brief' },
    { role: 'user', content: 'hello' },
  ])
  expect(chat).toMatchObject({ maxTokens: 7, n: 1, stream: false, toolChoice: { mode: 'none' } })
  expect(echo).toMatchObject({ instructions: 'be brief', max_output_tokens: 7, tools: [], store: false })
})

test('items become messages: calls join the answer before them, reasoning is left out', () => {
  const input = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'a' },
        { type: 'input_text', text: 'b' },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'hm' }] },
    {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'let me see', annotations: [], logprobs: [] }],
    },
    {
      type: 'function_call',
      id: 'fc_1',
      call_id: 'x',
      name: 'weather',
      arguments: '{}',
      status: 'completed',
    },
    { type: 'custom_tool_call', call_id: 'y', name: 'shell', input: 'ls' },
    { type: 'function_call_output', call_id: 'x', output: 'sunny' },
    { type: 'custom_tool_call_output', call_id: 'y', output: [{ type: 'input_text', text: 'file' }] },
    { type: 'message', role: 'developer', content: 'go on' },
    { type: 'function_call', call_id: 'z', name: 'weather', arguments: '{}' },
    { type: 'function_call_output', call_id: 'z', output: 'rain' },
  ]
  expect(parseResponsesRequest({ ...base, input }).chat.messages).toEqual([
    { role: 'user', content: 'a\nb' },
    {
      role: 'assistant',
      content: 'let me see',
      toolCalls: [
        { id: 'x', name: 'weather', arguments: '{}' },
        { id: 'y', name: 'shell', arguments: 'ls', custom: true },
      ],
    },
    { role: 'tool', content: 'sunny', toolCallId: 'x' },
    { role: 'tool', content: 'file', toolCallId: 'y' },
    { role: 'developer', content: 'go on' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'z', name: 'weather', arguments: '{}' }] },
    { role: 'tool', content: 'rain', toolCallId: 'z' },
  ])
})

test.each([
  [{ ...base, input: [] }, 'input', 'empty_array'],
  [{ ...base, input: 5 }, 'input', 'invalid_type'],
  [{ ...base, input: [{ type: 'reasoning', summary: [] }] }, 'input', 'invalid_value'],
  [{ ...base, input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input[0].type', 'invalid_value'],
  [{ ...base, input: [{ type: 'web_search_call' }] }, 'input[0].type', 'invalid_value'],
  [
    { ...base, input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'data:' }] }] },
    'input[0].content[0].type',
    'invalid_value',
  ],
  [
    { ...base, input: [{ type: 'function_call_output', call_id: 'x', output: '' }] },
    'input[0].call_id',
    'invalid_value',
  ],
  [
    {
      ...base,
      input: [
        { type: 'function_call', call_id: 'x', name: 'f', arguments: '' },
        { role: 'user', content: 'and?' },
        { type: 'function_call_output', call_id: 'x', output: '' },
      ],
    },
    'input[2].call_id',
    'invalid_value',
  ],
  [{ ...base, tools: [{ type: 'web_search' }] }, 'tools[0].type', 'invalid_value'],
  [{ ...base, tools: [weather, weather] }, 'tools[1]', 'invalid_value'],
  [{ ...base, tool_choice: 'required' }, 'tool_choice', 'invalid_parameter_combination'],
  [
    { ...base, tools: [weather], tool_choice: { type: 'function', name: 'sun' } },
    'tool_choice',
    'invalid_value',
  ],
  [{ ...base, tools: [weather], tool_choice: { type: 'mcp' } }, 'tool_choice.type', 'invalid_value'],
  [
    { ...base, text: { format: { type: 'json_schema', name: 'a' } } },
    'text.format.schema',
    'missing_required_parameter',
  ],
  [{ ...base, text: { verbosity: 'low' } }, 'text.verbosity', 'unsupported_value'],
  [{ ...base, include: ['file_search_call.results'] }, 'include[0]', 'invalid_value'],
  [{ ...base, stream_options: {} }, 'stream_options', 'invalid_parameter_combination'],
  [{ ...base, nonsense: 1 }, 'nonsense', 'unknown_parameter'],
])('%j is refused at %s with %s', (json, param, code) => {
  const error = refusalOf(parseResponsesRequest, json)
  expect([error.status, error.param, error.apiCode]).toEqual([400, param, code])
})

test('tools, choice, format and log probabilities are those of a chat', () => {
  const format = { type: 'json_schema', name: 'answer', schema: { type: 'object' } }
  const { chat, echo } = parseResponsesRequest({
    ...base,
    tools: [
      weather,
      { type: 'custom', name: 'shell', format: { type: 'grammar', syntax: 'regex', definition: 'a+' } },
    ],
    tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'weather' }] },
    text: { format },
    include: ['message.output_text.logprobs'],
    reasoning: { effort: 'high', summary: 'auto' },
  })
  expect(chat.tools).toEqual([
    weather,
    { type: 'custom', name: 'shell', format: { type: 'grammar', syntax: 'regex', definition: 'a+' } },
  ])
  expect(chat.toolChoice).toEqual({ mode: 'auto', names: ['weather'] })
  expect(chat.responseFormat).toEqual({ ...format, strict: false })
  expect([chat.logprobs, chat.reasoningEffort]).toEqual([0, 'high'])
  expect(echo.tool_choice).toMatchObject({ type: 'allowed_tools' })
  expect(echo.reasoning).toEqual({ effort: 'high', summary: 'auto' })
})

test('counting reads what makes the prompt and nothing else', () => {
  expect(parseInputTokensRequest({ ...base, instructions: 'x' }).chat.messages).toHaveLength(2)
  expect(refusalOf(parseInputTokensRequest, { ...base, max_output_tokens: 5 }).param).toBe(
    'max_output_tokens',
  )
})
