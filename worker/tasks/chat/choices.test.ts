import { describe, expect, it } from 'vitest'
import { Gate, type ScriptedOptions, scriptedEngine } from '../../engine/testing/scripted.ts'
import { validateAgainstOpenAi } from '../../testing/openai-schemas.ts'
import type { TaskContext } from '../index.ts'
import { type Ran, run as runPath } from '../testing.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const streamed = { stream: true, stream_options: { include_usage: true, include_obfuscation: false } }

const run = (
  body: Record<string, unknown>,
  engine: ScriptedOptions = {},
  changes: Partial<TaskContext> = {},
) => runPath('/v1/chat/completions', { messages, ...body }, scriptedEngine(engine), changes)

interface Choice {
  index: number
  finish_reason: string | null
  delta: Record<string, unknown>
  message: Record<string, unknown>
}

const choicesOf = (document: Record<string, unknown>) => document.choices as Choice[]

/** The contents of a stream's choices, each joined. */
function contents({ documents }: Ran): Record<number, string> {
  const texts: Record<number, string> = {}
  for (const { index, delta } of documents.flatMap(choicesOf)) {
    texts[index] = (texts[index] ?? '') + String(delta.content ?? '')
  }
  return texts
}

/** Each choice says its seed, in so many tokens. */
const bySeed: ScriptedOptions = {
  script: ({ sampling }) => Array.from({ length: (sampling.seed ?? 0) % 10 }, () => `${sampling.seed} `),
}

describe('several choices', () => {
  it('are sampled with seeds of their own, under one prompt', async () => {
    const { body, result } = await run({ n: 3, seed: 12 }, bySeed, { n: 3 })
    validateAgainstOpenAi('Chat', body)
    expect(choicesOf(body).map(({ index, message }) => [index, message.content])).toEqual([
      [0, '12 12 '],
      [1, '13 13 13 '],
      [2, '14 14 14 14 '],
    ])
    expect(body.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 9, total_tokens: 11 })
    expect(result.usage).toEqual(body.usage)
  })

  it('stream side by side: one role and one finish each, the usage once', async () => {
    const ran = await run({ ...streamed, n: 2, seed: 2 }, bySeed, { n: 2 })
    for (const document of ran.documents) validateAgainstOpenAi('ChatChunk', document)
    expect(contents(ran)).toEqual({ 0: '2 2 ', 1: '3 3 3 ' })
    const choices = ran.documents.flatMap(choicesOf)
    for (const index of [0, 1]) {
      const own = choices.filter((choice) => choice.index === index)
      expect(own.map(({ delta }) => 'role' in delta)).toEqual(own.map((_, at) => at === 0))
      expect(own.map(({ finish_reason }) => finish_reason !== null)).toEqual(
        own.map((_, at) => at === own.length - 1),
      )
    }
    expect(ran.documents.at(-1)?.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 5 })
    expect(ran.metered.at(-1)).toBe(5)
  })

  it('have seeds that differ, however large the first is', async () => {
    for (const seed of [2 ** 63, -(2 ** 63), 2 ** 53]) {
      const engine = scriptedEngine()
      await runPath('/v1/chat/completions', { messages, n: 2, seed }, engine, { n: 2 })
      const [first, second] = engine.runs.map(({ request }) => request.sampling.seed ?? 0)
      expect(second).toBe((first ?? 0) + 1)
      expect(Number.isSafeInteger(first)).toBe(true)
    }
  })

  it('share what the maximum charge pays for', async () => {
    const endless = { script: () => Array.from({ length: 50 }, () => 'a') }
    const { body, result } = await run({ n: 4 }, endless, { n: 4, affordable: () => 21 })
    expect(choicesOf(body).map(({ message }) => message.content)).toEqual([
      'aaaaa',
      'aaaaa',
      'aaaaa',
      'aaaaaa',
    ])
    expect(choicesOf(body).every(({ finish_reason }) => finish_reason === 'length')).toBe(true)
    expect(result).toMatchObject({ finishReason: 'length', usage: { completion_tokens: 21 } })
  })

  it('are cut one by one: the others go on', async () => {
    const { body, result } = await run({ n: 2, seed: 2, max_tokens: 2 }, bySeed, { n: 2 })
    expect(choicesOf(body).map(({ finish_reason }) => finish_reason)).toEqual(['stop', 'length'])
    expect(result.finishReason).toBe('length')
  })

  it('stop together when their reader leaves or the request is cancelled', async () => {
    const gates = [new Gate(), new Gate()]
    let begun = 0
    const engine = scriptedEngine({
      script: function* () {
        yield 'a'
        yield gates[begun++] ?? new Gate()
      },
    })
    const cancel = new AbortController()
    const running = runPath('/v1/chat/completions', { messages, n: 2 }, engine, {
      n: 2,
      signal: cancel.signal,
    })
    await Promise.all(gates.map(({ reached }) => reached))
    cancel.abort()
    await expect(running).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(engine.runs.map(({ state }) => state)).toEqual(['cancelled', 'cancelled'])
  })

  it('are as many as the sealed context says', async () => {
    await expect(run({ n: 2 }, {}, { n: 1 })).rejects.toMatchObject({ status: 400, param: 'n' })
    await expect(run({}, {}, { n: 2 })).rejects.toMatchObject({ status: 400, param: 'n' })
  })

  it('let a waiting choice find the prompt where another left it, and no other request', async () => {
    const engine = scriptedEngine()
    for (let round = 0; round < 2; round++)
      await runPath('/v1/chat/completions', { messages, n: 2 }, engine, { n: 2 })
    const keys = engine.runs.map(({ request }) => request.cacheKey)
    expect(keys[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(keys[1]).toBe(keys[0])
    expect(keys[2]).not.toBe(keys[0])
  })
})

it('a whole answer is cut before it is longer than a gateway holds', async () => {
  const megabyte = 'x'.repeat(1 << 20)
  const { body, result } = await run({}, { script: () => Array.from({ length: 80 }, () => megabyte) })
  expect(choicesOf(body)[0]?.finish_reason).toBe('length')
  expect(result.usage.completion_tokens).toBeLessThan(50)
  expect(JSON.stringify(body).length).toBeLessThan(64 * 1024 * 1024)
})

it('a prediction is taken and changes no count', async () => {
  const { body } = await run({ prediction: { type: 'content', content: 'Hello world!' } })
  validateAgainstOpenAi('Chat', body)
  expect(body.usage).toMatchObject({
    completion_tokens: 3,
    completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  })
})

describe('log probabilities', () => {
  const ask = { logprobs: true, top_logprobs: 2 }
  const chance = (token: string, logprob = -0.5) => ({ token, bytes: [...Buffer.from(token)], logprob })

  it('are those of the content, token by token', async () => {
    const { body } = await run(ask)
    validateAgainstOpenAi('Chat', body)
    const [choice] = body.choices as [{ logprobs: { content: { token: string; bytes: number[] }[] } }]
    const { content } = choice.logprobs
    expect(content.map(({ token }) => token)).toEqual(['Hello', ' world', '!'])
    expect(content[0]).toEqual({
      ...chance('Hello', Math.log(0.5)),
      top_logprobs: [chance('Hello', Math.log(0.5))],
    })
  })

  it('stream with the text that they are of; other chunks have none', async () => {
    const { documents } = await run({ ...ask, ...streamed })
    for (const document of documents) validateAgainstOpenAi('ChatChunk', document)
    const told = documents.flatMap((document) =>
      (document.choices as { delta: object; logprobs: { content: { token: string }[] } | null }[]).map(
        ({ delta, logprobs }) => [delta, logprobs?.content.map(({ token }) => token) ?? null],
      ),
    )
    expect(told).toEqual([
      [{ role: 'assistant', content: '', refusal: null }, null],
      [{ content: 'Hello' }, ['Hello']],
      [{ content: ' world' }, [' world']],
      [{ content: '!' }, ['!']],
      [{}, null],
    ])
  })

  it('skip reasoning, its marks and the blanks around it', async () => {
    const script = () => ['<think>', 'hm', '</think>', '\n\n', 'Hal', 'lo']
    const info = { reasoning: { open: '<think>', close: '</think>' } }
    const { body } = await run(ask, { info, script })
    expect(body.choices).toMatchObject([
      {
        message: { content: 'Hallo', reasoning_content: 'hm' },
        logprobs: { content: [{ token: 'Hal' }, { token: 'lo' }] },
      },
    ])
  })
})
