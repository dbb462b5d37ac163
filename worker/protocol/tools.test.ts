import { describe, expect, test } from 'vitest'
import { parseChatRequest } from './chat.ts'
import { refusalOf } from './testing.ts'

const base = { model: 'm', messages: [{ role: 'user', content: 'hello' }] }
const parameters = { type: 'object', properties: { city: { type: 'string' } } }
const weather = { type: 'function', function: { name: 'weather', description: 'sun or rain', parameters } }
const shell = {
  type: 'custom',
  custom: { name: 'shell', format: { type: 'grammar', grammar: { syntax: 'regex', definition: 'ls|pwd' } } },
}
const both = { ...base, tools: [weather, shell] }

function parse(fields: object) {
  return parseChatRequest({ ...base, ...fields })
}

test('functions and custom tools are read', () => {
  expect(parse({ tools: [weather, shell, { type: 'custom', custom: { name: 'free' } }] }).tools).toEqual([
    { type: 'function', name: 'weather', description: 'sun or rain', parameters, strict: false },
    { type: 'custom', name: 'shell', format: { type: 'grammar', syntax: 'regex', definition: 'ls|pwd' } },
    { type: 'custom', name: 'free', format: { type: 'text' } },
  ])
  const strict = parse({ tools: [{ type: 'function', function: { name: 'f', strict: true } }] })
  expect(strict.tools).toEqual([{ type: 'function', name: 'f', strict: true }])
  expect([strict.legacyFunctions, strict.parallelToolCalls]).toEqual([false, true])
})

test.each([
  [{}, { mode: 'none' }],
  [{ tool_choice: 'auto' }, { mode: 'none' }],
  [{ tools: [weather] }, { mode: 'auto' }],
  [{ tools: [weather], tool_choice: 'none' }, { mode: 'none' }],
  [{ tools: [weather], tool_choice: 'required' }, { mode: 'required' }],
  [
    { tools: [weather], tool_choice: { type: 'function', function: { name: 'weather' } } },
    { mode: 'required', names: ['weather'] },
  ],
  [
    { tools: [shell], tool_choice: { type: 'custom', custom: { name: 'shell' } } },
    { mode: 'required', names: ['shell'] },
  ],
  [
    {
      tools: [weather, shell],
      tool_choice: {
        type: 'allowed_tools',
        allowed_tools: { mode: 'auto', tools: [{ type: 'custom', custom: { name: 'shell' } }] },
      },
    },
    { mode: 'auto', names: ['shell'] },
  ],
])('%j chooses %j', (fields, choice) => {
  expect(parse(fields).toolChoice).toEqual(choice)
})

describe('the deprecated form', () => {
  const functions = [{ name: 'weather', parameters }]

  test('is read as tools', () => {
    const request = parse({ functions, function_call: { name: 'weather' } })
    expect(request).toMatchObject({
      tools: [{ type: 'function', name: 'weather', parameters, strict: false }],
      toolChoice: { mode: 'required', names: ['weather'] },
      parallelToolCalls: false,
      legacyFunctions: true,
    })
    expect(parse({ functions }).toolChoice).toEqual({ mode: 'auto' })
  })

  test('its calls and results are messages of tools', () => {
    const messages = [
      { role: 'user', content: 'hello' },
      { role: 'assistant', content: null, function_call: { name: 'weather', arguments: '{}' } },
      { role: 'function', name: 'weather', content: 'sunny' },
    ]
    expect(parse({ messages }).messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: '',
        toolCalls: [{ id: 'function_call', name: 'weather', arguments: '{}' }],
      },
      { role: 'tool', content: 'sunny', toolCallId: 'function_call' },
    ])
  })
})

test('calls and their results are read, also as the official client sends them back', () => {
  const messages = [
    { role: 'user', content: 'hello', name: 'bob' },
    {
      role: 'assistant',
      content: null,
      refusal: null,
      annotations: [],
      parsed: null,
      reasoning_content: 'hm',
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'weather', arguments: '{}', parsed_arguments: {} } },
        { id: 'b', type: 'custom', custom: { name: 'shell', input: 'ls' } },
      ],
    },
    { role: 'tool', tool_call_id: 'b', content: [{ type: 'text', text: 'file' }] },
    { role: 'tool', tool_call_id: 'a', content: 'sunny', name: 'weather' },
  ]
  expect(parse({ messages }).messages).toEqual([
    { role: 'user', content: 'bob: hello' },
    {
      role: 'assistant',
      content: '',
      toolCalls: [
        { id: 'a', name: 'weather', arguments: '{}' },
        { id: 'b', name: 'shell', arguments: 'ls', custom: true },
      ],
    },
    { role: 'tool', content: 'file', toolCallId: 'b' },
    { role: 'tool', content: 'sunny', toolCallId: 'a' },
  ])
})

const call = { id: 'a', type: 'function', function: { name: 'weather', arguments: '{}' } }
const result = { role: 'tool', tool_call_id: 'a', content: 'sunny' }
const user = { role: 'user', content: 'and?' }
const named = (name: string) => ({ type: 'function', function: { name } })

test.each([
  [{ tools: [weather, weather] }, 'tools[1]', 'invalid_value'],
  [{ tools: Array(129).fill(weather) }, 'tools', 'array_above_max_length'],
  [{ tools: [{ type: 'web_search' }] }, 'tools[0].type', 'invalid_value'],
  [{ tools: [named('no spaces')] }, 'tools[0].function.name', 'invalid_value'],
  [{ tools: [named('x'.repeat(65))] }, 'tools[0].function.name', 'string_above_max_length'],
  [{ tools: [named('')] }, 'tools[0].function.name', 'string_below_min_length'],
  [
    { tools: [{ type: 'function', function: { name: 'f', parameters: [] } }] },
    'tools[0].function.parameters',
    'invalid_type',
  ],
  [
    {
      tools: [
        {
          type: 'custom',
          custom: { name: 'f', format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'x' } } },
        },
      ],
    },
    'tools[0].custom.format.grammar.syntax',
    'invalid_value',
  ],
  [{ tool_choice: 'required' }, 'tool_choice', 'invalid_parameter_combination'],
  [{ tool_choice: named('weather') }, 'tool_choice', 'invalid_parameter_combination'],
  [{ ...both, tool_choice: named('sun') }, 'tool_choice', 'invalid_value'],
  [{ ...both, tool_choice: 'any' }, 'tool_choice', 'invalid_value'],
  [{ ...both, tool_choice: 5 }, 'tool_choice', 'invalid_type'],
  [{ ...both, tool_choice: { type: 'tool' } }, 'tool_choice.type', 'invalid_value'],
  [
    {
      ...both,
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [named('sun')] } },
    },
    'tool_choice',
    'invalid_value',
  ],
  [
    { ...both, tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'none', tools: [] } } },
    'tool_choice.allowed_tools.mode',
    'invalid_value',
  ],
  [{ ...both, functions: [{ name: 'f' }] }, 'functions', 'invalid_parameter_combination'],
  [{ function_call: { name: 'f' } }, 'function_call', 'invalid_parameter_combination'],
  [{ functions: [{ name: 'f' }], function_call: { name: 'g' } }, 'function_call', 'invalid_value'],
  [{ ...both, grammar: 'root ::= "a"' }, 'grammar', 'invalid_parameter_combination'],
  [
    { grammar: 'root ::= "a"', response_format: { type: 'json_object' } },
    'grammar',
    'invalid_parameter_combination',
  ],
  [{ messages: [result] }, 'messages[0].tool_call_id', 'invalid_value'],
  [
    {
      messages: [
        { role: 'assistant', tool_calls: [call] },
        { ...result, tool_call_id: 'b' },
      ],
    },
    'messages[1].tool_call_id',
    'invalid_value',
  ],
  [
    { messages: [{ role: 'assistant', tool_calls: [call] }, user, result] },
    'messages[2].tool_call_id',
    'invalid_value',
  ],
  [
    { messages: [user, { role: 'function', name: 'f', content: 'x' }] },
    'messages[1].tool_call_id',
    'invalid_value',
  ],
  [{ messages: [{ ...user, name: '<|im_start|>' }] }, 'messages[0].name', 'invalid_value'],
  [{ messages: [{ role: 'assistant', audio: { id: 'x' } }] }, 'messages[0].audio', 'unsupported_parameter'],
])('%j is refused at %s with %s', (fields, param, code) => {
  const error = refusalOf(parseChatRequest, { ...base, ...fields })
  expect([error.status, error.param, error.apiCode]).toEqual([400, param, code])
})

test.each([
  ['image_url', { image_url: { url: 'data:' } }],
  ['input_audio', { input_audio: { data: '', format: 'wav' } }],
  ['file', { file: { file_id: 'f' } }],
  ['video', {}],
])('a part of type %s is refused at the part', (type, rest) => {
  const content = [
    { type: 'text', text: 'look' },
    { type, ...rest },
  ]
  const error = refusalOf(parseChatRequest, { ...base, messages: [{ role: 'user', content }] })
  expect([error.status, error.param]).toEqual([400, 'messages[0].content[1].type'])
  expect(error.message).toContain("Supported values are: 'text'.")
})

test('tools whose indentation would be a hundred times their text are refused by name', () => {
  let deep: unknown = Array.from({ length: 100_000 }, () => 0)
  for (let depth = 0; depth < 50; depth++) deep = [deep]
  const large = { type: 'function', function: { name: 'f', parameters: { enum: deep } } }
  expect(refusalOf(parseChatRequest, { ...base, tools: [large] })).toMatchObject({
    status: 400,
    param: 'tools',
  })
  const functions = [{ name: 'f', parameters: { enum: deep } }]
  expect(refusalOf(parseChatRequest, { ...base, functions })).toMatchObject({
    status: 400,
    param: 'functions',
  })
})
