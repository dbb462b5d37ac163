import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { InProcess, type InProcessOptions, PRICE } from './inprocess.ts'

const messages = [{ role: 'user' as const, content: 'Hello?' }]

async function open(engine: InProcessOptions['engine'] = {}) {
  const net = await InProcess.open({ engine })
  const client = new OpenAI({ baseURL: `${net.url}/v1`, apiKey: net.apiKey, maxRetries: 0 })
  return { net, client, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() }
}

/** What one request cost, once it is settled: nanotons. */
async function costOf(net: InProcess, response: Response): Promise<bigint> {
  const { stored } = await net.receipt(String(response.headers.get('chrysalis-receipt')))
  return stored.charged
}

const price = (promptTokens: number, completionTokens: number) =>
  PRICE.prompt * BigInt(promptTokens) + PRICE.completion * BigInt(completionTokens)

/** Long tokens with many alternatives: as much as an answer can hold for each token. */
function wordy(count: number) {
  const blanks = ' '.repeat(120)
  const chance = { token: blanks, bytes: [...Buffer.from(blanks)], logprob: -1 }
  const token = { ...chance, top: Array.from({ length: 20 }, () => chance) }
  return Array.from({ length: count }, () => ({ text: blanks, tokens: 1, logprobs: [token] }))
}

describe('every path, through gateway, seal, worker and ledger', () => {
  it('a chat of several choices is charged for one prompt and all answers', async () => {
    await using made = await open()
    const { data, response } = await made.client.chat.completions
      .create({ model: made.net.model, messages, n: 3 })
      .withResponse()
    expect(data.choices.map(({ message }) => message.content)).toEqual(Array(3).fill('Hello world!'))
    expect(data.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 9 })
    expect(await costOf(made.net, response)).toBe(price(6, 9))
  })

  it('completions, of which more are made than told', async () => {
    await using made = await open()
    const { data, response } = await made.client.completions
      .create({ model: made.net.model, prompt: ['ab', 'c'], n: 1, best_of: 2, max_tokens: 5 })
      .withResponse()
    expect(data.choices).toHaveLength(2)
    expect(await costOf(made.net, response)).toBe(price(3, 12))
  })

  it.each([false, true])('log probabilities of long tokens (stream: %s)', async (stream) => {
    await using made = await open({ script: () => wordy(30) })
    const ask = { model: made.net.model, messages, logprobs: true, top_logprobs: 20, max_tokens: 30, stream }
    const response = await made.net.post('/v1/chat/completions', ask)
    expect(response.status).toBe(200)
    const text = await response.text()
    expect(text.match(/"top_logprobs"/g)).toHaveLength(30)
    if (stream) expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(await costOf(made.net, response)).toBe(price(6, 30))
  })

  it('embeddings, long vectors of short texts too', async () => {
    await using made = await open({ info: { embeddingLength: 4096 } })
    for (const encoding_format of ['base64', 'float'] as const) {
      const input = ['a', 'bc']
      const { data, response } = await made.client.embeddings
        .create({ model: made.net.model, input, encoding_format })
        .withResponse()
      expect(data.data).toHaveLength(2)
      expect(await costOf(made.net, response)).toBe(price(3, 0))
    }
  })

  it('a response whose events are longer than a frame', async () => {
    await using made = await open({ info: { contextLength: 1_000_000 } })
    const instructions = 'é'.repeat(150_000)
    const { data, response } = await made.client.responses
      .create({ model: made.net.model, instructions, input: 'Hi', stream: true })
      .withResponse()
    const events: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const event of data) events.push(event)
    const last = events.at(-1)
    expect(last?.type).toBe('response.completed')
    if (last?.type !== 'response.completed') return
    expect(last.response.instructions).toBe(instructions)
    expect(last.response.usage).toMatchObject({ input_tokens: 150_002, output_tokens: 3 })
    expect(await costOf(made.net, response)).toBe(price(150_002, 3))
  })

  it('log probabilities of a response, which are told several times', async () => {
    await using made = await open({ script: () => wordy(20) })
    const ask = { model: made.net.model, input: 'Hi', top_logprobs: 20, max_output_tokens: 20, stream: true }
    const response = await made.net.post('/v1/responses', ask)
    const text = await response.text()
    expect(text).toContain('event: response.completed\n')
    expect(await costOf(made.net, response)).toBe(price(2, 20))
  })

  it('the counting of tokens, for nothing', async () => {
    await using made = await open()
    const { data, response } = await made.client.responses.inputTokens
      .count({ model: made.net.model, input: 'Hello' })
      .withResponse()
    expect(data).toEqual({ object: 'response.input_tokens', input_tokens: 5 })
    expect(await costOf(made.net, response)).toBe(0n)
  })

  it('a name of a field that is longer than an error may be is no fault of the worker', async () => {
    await using made = await open()
    let schema: object = { type: 'string', minLength: 'x' }
    for (let depth = 0; depth < 5; depth++)
      schema = { type: 'object', properties: { ['n'.repeat(100)]: schema } }
    const response_format = { type: 'json_schema', json_schema: { name: 'a', schema } }
    const ask = { model: made.net.model, messages, response_format }
    const response = await made.net.post('/v1/chat/completions', ask)
    expect(response.status).toBe(400)
    const after = await made.net.post('/v1/chat/completions', { model: made.net.model, messages })
    expect(after.status).toBe(200)
  })
})
