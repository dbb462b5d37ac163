import { HumanMessage, type ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type CheckedFetch, checkedFetch } from './checked.ts'
import { stack } from './shared.ts'

const model = 'chrysalis/tiny'
const QUESTION = 'What is Chrysalis?'
const Trip = z.object({ city: z.enum(['Berlin', 'Paris', 'Rome']), days: z.number().int().min(1).max(7) })

describe('@langchain/openai', () => {
  let checked: CheckedFetch
  let common: { model: string; apiKey: string; maxRetries: number; configuration: object }
  beforeEach(() => {
    checked = checkedFetch()
    const { url: baseURL, apiKey } = stack().ready
    common = { model, apiKey, maxRetries: 0, configuration: { baseURL, fetch: checked.fetch } }
  })
  afterEach(() => checked.check())

  const chat = (more: object = {}) => new ChatOpenAI({ ...common, temperature: 0, ...more })

  it('invokes, and streams the same with its usage', async () => {
    const whole = await chat().invoke(QUESTION)
    expect(whole.text).toMatch(/^Chrysalis is /)
    const chunks = await Array.fromAsync(await chat().stream(QUESTION))
    const all = chunks.reduce((sum, chunk) => sum.concat(chunk))
    expect(all.text).toBe(whole.text)
    expect(all.usage_metadata).toEqual(whole.usage_metadata)
    expect(all.usage_metadata).toMatchObject({ total_tokens: expect.any(Number) })
    expect(checked.exchanges[1]?.sent?.stream_options).toEqual({ include_usage: true })
  })

  it('invokes through the Responses API', async () => {
    const answer = await chat({ useResponsesApi: true }).invoke(QUESTION)
    expect(answer.text).toMatch(/^Chrysalis is /)
    expect(checked.exchanges[0]?.path).toBe('/v1/responses')
    const chunks = await Array.fromAsync(await chat({ useResponsesApi: true }).stream(QUESTION))
    expect(chunks.reduce((sum, chunk) => sum.concat(chunk)).text).toBe(answer.text)
  })

  it.each(['jsonSchema', 'functionCalling', 'jsonMode'] as const)(
    'gives structured output by %s',
    async (method) => {
      const structured = chat().withStructuredOutput(method === 'jsonMode' ? z.looseObject({}) : Trip, {
        method,
        name: 'trip',
      })
      const trip = await structured.invoke(QUESTION)
      if (method === 'jsonMode') expect(trip).toBeTypeOf('object')
      else expect(Trip.safeParse(trip).success).toBe(true)
      expect(checked.exchanges).toHaveLength(1)
    },
  )

  it('binds tools, and goes on with their results', async () => {
    const forecast = tool(({ city }) => `${city}: sunny`, { name: 'forecast', schema: Trip })
    const bound = chat().bindTools([forecast], { tool_choice: 'forecast' })
    const asked = await bound.invoke(QUESTION)
    const [call] = asked.tool_calls ?? []
    expect(call).toMatchObject({ name: 'forecast', type: 'tool_call' })
    if (!call) return
    const result = (await forecast.invoke(call)) as ToolMessage
    expect(result.content).toMatch(/: sunny$/)
    const again = await chat({ maxTokens: 8 })
      .bindTools([forecast], { tool_choice: 'none' })
      .invoke([new HumanMessage(QUESTION), asked, result])
    expect(again.tool_calls).toEqual([])
    const chunks = await Array.fromAsync(await bound.stream(QUESTION))
    const all = chunks.reduce((sum, chunk) => sum.concat(chunk))
    expect(all.tool_calls?.[0]?.args).toEqual(call.args)
  })

  it('embeds documents and queries alike, by base64', async () => {
    const embeddings = new OpenAIEmbeddings({ ...common, encodingFormat: 'base64' })
    const [first, second] = await embeddings.embedDocuments(['Good morning', 'Where is the station?'])
    expect(first).toEqual(await embeddings.embedQuery('Good morning'))
    expect(second).not.toEqual(first)
    expect(checked.exchanges[0]?.sent?.encoding_format).toBe('base64')
  })

  it('completes texts', async () => {
    const text = await new OpenAI({ ...common, maxTokens: 4, temperature: 0 }).invoke('Good')
    expect(text).not.toBe('')
  })
})
