import { describe, expect, it } from 'vitest'
import { Gate, type ScriptedOptions, scriptedEngine } from '../../engine/testing/scripted.ts'
import { validateAgainstOpenAi } from '../../testing/openai-schemas.ts'
import type { TaskContext } from '../index.ts'
import { run as runPath } from '../testing.ts'

const plain = { stream: true, stream_options: { include_obfuscation: false } }

const run = (
  body: Record<string, unknown>,
  engine: ScriptedOptions = {},
  changes: Partial<TaskContext> = {},
) => runPath('/v1/responses', { input: 'Hi', ...body }, scriptedEngine(engine), changes)

const typesOf = (documents: Record<string, unknown>[]) => documents.map(({ type }) => type)

/** Names without `response.`, runs of deltas told once. */
const outline = (documents: Record<string, unknown>[]) =>
  typesOf(documents)
    .map((type) => String(type).replace('response.', ''))
    .filter((type, index, all) => type !== all[index - 1])

const info = { reasoning: { open: '<think>', close: '</think>' }, toolFormat: 'hermes' } as const
const thinksAndCalls = () => [
  '<think>',
  'hm',
  '</think>',
  'Look',
  'ing',
  '<tool_call>\n{"name": "weather", "arguments": ',
  '{"city":',
  '"Bonn"}',
  '}\n</tool_call>',
]
const weather = { type: 'function', name: 'weather', parameters: { type: 'object' } }

describe('a response', () => {
  it('is one document with what was asked', async () => {
    const { body, result } = await run({
      instructions: 'Be kind',
      metadata: { a: 'b' },
      max_output_tokens: 50,
    })
    validateAgainstOpenAi('Response', body)
    expect(body).toMatchObject({
      id: 'resp_req-1',
      object: 'response',
      created_at: 1_750_000_000,
      completed_at: 1_750_000_002,
      status: 'completed',
      error: null,
      incomplete_details: null,
      instructions: 'Be kind',
      metadata: { a: 'b' },
      max_output_tokens: 50,
      output: [
        {
          id: 'msg_req-1_0',
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'Hello world!', annotations: [], logprobs: [] }],
        },
      ],
      usage: {
        input_tokens: 9,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: 3,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 12,
      },
    })
    expect(result).toMatchObject({ finishReason: 'stop', usage: { prompt_tokens: 9, completion_tokens: 3 } })
  })

  it('streams its events in order, numbered, type first, with stable ids', async () => {
    const texts: string[] = []
    const engine = scriptedEngine()
    const body = { input: 'Hi', ...plain }
    const { documents } = await runPath('/v1/responses', body, engine, {}, (event) => {
      if (event.type === 'event') texts.push(event.json)
    })
    for (const document of documents) validateAgainstOpenAi('ResponseEvent', document)
    expect(typesOf(documents)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(documents.map(({ sequence_number }) => sequence_number)).toEqual(
      documents.map((_, index) => index),
    )
    expect(texts.every((text) => /^\{"type":"response\.[a-z_.]+"/.test(text))).toBe(true)
    const ids = documents.flatMap((document) => (document.item_id === undefined ? [] : [document.item_id]))
    expect(new Set(ids)).toEqual(new Set(['msg_req-1_0']))
    const whole = (await run({})).body
    expect(documents.at(-1)?.response).toEqual(whole)
  })

  it('tells reasoning, text and calls as items of their own', async () => {
    const engine = { info, script: thinksAndCalls }
    const { body } = await run({ tools: [weather] }, engine)
    validateAgainstOpenAi('Response', body)
    expect(body.output).toEqual([
      {
        id: 'rs_req-1_0',
        type: 'reasoning',
        summary: [],
        content: [{ type: 'reasoning_text', text: 'hm' }],
        status: 'completed',
      },
      expect.objectContaining({ id: 'msg_req-1_1', content: [expect.objectContaining({ text: 'Looking' })] }),
      expect.objectContaining({
        id: 'fc_req-1_2',
        type: 'function_call',
        call_id: expect.stringMatching(/^call_/),
        name: 'weather',
        arguments: '{"city":"Bonn"}',
        status: 'completed',
      }),
    ])
    const { documents } = await run({ tools: [weather], ...plain }, engine)
    for (const document of documents) validateAgainstOpenAi('ResponseEvent', document)
    expect(outline(documents)).toEqual([
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'reasoning_text.delta',
      'reasoning_text.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ])
    expect(documents.at(-1)?.response).toMatchObject({
      usage: { output_tokens: 9, output_tokens_details: { reasoning_tokens: 3 } },
    })
  })

  it('tells calls of custom tools with their input', async () => {
    const script = () => ['<tool_call>\n{"name": "sh", "arguments": {"input": "ls"}}\n</tool_call>']
    const tools = [{ type: 'custom', name: 'sh' }]
    const { documents } = await run({ tools, ...plain }, { info, script })
    for (const document of documents) validateAgainstOpenAi('ResponseEvent', document)
    expect(outline(documents).slice(2, -1)).toEqual([
      'output_item.added',
      'custom_tool_call_input.delta',
      'custom_tool_call_input.done',
      'output_item.done',
    ])
    expect(documents.at(-1)?.response).toMatchObject({
      output: [{ type: 'custom_tool_call', name: 'sh', input: 'ls' }],
    })
  })

  it('is incomplete when it was cut', async () => {
    const { body } = await run({ max_output_tokens: 2 })
    validateAgainstOpenAi('Response', body)
    expect(body).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ status: 'incomplete', content: [{ text: 'Hello world' }] }],
    })
    const { documents } = await run({ max_output_tokens: 2, ...plain })
    expect(documents.at(-1)?.type).toBe('response.incomplete')
  })

  it('of no words is a message of no words', async () => {
    const { body } = await run({}, { script: () => [] })
    expect(body.output).toMatchObject([{ type: 'message', content: [{ text: '' }] }])
  })

  it('tells log probabilities where they are asked for', async () => {
    const { documents } = await run({ top_logprobs: 1, ...plain })
    for (const document of documents) validateAgainstOpenAi('ResponseEvent', document)
    const deltas = documents.filter(({ type }) => type === 'response.output_text.delta')
    expect(deltas[0]).toMatchObject({ delta: 'Hello', logprobs: [{ token: 'Hello', top_logprobs: [{}] }] })
    expect(documents.find(({ type }) => type === 'response.output_text.done')).toMatchObject({
      logprobs: [{ token: 'Hello' }, { token: ' world' }, { token: '!' }],
    })
  })

  it('takes back what an earlier one held', async () => {
    const engine = scriptedEngine({ info, script: thinksAndCalls })
    const first = await runPath('/v1/responses', { input: 'Hi', tools: [weather] }, engine)
    const output = first.body.output as { type: string; call_id?: string }[]
    const call_id = output.find(({ type }) => type === 'function_call')?.call_id
    const input = [
      { role: 'user', content: 'Hi' },
      ...output,
      { type: 'function_call_output', call_id, output: 'sunny' },
    ]
    await runPath('/v1/responses', { input, tools: [weather] }, engine)
    expect(engine.runs[1]?.request.prompt).toMatchObject({
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'Looking', toolCalls: [{ id: call_id, name: 'weather' }] },
        { role: 'tool', toolCallId: call_id, content: 'sunny' },
      ],
    })
  })

  it('that breaks off says so in its stream before it is refused', async () => {
    const gate = new Gate()
    const script = function* () {
      yield 'a'
      yield gate
    }
    const engine = scriptedEngine({ script })
    const told: string[] = []
    const running = runPath('/v1/responses', { input: 'Hi', ...plain }, engine, {}, (event) => {
      if (event.type === 'event') told.push(event.json)
    })
    await gate.reached
    engine.lose()
    await expect(running).rejects.toMatchObject({ status: 503, apiCode: 'engine_lost' })
    const last = JSON.parse(told.at(-1) ?? '{}')
    validateAgainstOpenAi('ResponseEvent', last)
    expect(last).toMatchObject({
      type: 'response.failed',
      response: { status: 'failed', error: { code: 'server_error' }, usage: { output_tokens: 1 } },
    })
  })

  it('names its own fields when it is refused', async () => {
    await expect(run({}, {}, { maxPromptTokens: 1 })).rejects.toMatchObject({ status: 400, param: 'input' })
    const format = { type: 'json_schema', name: 'a', schema: { type: 'string', minLength: 'x' } }
    await expect(run({ text: { format } })).rejects.toMatchObject({
      param: expect.stringMatching(/^text\.format\.schema/),
    })
    await expect(run({}, {}, { n: 2 })).rejects.toMatchObject({ param: 'n' })
  })
})

describe('input tokens', () => {
  const count = (body: Record<string, unknown>, engine: ScriptedOptions = {}) =>
    runPath('/v1/responses/input_tokens', { input: 'Hello', ...body }, scriptedEngine(engine))

  it('are counted and cost nothing', async () => {
    const { body, result } = await count({ instructions: 'Be kind' })
    validateAgainstOpenAi('InputTokens', body)
    expect(body).toEqual({ object: 'response.input_tokens', input_tokens: 12 })
    expect(result.usage).toMatchObject({ prompt_tokens: 0, completion_tokens: 0 })
  })

  it('are told also above what the model takes', async () => {
    const { body } = await count({}, { count: () => 100_000 })
    expect(body.input_tokens).toBe(100_000)
  })
})

it('is cut before one of its events is longer than a gateway takes: that would be held against the worker', async () => {
  const long = { token: 'y'.repeat(1_000_000), bytes: [120], logprob: -1 }
  const script = () =>
    Array.from({ length: 80 }, () => ({ text: 'x', tokens: 1, logprobs: [{ ...long, top: [] }] }))
  const longest = { bytes: 0 }
  const context = runPath(
    '/v1/responses',
    { input: 'Hi', top_logprobs: 1, ...plain },
    scriptedEngine({ script }),
    {},
    (event) => {
      if (event.type === 'event') longest.bytes = Math.max(longest.bytes, event.json.length)
    },
  )
  const { documents } = await context
  expect(documents.at(-1)).toMatchObject({ type: 'response.incomplete' })
  expect(longest.bytes).toBeGreaterThan(32 * 1024 * 1024)
  expect(longest.bytes).toBeLessThan(64 * 1024 * 1024)
})
