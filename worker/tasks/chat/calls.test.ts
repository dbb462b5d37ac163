import { describe, expect, it } from 'vitest'
import { type ScriptedOptions, type ScriptStep, scriptedEngine } from '../../engine/testing/scripted.ts'
import { validateAgainstOpenAi } from '../../testing/openai-schemas.ts'
import { GbnfMatcher } from '../grammar/testing.ts'
import { run as runPath } from '../testing.ts'

const messages = [{ role: 'user', content: 'Weather?' }]
const plain = { stream: true, stream_options: { include_obfuscation: false } }
const info = { promptStyle: 'jinja', toolFormat: 'hermes' } as const
const parameters = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
const weather = { type: 'function', function: { name: 'weather', description: 'Tells it', parameters } }
const time = { type: 'function', function: { name: 'time' } }
const shell = { type: 'custom', custom: { name: 'shell' } }
const tools = [weather, time, shell]

const calls = (...each: [name: string, json: string][]): ScriptStep[] =>
  each.flatMap(([name, json]) => [
    '<tool_call>\n',
    `{"name": "${name}", "arguments": `,
    json.slice(0, 5),
    json.slice(5),
    '}\n</tool_call>\n',
  ])
const twice = { script: () => ['Let me look.\n', ...calls(['weather', '{"city":"Bonn"}'], ['time', '{}'])] }

const run = (body: Record<string, unknown>, engine: ScriptedOptions = twice) =>
  runPath('/v1/chat/completions', { messages, tools, ...body }, scriptedEngine({ info, ...engine }))

interface Delta {
  content?: string
  function_call?: { name?: string; arguments?: string }
  tool_calls?: {
    index: number
    id?: string
    type?: string
    function?: { name?: string; arguments: string }
  }[]
}

const deltasOf = (documents: Record<string, unknown>[]) =>
  documents.map((document) => (document.choices as [{ delta: Delta }])[0].delta)

describe('tool calls', () => {
  it('are taken out of the text of a whole answer', async () => {
    const { body, result } = await run({})
    validateAgainstOpenAi('Chat', body)
    const call = (name: string, text: string) => ({
      id: expect.stringMatching(/^call_[0-9a-f]{24}$/),
      type: 'function',
      function: { name, arguments: text },
    })
    expect(body.choices).toMatchObject([
      {
        finish_reason: 'tool_calls',
        message: {
          content: expect.stringContaining('Let me look.'),
          tool_calls: [call('weather', '{"city":"Bonn"}'), call('time', '{}')],
        },
      },
    ])
    expect(result.finishReason).toBe('tool_calls')
  })

  it('without a word beside them have the content null', async () => {
    const { body } = await run({}, { script: () => calls(['time', '{}']) })
    expect(body.choices).toMatchObject([{ message: { content: null } }])
  })

  it('stream: name first, then pieces of the arguments, by index', async () => {
    const { documents } = await run(plain)
    for (const document of documents) validateAgainstOpenAi('ChatChunk', document)
    const joined: Record<number, { name: string; text: string }> = {}
    for (const { index, id, type, function: made } of deltasOf(documents).flatMap(
      (each) => each.tool_calls ?? [],
    )) {
      if (made?.name !== undefined) {
        expect({ id, type, made }).toEqual({
          id: expect.stringMatching(/^call_/),
          type: 'function',
          made: { name: made.name, arguments: '' },
        })
        joined[index] = { name: made.name, text: '' }
      } else if (joined[index]) joined[index].text += made?.arguments
    }
    expect(joined).toEqual({
      0: { name: 'weather', text: '{"city":"Bonn"}' },
      1: { name: 'time', text: '{}' },
    })
    expect(documents.at(-1)?.choices).toMatchObject([{ delta: {}, finish_reason: 'tool_calls' }])
  })

  it('come to one where several are not wanted, and the engine is stopped', async () => {
    const engine = scriptedEngine({ info, ...twice })
    const { body } = await runPath(
      '/v1/chat/completions',
      { messages, tools, parallel_tool_calls: false },
      engine,
    )
    expect(body.choices).toMatchObject([
      { finish_reason: 'tool_calls', message: { tool_calls: [{ function: { name: 'weather' } }] } },
    ])
    expect((body.choices as [{ message: { tool_calls: object[] } }])[0].message.tool_calls).toHaveLength(1)
    expect(engine.runs[0]?.state).toBe('cancelled')
  })

  it('that were cut say so', async () => {
    const { body } = await run({ max_tokens: 4 })
    expect(body.choices).toMatchObject([
      { finish_reason: 'length', message: { tool_calls: [{ function: { arguments: '{"cit' } }] } },
    ])
  })

  it('of custom tools hold their input', async () => {
    const script = () => calls(['shell', '{"input": "ls \\"a\\""}'])
    const { body } = await run({}, { script })
    expect(body.choices).toMatchObject([
      { message: { tool_calls: [{ type: 'custom', custom: { name: 'shell', input: 'ls "a"' } }] } },
    ])
    const { documents } = await run(plain, { script })
    expect(deltasOf(documents).flatMap((delta) => delta.tool_calls ?? [])).toEqual([
      { index: 0, id: expect.any(String), type: 'custom', custom: { name: 'shell', input: '' } },
      { index: 0, custom: { input: 'ls "a"' } },
    ])
  })

  it('answer the deprecated functions in their own form', async () => {
    const legacy = { tools: undefined, functions: [weather.function] }
    const { body } = await run(legacy)
    validateAgainstOpenAi('Chat', body)
    expect(body.choices).toMatchObject([
      {
        finish_reason: 'function_call',
        message: { function_call: { name: 'weather', arguments: '{"city":"Bonn"}' } },
      },
    ])
    const { documents, result } = await run({ ...legacy, ...plain })
    for (const document of documents) validateAgainstOpenAi('ChatChunk', document)
    const pieces = deltasOf(documents).flatMap((delta) => delta.function_call ?? [])
    expect(pieces[0]).toEqual({ name: 'weather', arguments: '' })
    expect(pieces.map((piece) => piece.arguments).join('')).toBe('{"city":"Bonn"}')
    expect(result.finishReason).toBe('tool_calls')
  })
})

describe('what the model is shown and held to', () => {
  const ask = async (body: Record<string, unknown>, options: ScriptedOptions = {}) => {
    const engine = scriptedEngine({ info, ...options })
    await runPath('/v1/chat/completions', { messages, ...body }, engine)
    return engine.runs[0]?.request
  }

  it('are the tools that it may call', async () => {
    const named = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [weather] } }
    const names = async (tool_choice: unknown) => {
      const request = await ask({ tools, tool_choice })
      return request?.prompt.kind === 'chat' ? request.prompt.tools?.map(({ name }) => name) : undefined
    }
    expect(await names(undefined)).toEqual(['weather', 'time', 'shell'])
    expect(await names('none')).toBeUndefined()
    expect(
      await names({
        ...named,
        allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'time' } }] },
      }),
    ).toEqual(['time'])
    expect(await names({ type: 'function', function: { name: 'weather' } })).toEqual(['weather'])
  })

  it('is free text until it begins a call, unless it has to make one', async () => {
    const auto = await ask({ tools })
    expect(auto?.grammar?.triggers).toEqual(['<tool_call>'])
    const forced = await ask({ tools, tool_choice: 'required' })
    expect(forced?.grammar?.triggers).toBeUndefined()
    expect(forced?.grammar?.gbnf).toBe(auto?.grammar?.gbnf)
    expect((await ask({ tools, tool_choice: 'none' }))?.grammar).toBeUndefined()
  })

  it('is held from the start where calls have no mark and a form has to be kept', async () => {
    const strict = { type: 'function', function: { ...weather.function, strict: true } }
    const llama = { info: { ...info, toolFormat: 'llama3' } } as const
    expect((await ask({ tools: [weather] }, llama))?.grammar).toBeUndefined()
    const grammar = (await ask({ tools: [weather, strict].slice(1) }, llama))?.grammar
    expect(grammar?.triggers).toBeUndefined()
    const gbnf = new GbnfMatcher(grammar?.gbnf ?? '')
    expect(gbnf.matches('{"name": "weather", "parameters": {"city":"Bonn"}}')).toBe(true)
    expect(gbnf.matches('It is sunny in {Bonn}.')).toBe(true)
    expect(gbnf.matches('{"name": "weather", "parameters": {"town":"Bonn"}}')).toBe(false)
  })

  it('is a call or the document where both are asked for', async () => {
    const request = await ask({ tools, response_format: { type: 'json_object' } })
    expect(request?.grammar?.gbnf).toMatch(/^root ::= a-root \| b-root\n/)
  })

  it("is a client's grammar as it is", async () => {
    const gbnf = 'root ::= "yes" | "no"'
    expect((await ask({ grammar: gbnf }))?.grammar).toEqual({ gbnf })
  })

  it('is a way of ours for a model that was taught none', async () => {
    const request = await ask(
      { tools, tool_choice: 'required' },
      { info: { toolFormat: undefined } as never },
    )
    expect(request?.grammar?.gbnf).toContain('tool_call')
  })

  it('are earlier calls and their results', async () => {
    const conversation = [
      ...messages,
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'weather', arguments: '{"city":"Bonn"}' } },
          { id: 'b', type: 'custom', custom: { name: 'shell', input: 'ls' } },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'sunny' },
      { role: 'tool', tool_call_id: 'b', content: 'x' },
    ]
    const request = await ask({ tools, messages: conversation })
    expect(request?.prompt).toMatchObject({
      messages: [
        { role: 'user' },
        {
          role: 'assistant',
          content: '',
          toolCalls: [
            { id: 'a', name: 'weather', arguments: '{"city":"Bonn"}' },
            { id: 'b', name: 'shell', arguments: '{"input":"ls"}' },
          ],
        },
        { role: 'tool', toolCallId: 'a', content: 'sunny' },
        { role: 'tool', toolCallId: 'b', content: 'x' },
      ],
    })
  })

  it('of a model with a way of its own are held to their schema when a tool is strict', async () => {
    const strict = { type: 'function', function: { ...weather.function, strict: true } }
    const grammarOf = async (tool: object, toolFormat: 'glm' | 'gemma') =>
      (await ask({ tools: [tool] }, { info: { ...info, toolFormat } }))?.grammar
    expect(await grammarOf(weather, 'glm')).toBeUndefined()
    expect((await grammarOf(strict, 'glm'))?.triggers).toEqual(['<tool_call>'])
    expect((await grammarOf(strict, 'gemma'))?.triggers).toEqual(['<|tool_call>'])
  })

  it('are refused by name where they cannot be held', async () => {
    const strict = {
      type: 'function',
      function: { ...weather.function, strict: true, parameters: { type: 'object' } },
    }
    await expect(ask({ tools: [time, strict] })).rejects.toMatchObject({
      status: 400,
      param: expect.stringMatching(/^tools\[1\]\.function\.parameters/),
    })
    const schema = { type: 'string', minLength: 'x' }
    const response_format = { type: 'json_schema', json_schema: { name: 'a', schema } }
    await expect(ask({ response_format })).rejects.toMatchObject({
      status: 400,
      param: expect.stringMatching(/^response_format\.json_schema\.schema/),
    })
    await expect(ask({ logit_bias: { 9999: 1 } })).rejects.toMatchObject({
      status: 400,
      param: 'logit_bias.9999',
    })
  })
})
