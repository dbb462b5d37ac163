import OpenAI7 from 'openai'
import * as helpers7 from 'openai/helpers/zod'
import OpenAI6 from 'openai-6'
import * as helpers6 from 'openai-6/helpers/zod'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type CheckedFetch, checkedFetch } from './checked.ts'
import { stack } from './shared.ts'

/** The two major versions that programs use. The older one's types are another package's: the calls here fit both. */
const VERSIONS = [
  ['7', OpenAI7, helpers7],
  ['6', OpenAI6 as unknown as typeof OpenAI7, helpers6 as unknown as typeof helpers7],
] as const

const QUESTION = 'What is Chrysalis?'
const model = 'chrysalis/tiny'
const messages = [{ role: 'user' as const, content: QUESTION }]
const Trip = z.object({ city: z.enum(['Berlin', 'Paris', 'Rome']), days: z.number().int().min(1).max(7) })
const forecast = {
  type: 'function' as const,
  function: { name: 'forecast', description: 'Weather', strict: true, parameters: z.toJSONSchema(Trip) },
}

describe.each(VERSIONS)('openai %s.x', (_, OpenAI, { zodFunction, zodResponseFormat, zodTextFormat }) => {
  let client: OpenAI7
  let checked: CheckedFetch
  beforeEach(() => {
    checked = checkedFetch()
    const { url: baseURL, apiKey } = stack().ready
    client = new OpenAI({ baseURL, apiKey, maxRetries: 0, fetch: checked.fetch })
  })
  afterEach(() => checked.check())

  it('lists models and finds one with a slash in its name', async () => {
    const listed = await Array.fromAsync(client.models.list())
    expect(listed.map(({ id }) => id)).toEqual([model])
    expect(await client.models.retrieve(model)).toEqual(listed[0])
  })

  it('chats: the same by create(), by a stream and by the helper', async () => {
    const ask = { model, messages, temperature: 0, seed: 1 }
    const whole = await client.chat.completions.create(ask)
    const content = whole.choices[0]?.message.content
    expect(content).toMatch(/^Chrysalis is /)
    const chunks = await Array.fromAsync(await client.chat.completions.create({ ...ask, stream: true }))
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(content)
    const runner = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } })
    const final = await runner.finalChatCompletion()
    expect(final.choices[0]?.message.content).toBe(content)
    expect(await runner.totalUsage()).toMatchObject({ total_tokens: whole.usage?.total_tokens })
  })

  it('runs a conversation with a tool to its end, streamed or not', async () => {
    const calls: unknown[] = []
    const tool = zodFunction({
      name: 'forecast',
      parameters: Trip,
      function: (trip) => {
        calls.push(trip)
        return 'sunny'
      },
    })
    for (const stream of [false, true]) {
      const ask = { model, messages, temperature: 0, tools: [tool], tool_choice: 'required' as const }
      // The choice of the first turn holds for the second too: so it ends after one.
      const limits = { maxChatCompletions: 1 }
      const runner = stream
        ? client.chat.completions.runTools({ ...ask, stream: true }, limits)
        : client.chat.completions.runTools(ask, limits)
      await runner.done()
      expect(runner.messages.at(-1)).toMatchObject({ role: 'tool', content: 'sunny' })
    }
    expect(calls).toHaveLength(2)
    expect(calls[0]).toEqual(calls[1])
    const [assistant] = checked.exchanges
    const first = JSON.parse((await assistant?.text) ?? '').choices[0].message
    const id = first.tool_calls[0].id
    const answered = [...messages, first, { role: 'tool' as const, tool_call_id: id, content: 'sunny' }]
    const after = await client.chat.completions.create({
      model,
      messages: answered,
      tools: [forecast],
      max_completion_tokens: 8,
    })
    expect(after.choices[0]?.message.role).toBe('assistant')
  })

  it('streams deltas of a forced call, which add up to what comes whole', async () => {
    const tool_choice = { type: 'function' as const, function: { name: 'forecast' } }
    const ask = { model, messages, temperature: 0, tools: [forecast], tool_choice }
    const whole = await client.chat.completions.create(ask)
    const [choice] = whole.choices
    expect(choice).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } })
    const final = await client.chat.completions.stream(ask).finalChatCompletion()
    const strip = (call: unknown) => ({ ...(call as object), id: '' })
    expect(final.choices[0]?.message.tool_calls?.map(strip)).toMatchObject(
      choice?.message.tool_calls?.map(strip) ?? [],
    )
  })

  it('parses structured output, and says when it was cut', async () => {
    const response_format = zodResponseFormat(Trip, 'trip')
    const { choices } = await client.chat.completions.parse({ model, messages, response_format })
    expect(Trip.safeParse(choices[0]?.message.parsed).success).toBe(true)
    const cut = client.chat.completions.parse({ model, messages, response_format, max_completion_tokens: 2 })
    await expect(cut).rejects.toThrow(/length limit/)
  })

  it('continues texts, and echoes them with log probabilities', async () => {
    const made = await client.completions.create({
      model,
      prompt: ['Good morning', 'Thank you'],
      echo: true,
      logprobs: 2,
      max_tokens: 3,
    })
    expect(made.choices.map(({ index }) => index)).toEqual([0, 1])
    for (const [index, { text, logprobs }] of made.choices.entries()) {
      expect(text.startsWith(['Good morning', 'Thank you'][index] ?? '?')).toBe(true)
      expect(logprobs?.tokens?.join('')).toBe(text)
      expect(logprobs?.token_logprobs?.[0]).toBeNull()
    }
    const pieces = await Array.fromAsync(
      await client.completions.create({ model, prompt: 'Good', max_tokens: 3, temperature: 0, stream: true }),
    )
    expect(pieces.at(-1)?.choices[0]?.finish_reason).toBe('length')
  })

  it('embeds: base64 as the client asks by itself, and floats, are the same numbers', async () => {
    const input = ['Good morning', 'Where is the station?']
    const packed = await client.embeddings.create({ model, input })
    const floats = await client.embeddings.create({ model, input, encoding_format: 'float' })
    expect(checked.exchanges[0]?.sent).toMatchObject({ encoding_format: 'base64' })
    for (const [index, { embedding }] of packed.data.entries()) {
      expect(embedding.length).toBeGreaterThan(100)
      const other = floats.data[index]?.embedding ?? []
      expect(Math.max(...embedding.map((value, i) => Math.abs(value - (other[i] ?? 9))))).toBeLessThan(1e-6)
    }
    expect(packed.data.map(({ index }) => index)).toEqual([0, 1])
  })

  it('responds: whole, streamed by the helper, parsed, with a forced call, and counts tokens', async () => {
    const ask = { model, input: QUESTION, temperature: 0 }
    const whole = await client.responses.create(ask)
    expect(whole.output_text).toMatch(/^Chrysalis is /)
    const final = await client.responses.stream(ask).finalResponse()
    expect(final.output_text).toBe(whole.output_text)
    const format = zodTextFormat(Trip, 'trip')
    const parsed = await client.responses.parse({ ...ask, text: { format } })
    expect(Trip.safeParse(parsed.output_parsed).success).toBe(true)
    const tool = { type: 'function' as const, ...forecast.function }
    const called = await client.responses.create({ ...ask, tools: [tool], tool_choice: 'required' })
    const call = called.output.find((item) => item.type === 'function_call')
    expect(Trip.safeParse(JSON.parse(call?.arguments ?? '')).success).toBe(true)
    const counted = await client.responses.inputTokens.count({ model, input: QUESTION })
    expect(counted.input_tokens).toBe(whole.usage?.input_tokens)
  })

  it('goes on with a response by sending back what it held', async () => {
    const first = await client.responses.create({ model, input: QUESTION, temperature: 0 })
    const input = [
      { role: 'user' as const, content: QUESTION },
      ...(first.output as OpenAI7.Responses.ResponseInputItem[]),
      { role: 'user' as const, content: 'Thank you' },
    ]
    const second = await client.responses.create({ model, input, max_output_tokens: 20 })
    expect(second.usage?.input_tokens).toBeGreaterThan(first.usage?.input_tokens ?? 0)
  })

  it('knows each refusal by its class', async () => {
    const ask = { model, messages }
    await expect(client.models.retrieve('chrysalis/huge')).rejects.toThrow(OpenAI.NotFoundError)
    const hot = client.chat.completions.create({ ...ask, temperature: 2.1 })
    await expect(hot).rejects.toMatchObject({ status: 400, param: 'temperature' })
    const wrong = client.withOptions({ apiKey: 'sk-chry-wrong' })
    await expect(wrong.models.list()).rejects.toThrow(OpenAI.AuthenticationError)
    const hosted = client.responses.create({ model, input: 'x', store: true })
    await expect(hosted).rejects.toMatchObject({ status: 400, param: 'store' })
    expect(checked.exchanges).toHaveLength(4)
  })

  it('hangs up in mid-stream without harm to the next request', async () => {
    const stream = await client.chat.completions.create({ model, messages, stream: true })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
    checked = checkedFetch()
    const ask = { model, messages, temperature: 0, max_completion_tokens: 1 }
    const after = await client.chat.completions.create(ask)
    expect(after.choices[0]?.finish_reason).toBe('length')
  })
})
