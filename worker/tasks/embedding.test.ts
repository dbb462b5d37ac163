import { describe, expect, it, vi } from 'vitest'
import { type ScriptedOptions, scriptedEngine } from '../engine/testing/scripted.ts'
import { validateAgainstOpenAi } from '../testing/openai-schemas.ts'
import type { TaskContext } from './index.ts'
import { run as runPath, testContext } from './testing.ts'

const run = (
  body: Record<string, unknown>,
  engine: ScriptedOptions = {},
  changes: Partial<TaskContext> = {},
) => runPath('/v1/embeddings', body, scriptedEngine(engine), changes)

const vectorsOf = (body: Record<string, unknown>) =>
  (body.data as { embedding: number[] }[]).map((each) => each.embedding)

function floats(base64: string): number[] {
  const bytes = Buffer.from(base64, 'base64')
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(index * 4))
}

describe('embeddings', () => {
  it('are vectors in the order of inputs, with the tokens that were read', async () => {
    const { body, result } = await run({ input: ['ab', 'c', 'ab'] })
    validateAgainstOpenAi('Embeddings', body)
    const [first, second, third] = vectorsOf(body)
    expect(first).toHaveLength(8)
    expect(Math.hypot(...(first ?? []))).toBeCloseTo(1)
    expect(third).toEqual(first)
    expect(second).not.toEqual(first)
    expect(body).toMatchObject({
      object: 'list',
      model: 'chrysalis/scripted',
      data: [{ object: 'embedding', index: 0 }, { index: 1 }, { index: 2 }],
      usage: { prompt_tokens: 5, total_tokens: 5 },
    })
    expect(result).toMatchObject({ finishReason: 'stop', usage: { prompt_tokens: 5, completion_tokens: 0 } })
  })

  it('are the same numbers in base64', async () => {
    const plain = vectorsOf((await run({ input: 'a' })).body)[0]
    const { body } = await run({ input: 'a', encoding_format: 'base64' })
    const [{ embedding }] = body.data as [{ embedding: string }]
    expect(floats(embedding)).toEqual(plain)
  })

  it('are cut to the dimensions that are asked for, and normalised again', async () => {
    const whole = vectorsOf((await run({ input: 'a' })).body)[0] ?? []
    const cut = vectorsOf((await run({ input: 'a', dimensions: 3 })).body)[0] ?? []
    expect(cut).toHaveLength(3)
    expect(Math.hypot(...cut)).toBeCloseTo(1)
    expect((cut[1] ?? 0) / (cut[0] ?? 1)).toBeCloseTo((whole[1] ?? 0) / (whole[0] ?? 1))
  })

  it('take token ids', async () => {
    const { body } = await run({ input: [[97], [98, 99]] })
    expect(vectorsOf(body)[0]).toEqual(vectorsOf((await run({ input: 'a' })).body)[0])
    expect(body.usage).toMatchObject({ prompt_tokens: 3 })
  })

  it.each([
    ['more dimensions than the model has', { input: 'a', dimensions: 9 }, {}, 'dimensions'],
    ['a token that the model does not have', { input: [[1], [600]] }, {}, 'input[1]'],
    ['a text that is too long', { input: 'x'.repeat(600) }, {}, 'input'],
    [
      'texts that are longer together than was paid for',
      { input: ['abc', 'def'] },
      { maxPromptTokens: 5 },
      'input',
    ],
    ['a stream', { input: 'a' }, { stream: true }, 'stream'],
  ])('are refused for %s', async (_, body, changes, param) => {
    await expect(run(body, {}, changes)).rejects.toMatchObject({ status: 400, param })
  })

  it('are refused when one answer cannot hold them', async () => {
    const info = { embeddingLength: 4096 }
    const input = Array.from({ length: 700 }, () => 'a')
    await expect(run({ input }, { info })).rejects.toMatchObject({ status: 400, param: 'input' })
  })

  it('cost no more than the maximum charge', async () => {
    const context = testContext({ affordable: (tokens) => (tokens > 3 ? -1 : 0) })
    const running = run({ input: ['ab', 'cd'] }, { sequences: 1 }, context)
    await expect(running).rejects.toMatchObject({ apiCode: 'max_charge_too_low' })
    expect(context.meter.promptTokens).toBe(0)
  })

  it.each([
    ['is too long', { input: ['ab', 'cd', 'x'.repeat(600)] }, 'input[2]'],
    ['is more than was paid for', { input: ['ab', 'cd', 'x'.repeat(100)] }, 'input'],
  ])('are not computed for anybody when the last of many %s', async (_, body, param) => {
    const embed = vi.fn(() => ({ vector: new Float32Array(8), tokens: 2 }))
    await expect(run(body, { embed }, { maxPromptTokens: 90 })).rejects.toMatchObject({ status: 400, param })
    expect(embed).not.toHaveBeenCalled()
  })
})
