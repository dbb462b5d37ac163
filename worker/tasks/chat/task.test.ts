import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../attest/bytes.ts'
import { EngineError } from '../../engine/errors.ts'
import { Gate, type ScriptedOptions, scriptedEngine } from '../../engine/testing/scripted.ts'
import { runTask, type TaskContext, type TaskEvent } from '../index.ts'
import { run as runPath, testContext } from '../testing.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const plain = { messages, stream: true, stream_options: { include_obfuscation: false } }

const run = (
  body: Record<string, unknown>,
  engine: ScriptedOptions = {},
  changes: Partial<TaskContext> = {},
  onEvent?: (event: TaskEvent) => void,
) => runPath('/v1/chat/completions', body, scriptedEngine(engine), changes, onEvent)

const usage = {
  prompt_tokens: 2,
  completion_tokens: 3,
  total_tokens: 5,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0 },
}

describe('a chat completion', () => {
  it('is one document with usage', async () => {
    const { body, result, documents } = await run({ messages, metadata: { a: 'b' } })
    expect(documents).toEqual([])
    expect(body).toEqual({
      id: 'chatcmpl-req-1',
      object: 'chat.completion',
      created: 1_750_000_000,
      model: 'chrysalis/scripted',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hello world!', refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage,
      metadata: { a: 'b' },
    })
    expect(result).toEqual({ finishReason: 'stop', usage })
  })

  it('lets the engine come to its end', async () => {
    const engine = scriptedEngine()
    await runPath('/v1/chat/completions', { messages }, engine)
    expect(engine.runs[0]?.state).toBe('ended')
  })

  it('streams role, contents and finish', async () => {
    const { documents, metered } = await run(plain)
    const choice = (delta: object, finish_reason: string | null = null) => ({
      id: 'chatcmpl-req-1',
      object: 'chat.completion.chunk',
      created: 1_750_000_000,
      model: 'chrysalis/scripted',
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    })
    expect(documents).toEqual([
      choice({ role: 'assistant', content: '', refusal: null }),
      choice({ content: 'Hello' }),
      choice({ content: ' world' }),
      choice({ content: '!' }),
      choice({}, 'stop'),
    ])
    // The meter has counted a token before the event that holds it is handed out.
    expect(metered).toEqual([0, 1, 2, 3, 3])
  })

  it('ends a stream with usage iff asked, null before', async () => {
    const asked = await run({ ...plain, stream_options: { include_usage: true, include_obfuscation: false } })
    expect(asked.documents.map((document) => document.usage)).toEqual([null, null, null, null, null, usage])
    expect(asked.documents.at(-1)?.choices).toEqual([])
    const not = await run({ ...plain, stream_options: { include_usage: false } })
    expect(not.documents.some((document) => 'usage' in document)).toBe(false)
    const empty = await run({ ...plain, stream_options: {} })
    expect(empty.documents.some((document) => 'usage' in document)).toBe(false)
  })

  it('pads its events to buckets unless told otherwise', async () => {
    const sizes = new Set<number>()
    const script = () => ['a', 'somewhat longer', 'x'.repeat(300), '日本語', '"quoted"\n']
    const measure = (event: TaskEvent) => {
      if (event.type === 'event') sizes.add(Buffer.byteLength(`data: ${event.json}\n\n`))
    }
    await run({ messages, stream: true }, { script }, {}, measure)
    expect([...sizes].toSorted((a, b) => a - b)).toEqual([256, 1024])
  })

  it('says when it was cut', async () => {
    const { body } = await run({ messages, max_tokens: 2 })
    expect(body).toMatchObject({
      choices: [{ finish_reason: 'length', message: { content: 'Hello world' } }],
      usage: { completion_tokens: 2 },
    })
  })

  it('is cut where the maximum charge ends, after the prompt is counted', async () => {
    const asked: number[][] = []
    const affordable = (...counts: number[]) => {
      asked.push(counts)
      return 1
    }
    const cached = { cachedTokens: () => 1 }
    const { body } = await run({ messages }, cached, { affordable })
    expect(asked).toEqual([[2, 1]])
    expect(body).toMatchObject({
      usage: { completion_tokens: 1, prompt_tokens_details: { cached_tokens: 1 } },
    })
  })

  it('asks the engine for what the request says', async () => {
    const engine = scriptedEngine()
    const body = {
      messages: [{ role: 'developer', content: 'Be kind' }, ...messages],
      temperature: 0.5,
      top_p: 0.9,
      seed: 7,
      presence_penalty: 1,
      frequency_penalty: -1,
      stop: ['a', 'b'],
      max_completion_tokens: 50,
    }
    await runPath('/v1/chat/completions', body, engine, { maxOutputTokens: 40, maxPromptTokens: 30 })
    const [made] = engine.runs
    expect(made?.request).toMatchObject({
      prompt: {
        kind: 'chat',
        messages: [
          { role: 'system', content: 'Be kind' },
          { role: 'user', content: 'Hi' },
        ],
      },
      sampling: { temperature: 0.5, topP: 0.9, seed: 7, presencePenalty: 1, frequencyPenalty: -1 },
      stop: ['a', 'b'],
      maxTokens: 40,
      maxPromptTokens: 30,
    })
  })

  it('shares prefixes only between requests of one payer with one key', async () => {
    const engine = scriptedEngine()
    const ask = async (cacheKey: string | undefined, prompt_cache_key: string | undefined) => {
      const changes = cacheKey === undefined ? {} : { cacheKey }
      await runPath('/v1/chat/completions', { messages, prompt_cache_key }, engine, changes)
      return engine.runs.at(-1)?.request.cacheKey
    }
    const first = await ask('payer-1', 'k')
    expect(first).toMatch(/^[0-9a-f]{64}$/)
    expect(await ask('payer-1', 'k')).toBe(first)
    expect(await ask('payer-2', 'k')).not.toBe(first)
    expect(await ask('payer-1', 'l')).not.toBe(first)
    expect(await ask('payer-1', undefined)).toBeUndefined()
    expect(await ask(undefined, 'k')).toBeUndefined()
  })
})

describe('a chat completion is refused', () => {
  it.each([
    ['another model than was priced', { messages, model: 'other' }, {}, 400, 'model'],
    ['a stream that the context does not know', { messages, stream: true }, { stream: false }, 400, 'stream'],
    ['an unknown field', { messages, frobnicate: 1 }, {}, 400, 'frobnicate'],
    ['a long prompt', { messages }, { maxPromptTokens: 1 }, 400, 'messages'],
  ])('for %s', async (_, body, changes, status, param) => {
    await expect(run(body, {}, changes)).rejects.toMatchObject({ status, param })
  })

  it('in the words that agents look for when the prompt is too long', async () => {
    await expect(run({ messages }, {}, { maxPromptTokens: 1 })).rejects.toMatchObject({
      apiCode: 'context_length_exceeded',
      message: expect.stringContaining('maximum context length is 1 tokens'),
    })
    const long = [{ role: 'user', content: 'x'.repeat(512) }]
    await expect(run({ messages: long }, {}, { maxPromptTokens: 512 })).rejects.toMatchObject({
      message: expect.stringContaining(
        'maximum context length is 512 tokens. However, your messages resulted in 512',
      ),
    })
  })

  it('when its maximum charge pays for no token', async () => {
    await expect(run({ messages }, {}, { affordable: () => 0 })).rejects.toMatchObject({
      status: 400,
      apiCode: 'max_charge_too_low',
    })
  })

  it('on another path, and without JSON', async () => {
    await expect(runPath('/v1/nothing', { messages }, scriptedEngine())).rejects.toMatchObject({
      status: 404,
    })
    const task = runTask({
      path: '/v1/chat/completions',
      body: utf8('[]'),
      context: testContext(),
      engine: scriptedEngine(),
    })
    await expect(task.next()).rejects.toMatchObject({ status: 400 })
  })
})

describe('a chat completion that goes wrong', () => {
  const endless = function* (gate: Gate) {
    yield 'a'
    yield gate
    yield 'b'
  }

  it('tells when the engine is lost, with what was metered so far', async () => {
    const gate = new Gate()
    const engine = scriptedEngine({ script: () => endless(gate) })
    const context = testContext({ stream: true })
    const running = runPath('/v1/chat/completions', plain, engine, context)
    await gate.reached
    engine.lose()
    await expect(running).rejects.toMatchObject({ status: 503, apiCode: 'engine_lost' })
    expect(context.meter).toMatchObject({ promptTokens: 2, completionTokens: 1 })
  })

  it('passes a cancellation on as such, and stops the engine', async () => {
    const gate = new Gate()
    const engine = scriptedEngine({ script: () => endless(gate) })
    const cancel = new AbortController()
    const running = runPath('/v1/chat/completions', plain, engine, { signal: cancel.signal })
    await gate.reached
    cancel.abort()
    await expect(running).rejects.toEqual(new EngineError('ERR_CANCELLED', 'the request was cancelled'))
    expect(engine.runs[0]?.state).toBe('cancelled')
  })

  it('stops the engine when its reader leaves', async () => {
    const engine = scriptedEngine()
    const context = testContext({ stream: true })
    const body = utf8(JSON.stringify({ model: context.model, ...plain }))
    for await (const _ of runTask({ path: '/v1/chat/completions', body, context, engine })) break
    expect(engine.runs[0]?.state).toBe('cancelled')
  })
})
