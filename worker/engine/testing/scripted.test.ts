import { describe, expect, it } from 'vitest'
import type { EngineEvent, GenerateRequest } from '../types.ts'
import { Gate, scriptedEngine } from './scripted.ts'

const request: GenerateRequest = {
  prompt: { kind: 'chat', messages: [{ role: 'user', content: 'Hi' }] },
  maxPromptTokens: 100,
  maxTokens: 10,
  sampling: { temperature: 0, topP: 1, presencePenalty: 0, frequencyPenalty: 0 },
  stop: [],
}

async function collect(events: AsyncIterable<EngineEvent>): Promise<EngineEvent[]> {
  const all: EngineEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

describe('scriptedEngine', () => {
  it('plays its script', async () => {
    const events = await collect(scriptedEngine().generate(request, new AbortController().signal))
    expect(events[0]).toEqual({ type: 'prompt', promptTokens: 2, cachedTokens: 0 })
    expect(events.at(-1)).toEqual({ type: 'end', finishReason: 'stop', completionTokens: 3 })
  })

  it('stops at the limit', async () => {
    const events = await collect(
      scriptedEngine().generate({ ...request, limit: () => 2 }, new AbortController().signal),
    )
    expect(events.at(-1)).toEqual({ type: 'end', finishReason: 'length', completionTokens: 2 })
  })

  it('refuses a long prompt before it says anything', async () => {
    const long = scriptedEngine().generate({ ...request, maxPromptTokens: 1 }, new AbortController().signal)
    await expect(collect(long)).rejects.toMatchObject({
      code: 'ERR_PROMPT_TOO_LONG',
      promptTokens: 2,
      limit: 1,
    })
  })

  it('works no further ahead than it is read', async () => {
    const engine = scriptedEngine({ script: () => ['a', 'b', 'c', 'd'] })
    const events = engine.generate(request, new AbortController().signal)[Symbol.asyncIterator]()
    await events.next()
    await events.next()
    expect(engine.runs[0]?.produced).toBe(1)
  })

  it('is cancelled while it waits at a gate', async () => {
    const gate = new Gate()
    const engine = scriptedEngine({ script: () => ['a', gate, 'b'] })
    const cancel = new AbortController()
    const all = collect(engine.generate(request, cancel.signal))
    await gate.reached
    cancel.abort()
    await expect(all).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    const run = await engine.run(0)
    expect(run).toMatchObject({ produced: 1, state: 'cancelled' })
  })

  it('is lost while it waits at a gate', async () => {
    const gate = new Gate()
    const engine = scriptedEngine({ script: () => ['a', gate, 'b'] })
    const all = collect(engine.generate(request, new AbortController().signal))
    await gate.reached
    engine.lose()
    await expect(all).rejects.toMatchObject({ code: 'ERR_ENGINE_LOST' })
    await expect(engine.closed).resolves.toMatchObject({ expected: false, signal: 'SIGKILL' })
  })
})
