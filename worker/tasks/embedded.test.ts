import { Ajv } from 'ajv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChildEngine, embeddedModel, startEngine } from '../engine/index.ts'
import { validateAgainstOpenAi } from '../testing/openai-schemas.ts'
import type { TaskContext } from './index.ts'
import { run as runPath } from './testing.ts'

let engine: ChildEngine

beforeAll(async () => {
  engine = await startEngine({ modelPath: embeddedModel.path, gpu: 'off', threads: 1, sequences: 4 })
})

afterAll(() => engine?.close())

const run = (path: string, body: Record<string, unknown>, changes: Partial<TaskContext> = {}) =>
  runPath(path, { model: embeddedModel.id, ...body }, engine, { model: embeddedModel.id, ...changes })

const chat = (body: Record<string, unknown>, changes: Partial<TaskContext> = {}) =>
  run(
    '/v1/chat/completions',
    { messages: [{ role: 'user', content: 'Hello' }], temperature: 0, ...body },
    changes,
  )

const schema = {
  type: 'object',
  properties: {
    city: { enum: ['Berlin', 'Paris', 'Rome'] },
    days: { type: 'integer', minimum: 1, maximum: 7 },
    rain: { type: 'boolean' },
  },
  required: ['city', 'days', 'rain'],
  additionalProperties: false,
}
const holds = new Ajv().compile(schema)
const tools = [
  {
    type: 'function',
    function: { name: 'forecast', description: 'Weather', parameters: schema, strict: true },
  },
  { type: 'function', function: { name: 'now' } },
]

interface Message {
  content: string | null
  tool_calls?: { function: { name: string; arguments: string } }[]
}

const messagesOf = (body: Record<string, unknown>) =>
  (body.choices as { message: Message }[]).map((each) => each.message)

describe('the embedded model', () => {
  it('makes the call that it is forced to make', async () => {
    const tool_choice = { type: 'function', function: { name: 'forecast' } }
    const { body } = await chat({ tools, tool_choice })
    validateAgainstOpenAi('Chat', body)
    const [message] = messagesOf(body)
    expect(message).toMatchObject({ content: null, tool_calls: [{ function: { name: 'forecast' } }] })
    expect(holds(JSON.parse(message?.tool_calls?.[0]?.function.arguments ?? ''))).toBe(true)
    expect(body.choices).toMatchObject([{ finish_reason: 'tool_calls' }])
  })

  it('makes one of several, whole or streamed, and no second where that is not wanted', async () => {
    const body = { tools, tool_choice: 'required', parallel_tool_calls: false }
    const { body: whole } = await chat(body)
    const [message] = messagesOf(whole)
    expect(message?.tool_calls).toHaveLength(1)
    const { documents } = await chat({ ...body, stream: true })
    const pieces = documents.flatMap(
      (document) =>
        (
          document.choices as [
            { delta: { tool_calls?: { function: { name?: string; arguments: string } }[] } },
          ]
        )[0].delta.tool_calls ?? [],
    )
    expect(pieces[0]?.function.name).toBe(message?.tool_calls?.[0]?.function.name)
    expect(pieces.map((piece) => piece.function.arguments).join('')).toBe(
      message?.tool_calls?.[0]?.function.arguments,
    )
  })

  it('writes the document that it is held to', async () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'trip', schema, strict: true } }
    const { body } = await chat({ response_format, n: 3, temperature: 1, seed: 1 }, { n: 3 })
    validateAgainstOpenAi('Chat', body)
    const texts = messagesOf(body).map(({ content }) => content ?? '')
    for (const text of texts) expect(holds(JSON.parse(text))).toBe(true)
    expect(new Set(texts).size).toBeGreaterThan(1)
  })

  it('calls or answers with a document where both are asked for', async () => {
    const response_format = { type: 'json_schema', json_schema: { name: 'trip', schema, strict: true } }
    const { body } = await chat({ response_format, tools })
    const [message] = messagesOf(body)
    const text = message?.tool_calls?.[0]?.function.arguments ?? message?.content ?? ''
    expect(JSON.parse(text)).toBeTypeOf('object')
  })

  it("keeps to a client's grammar, and says which is none", async () => {
    const { body } = await chat({ grammar: 'root ::= "yes, " ("indeed" | "of course")' })
    expect(messagesOf(body)[0]?.content).toMatch(/^yes, (indeed|of course)$/)
    await expect(chat({ grammar: 'root ::= (' })).rejects.toMatchObject({ status: 400, param: 'grammar' })
  })

  it('tells log probabilities of exactly its text', async () => {
    const { body } = await chat({ logprobs: true, top_logprobs: 3 })
    const [choice] = body.choices as [
      {
        message: Message
        logprobs: { content: { token: string; bytes: number[]; logprob: number; top_logprobs: unknown[] }[] }
      },
    ]
    const { content } = choice.logprobs
    expect(Buffer.from(content.flatMap(({ bytes }) => bytes)).toString()).toBe(choice.message.content)
    for (const { logprob, top_logprobs } of content) {
      expect(logprob).toBeLessThanOrEqual(0)
      expect(top_logprobs).toHaveLength(3)
    }
    const [banned] = (await chat({})).body.choices as [{ message: Message }]
    expect(banned.message.content).toBe(choice.message.content)
  })

  it('continues text and echoes it with log probabilities', async () => {
    const prompt = 'Translate'
    const { body } = await run('/v1/completions', {
      prompt,
      echo: true,
      logprobs: 1,
      max_tokens: 1,
      temperature: 0,
    })
    validateAgainstOpenAi('Completion', body)
    const [choice] = body.choices as [
      { text: string; logprobs: { tokens: string[]; token_logprobs: number[] } },
    ]
    expect(choice.text.startsWith(prompt)).toBe(true)
    expect(choice.logprobs.tokens).toHaveLength(choice.logprobs.token_logprobs.length)
    expect(choice.logprobs.token_logprobs.slice(1).every((each) => each <= 0)).toBe(true)
  })

  it('embeds texts as unit vectors: the same for the same, close for the close', async () => {
    const input = ['Good morning', 'Good morning', 'Where is the station?']
    const { body } = await run('/v1/embeddings', { input })
    validateAgainstOpenAi('Embeddings', body)
    const [a = [], b = [], c = []] = (body.data as { embedding: number[] }[]).map(
      ({ embedding }) => embedding,
    )
    const dot = (x: number[], y: number[]) =>
      x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0)
    expect(dot(a, a)).toBeCloseTo(1, 4)
    expect(dot(a, b)).toBeCloseTo(1, 4)
    expect(dot(a, c)).toBeLessThan(0.999)
  })

  it('answers in the form of responses, and counts what it would read', async () => {
    const ask = { input: 'Hello', temperature: 0 }
    const { body } = await run('/v1/responses', ask)
    validateAgainstOpenAi('Response', body)
    const { body: counted } = await run('/v1/responses/input_tokens', { input: 'Hello' })
    expect(counted.input_tokens).toBe((body.usage as { input_tokens: number }).input_tokens)
    const { documents } = await run('/v1/responses', { ...ask, stream: true })
    for (const document of documents) validateAgainstOpenAi('ResponseEvent', document)
    expect(documents.at(-1)?.response).toMatchObject({ output: body.output })
  })
})
