/** What the embedded model is too small for: a model that thinks, decides to call a tool, and reads its result. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { HumanMessage, type ToolMessage } from '@langchain/core/messages'
import { tool as langChainTool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import { generateText, isStepCount, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { zodFunction } from 'openai/helpers/zod'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Gate, type ScriptedOptions } from '../../../worker/engine/testing/scripted.ts'
import { InProcess } from '../inprocess.ts'
import { type CheckedFetch, checkedFetch } from './checked.ts'

const City = z.object({ city: z.string() })
const QUESTION = 'Do I need an umbrella in Bonn?'
const ANSWER = 'No: it is sunny in Bonn.'
const HELD = 'Go on until it breaks'

/** Where the script of `HELD` waits. */
let gate: Gate

/** Thinks, calls where the last word is not a tool's, and else answers with what the tool said. */
const thoughtful: ScriptedOptions = {
  info: {
    promptStyle: 'jinja',
    toolFormat: 'hermes',
    reasoning: { open: '<think>', close: '</think>' },
    contextLength: 8_192,
  },
  script: ({ prompt }) => {
    const last = prompt.kind === 'chat' ? prompt.messages.at(-1) : undefined
    if (last?.content === HELD) return ['Well', ',', gate]
    if (last?.role === 'tool') return ['<think>', 'I see', '</think>', '\n', `No: it is ${last.content}`, '.']
    const call = [
      '<tool_call>\n',
      '{"name": "weather", "arguments": ',
      '{"city":',
      ' "Bonn"}',
      '}\n</tool_call>',
    ]
    return ['<think>', 'Look it', ' up', '</think>', '\n', ...call]
  },
}

let net: InProcess
beforeAll(async () => {
  net = await InProcess.open({ engine: thoughtful })
})
afterAll(() => net[Symbol.asyncDispose]())

let checked: CheckedFetch
beforeEach(() => {
  checked = checkedFetch()
  gate = new Gate()
})
afterEach(() => checked.check())

const sunny = ({ city }: z.infer<typeof City>) => `sunny in ${city}`

describe('openai', () => {
  const open = () =>
    new OpenAI({ baseURL: `${net.url}/v1`, apiKey: net.apiKey, maxRetries: 0, fetch: checked.fetch })
  const weather = () => zodFunction({ name: 'weather', parameters: City, function: sunny })
  const messages = [{ role: 'user' as const, content: QUESTION }]

  it('runs tools by itself until the answer', async () => {
    const { completions } = open().chat
    const ask = { model: net.model, messages, tools: [weather()] }
    expect(await completions.runTools(ask).finalContent()).toBe(ANSWER)
    expect(await completions.runTools({ ...ask, stream: true }).finalContent()).toBe(ANSWER)
    expect(checked.exchanges).toHaveLength(4)
  })

  it('goes on with the items of a response, reasoning among them', async () => {
    const { responses } = open()
    const parameters = { ...z.toJSONSchema(City) }
    const tools = [{ type: 'function' as const, name: 'weather', strict: true, parameters }]
    const input: OpenAI.Responses.ResponseInput = [{ role: 'user', content: QUESTION }]
    const first = await responses.stream({ model: net.model, input, tools }).finalResponse()
    expect(first.output.map(({ type }) => type)).toEqual(['reasoning', 'function_call'])
    input.push(...(first.output as OpenAI.Responses.ResponseInputItem[]))
    for (const item of first.output) {
      if (item.type !== 'function_call') continue
      const output = sunny(City.parse(JSON.parse(item.arguments)))
      input.push({ type: 'function_call_output', call_id: item.call_id, output })
    }
    const second = await responses.create({ model: net.model, input, tools })
    expect(second.output_text).toBe(ANSWER)
    expect(second.usage?.output_tokens_details.reasoning_tokens).toBe(3)
  })

  it('throws what broke a stream, with its code', async () => {
    await using broken = await InProcess.open({ engine: thoughtful })
    const client = new OpenAI({ baseURL: `${broken.url}/v1`, apiKey: broken.apiKey })
    const held = [{ role: 'user' as const, content: HELD }]
    const stream = await client.chat.completions.create({ model: broken.model, messages: held, stream: true })
    let text = ''
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    })()
    await gate.reached
    broken.engine.lose()
    await expect(reading).rejects.toMatchObject({ code: 'engine_lost' })
    expect(text).toBe('Well,')
  })
})

describe('the Vercel AI SDK', () => {
  const provider = () =>
    createOpenAICompatible({
      name: 'chrysalis',
      baseURL: `${net.url}/v1`,
      apiKey: net.apiKey,
      fetch: checked.fetch,
      includeUsage: true,
    })

  it('takes step after step until the answer, and shows the reasoning', async () => {
    const ask = {
      model: provider()(net.model),
      prompt: QUESTION,
      maxRetries: 0,
      tools: { weather: tool({ inputSchema: City, execute: async (input) => sunny(input) }) },
      stopWhen: isStepCount(3),
    }
    const whole = await generateText(ask)
    expect(whole.text).toBe(ANSWER)
    expect(whole.steps.map(({ reasoningText }) => reasoningText)).toEqual(['Look it up', 'I see'])
    const streamed = streamText(ask)
    expect((await Array.fromAsync(streamed.textStream)).join('')).toBe(ANSWER)
    expect((await streamed.steps).map(({ reasoningText }) => reasoningText)).toEqual(['Look it up', 'I see'])
  })
})

describe('LangChain', () => {
  it('binds a tool, calls it and goes on, streamed or not', async () => {
    const weather = langChainTool(sunny, { name: 'weather', schema: City })
    const configuration = { baseURL: `${net.url}/v1`, fetch: checked.fetch }
    const model = new ChatOpenAI({ model: net.model, apiKey: net.apiKey, maxRetries: 0, configuration })
    const bound = model.bindTools([weather])
    const question = new HumanMessage(QUESTION)
    const asked = await bound.invoke([question])
    const [call] = asked.tool_calls ?? []
    if (!call) throw new Error('no call was made')
    const result: ToolMessage = await weather.invoke(call)
    expect((await bound.invoke([question, asked, result])).text).toBe(ANSWER)
    const chunks = await Array.fromAsync(await bound.stream([question]))
    const [whole, ...others] = chunks.reduce((sum, chunk) => sum.concat(chunk)).tool_calls ?? []
    expect(whole).toMatchObject({ name: 'weather', args: { city: 'Bonn' } })
    expect(others).toEqual([])
  })
})
