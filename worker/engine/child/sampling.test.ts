import { describe, expect, it, onTestFinished } from 'vitest'
import type { Sampling } from '../types.ts'
import type { NativeGrammar, NativeSampler, SamplerConfig } from './library.ts'
import { Sampler, samplerConfig, seed32 } from './sampling.ts'

const greedy: Sampling = { temperature: 0, topP: 1, presencePenalty: 0, frequencyPenalty: 0 }

class FakeNative implements NativeSampler {
  readonly configs: SamplerConfig[] = []
  disposed = false
  applyConfig(config: SamplerConfig): void {
    this.configs.push(config)
  }
  dispose(): void {
    this.disposed = true
  }
}

describe('samplerConfig', () => {
  it('has nothing that nobody asked for', () => {
    const { seed, ...config } = samplerConfig(greedy, 10)
    expect(config).toEqual({ temperature: 0, topP: 1 })
    expect(seed).toBeGreaterThanOrEqual(0)
    expect(
      samplerConfig({ ...greedy, topK: 0, minP: 0, repeatPenalty: 1, logitBias: [], seed: 3 }, 10),
    ).toEqual({
      temperature: 0,
      topP: 1,
      seed: 3,
    })
  })

  it('remembers as many tokens as the answer may have, and bans at -100', () => {
    const logitBias = [
      [5, -100],
      [6, -99],
      [7, 100],
    ] as const
    expect(samplerConfig({ ...greedy, presencePenalty: 1, logitBias }, 4000)).toMatchObject({
      repeatPenaltyMaxTokens: 4000,
      repeatPenaltyPresencePenalty: 1,
      tokenBiasKeys: Uint32Array.of(5, 6, 7),
      tokenBiasValues: Float32Array.of(-Infinity, -99, 100),
    })
  })

  it('keeps 32-bit seeds and folds others', () => {
    expect(seed32(7)).toBe(7)
    for (const seed of [-1, 2 ** 40, Number.MAX_SAFE_INTEGER]) expect(seed32(seed)).toBeLessThan(2 ** 32)
    expect(seed32(2 ** 40)).not.toBe(seed32(2 ** 41))
  })
})

describe('a draw under a grammar', () => {
  const options = { sampling: greedy, maxTokens: 10, vocabularySize: 0 }
  const constrained = (overtimeMs?: number) => {
    const native = new FakeNative()
    const sampler = new Sampler({ native, ...options, ...(overtimeMs !== undefined && { overtimeMs }) })
    sampler.constrain({} as NativeGrammar, [])
    return { native, sampler }
  }

  it('that does not end is given up, and what it uses is freed once it does', async () => {
    const { native, sampler } = constrained(-100)
    const drawing = Promise.withResolvers<number>()
    await expect(sampler.draw({ draw: () => drawing.promise })).rejects.toMatchObject({
      code: 'ERR_BAD_GRAMMAR',
      message: expect.stringContaining('too long'),
    })
    const abandoned = sampler.dispose()
    expect(native.disposed).toBe(false)
    drawing.reject(new Error('late'))
    await abandoned
    expect(native.disposed).toBe(true)
  })

  it('after draws that took all the time there is has none, which is no time below zero', async () => {
    const warnings: Error[] = []
    const heard = (warning: Error) => warnings.push(warning)
    process.on('warning', heard)
    onTestFinished(() => void process.off('warning', heard))
    const { sampler } = constrained(-1000)
    await expect(sampler.draw({ draw: () => new Promise(() => {}) })).rejects.toThrow('too long')
    expect(warnings).toEqual([])
  })

  it('that finds no token is an error of the grammar; without one it is not', async () => {
    const failing = { draw: () => Promise.reject(new Error('no')) }
    await expect(constrained().sampler.draw(failing)).rejects.toMatchObject({ code: 'ERR_BAD_GRAMMAR' })
    const native = new FakeNative()
    const free = new Sampler({ native, ...options })
    await expect(free.draw(failing)).rejects.toThrow('no')
    expect(free.dispose()).toBeUndefined()
    expect(native.disposed).toBe(true)
  })
})
