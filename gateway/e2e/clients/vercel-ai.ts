import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embedMany, generateObject, generateText, Output, streamText, tool } from 'ai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type CheckedFetch, checkedFetch } from './checked.ts'
import { stack } from './shared.ts'

const ID = 'chrysalis/tiny'
const prompt = 'What is Chrysalis?'
const Trip = z.object({ city: z.enum(['Berlin', 'Paris', 'Rome']), days: z.number().int().min(1).max(7) })

describe('the Vercel AI SDK with @ai-sdk/openai-compatible', () => {
  let checked: CheckedFetch
  let provider: ReturnType<typeof createOpenAICompatible>
  beforeEach(() => {
    checked = checkedFetch()
    provider = createOpenAICompatible({
      name: 'chrysalis',
      baseURL: stack().ready.url,
      apiKey: stack().ready.apiKey,
      fetch: checked.fetch,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })
  })
  afterEach(() => checked.check())

  const once = { temperature: 0, maxRetries: 0 }

  it('generates text, and streams the same with its usage', async () => {
    const model = provider(ID)
    const whole = await generateText({ model, prompt, ...once })
    expect(whole.text).toMatch(/^Chrysalis is /)
    expect(whole.finishReason).toBe('stop')
    const streamed = streamText({ model, prompt, ...once })
    expect((await Array.fromAsync(streamed.textStream)).join('')).toBe(whole.text)
    expect(await streamed.usage).toMatchObject({
      inputTokens: whole.usage.inputTokens,
      outputTokens: whole.usage.outputTokens,
    })
  })

  it('runs a tool whose call is forced', async () => {
    const asked: unknown[] = []
    const forecast = tool({
      description: 'Weather',
      inputSchema: Trip,
      execute: async (trip) => {
        asked.push(trip)
        return { sky: 'clear' }
      },
    })
    const ask = { model: provider(ID), prompt, ...once, tools: { forecast }, toolChoice: 'required' as const }
    const whole = await generateText(ask)
    expect(whole.finishReason).toBe('tool-calls')
    expect(whole.toolResults[0]).toMatchObject({ toolName: 'forecast', output: { sky: 'clear' } })
    const streamed = streamText(ask)
    const results = await streamed.toolResults
    expect(results[0]?.input).toEqual(whole.toolResults[0]?.input)
    expect(asked).toHaveLength(2)
  })

  it('generates objects by schema, both ways that it has', async () => {
    const model = provider(ID)
    const { object } = await generateObject({ model, prompt, ...once, schema: Trip })
    expect(Trip.safeParse(object).success).toBe(true)
    const { output } = await generateText({ model, prompt, ...once, output: Output.object({ schema: Trip }) })
    expect(Trip.safeParse(output).success).toBe(true)
    expect(checked.exchanges[0]?.sent?.response_format).toMatchObject({ type: 'json_schema' })
  })

  it('asks for any JSON object where it was told of no schemas', async () => {
    const loose = createOpenAICompatible({
      name: 'chrysalis',
      baseURL: stack().ready.url,
      apiKey: stack().ready.apiKey,
      fetch: checked.fetch,
    })
    const ask = { model: loose(ID), prompt, ...once, schema: Trip }
    // What the model then writes is an object, hardly ever this one.
    await generateObject(ask).catch(() => {})
    expect(checked.exchanges[0]?.sent?.response_format).toEqual({ type: 'json_object' })
    expect(checked.exchanges[0]?.status).toBe(200)
  })

  it('completes and embeds', async () => {
    const { text } = await generateText({
      model: provider.completionModel(ID),
      prompt: 'Good',
      maxOutputTokens: 4,
      ...once,
    })
    expect(text).not.toBe('')
    const { embeddings, usage } = await embedMany({
      model: provider.embeddingModel(ID),
      values: ['Good morning', 'Good evening', 'Good morning'],
    })
    expect(embeddings[0]).toEqual(embeddings[2])
    expect(embeddings[0]).not.toEqual(embeddings[1])
    expect(usage.tokens).toBeGreaterThan(0)
  })

  it('tells the words of a refusal', async () => {
    const failed = generateText({ model: provider('chrysalis/huge'), prompt, ...once })
    await expect(failed).rejects.toMatchObject({
      statusCode: 404,
      isRetryable: false,
      message: expect.stringContaining('chrysalis/huge'),
    })
  })
})
