import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Claims } from '../evidence/claims.ts'
import { judgeGpu } from '../gpu/judge.ts'
import { Factors, GPU_FACTORS } from '../policy/factors.ts'
import { simulated } from '../policy/presets.ts'
import {
  GPU_FORGERIES,
  type GpuForgery,
  SIMULATED_VERSIONS,
  SimulatedGpus,
  type SimulatedGpusOptions,
  simulatedGpuPolicy,
  simulatedGpuRoots,
} from './gpu.ts'

const NOW = Date.UTC(2026, 10, 23)
const now = (): number => NOW
const NONCE = new Uint8Array(32).fill(3)

interface Change {
  forgery?: GpuForgery
  nonce?: Uint8Array
  at?: number
  roots?: { gpu?: string; rim?: string; service?: string }
  /** Whether the policy requires tokens. */
  tokens?: boolean
}

/** Results of all GPU factors but those that passed. */
async function judge(
  gpus: SimulatedGpus,
  { forgery, nonce = NONCE, at = NOW, roots = {}, tokens }: Change = {},
) {
  const factors = new Factors()
  const { accelerators } = gpus
  const pins = {
    rootSha256: roots.gpu ?? gpus.rootSha256,
    rimRootSha256: roots.rim ?? gpus.rimRootSha256,
    serviceSha256: roots.service ?? gpus.roots.serviceSha256,
  }
  const { driver, vbios } = SIMULATED_VERSIONS
  const trusted = simulatedGpuPolicy(pins)
  const gpu = {
    ...trusted,
    drivers: [driver],
    vbios: Object.values(vbios),
    ...(trusted.eat && { eat: { ...trusted.eat, ...(tokens !== undefined && { required: tokens }) } }),
  }
  const input = {
    bytes: await gpus.evidence(NONCE, forgery),
    nonce,
    claims: { accelerators, role: 'worker' } as unknown as Claims,
    anchor: 'simulated' as const,
    now: at,
    tools: {},
  }
  await judgeGpu(factors, input, { ...simulated('00'.repeat(32)), gpu })
  const results = factors.list(GPU_FACTORS).filter(({ result }) => result !== 'pass')
  return Object.fromEntries(results.map(({ name, result, reason }) => [name, `${result}: ${reason}`]))
}

const notApplicable = (...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, expect.stringContaining('not-applicable')]))

const NO_TOKEN = { 'gpu.eat': 'skip: there is no NRAS token' }
const one = SimulatedGpus.ephemeral({ now })
const two = SimulatedGpus.ephemeral({ now, count: 2, eat: true })
const blackwell = SimulatedGpus.ephemeral({ now, arch: 'BLACKWELL', ocsp: false })
const wired = SimulatedGpus.ephemeral({ now, count: 2, switches: 2, eat: true })

describe('simulated GPUs', () => {
  it.each<[string, SimulatedGpus, string[], Record<string, string>]>([
    ['one', one, ['gpu.switch'], NO_TOKEN],
    ['two, with tokens', two, ['gpu.switch'], {}],
    ['two with two switches', wired, [], {}],
    ['a Blackwell without OCSP', blackwell, ['gpu.switch'], { 'gpu.ocsp': 'skip: not asked', ...NO_TOKEN }],
  ])('pass every factor that applies: %s', async (_name, gpus, other, skipped) => {
    const skips = Object.entries(skipped).map(([name, text]) => [name, expect.stringContaining(text)])
    expect(await judge(gpus)).toEqual({ ...notApplicable(...other), ...Object.fromEntries(skips) })
  })

  it.each(Object.entries(GPU_FORGERIES))('forgery %s fails %s', async (name, factor) => {
    const forgery = name as GpuForgery
    const results = await judge(forgery === 'missing-switch' ? wired : two, { forgery })
    expect(results[factor]).toMatch(/^fail/)
    const failed = Object.keys(results).filter((key) => results[key]?.startsWith('fail'))
    const together: Partial<Record<GpuForgery, string[]>> = {
      'rim-mismatch': ['gpu.rim', 'gpu.devtools'],
      devtools: ['gpu.rim', 'gpu.devtools'],
      'duplicate-device': ['gpu.distinct', 'gpu.complete'],
    }
    expect(failed.filter((key) => key !== 'gpu.eat')).toEqual(
      together[forgery] ?? (factor === 'gpu.eat' ? [] : [factor]),
    )
  })

  it('bring a token where the policy file requires one', async () => {
    expect((await judge(one, { tokens: true }))['gpu.eat']).toMatch(/^fail: .*the policy requires one/)
    expect((await judge(one, { tokens: false }))['gpu.eat']).toMatch(/^skip/)
    expect((await judge(two, { tokens: true }))['gpu.eat']).toBeUndefined()
  })

  it('are refused under other roots, one by one', async () => {
    const other = '11'.repeat(32)
    expect((await judge(two, { roots: { gpu: other } }))['gpu.chain']).toMatch(/^fail/)
    expect((await judge(two, { roots: { rim: other } }))['gpu.rim-signature']).toMatch(/^fail/)
    expect((await judge(two, { roots: { service: other } }))['gpu.eat']).toMatch(/^fail/)
  })

  it('are refused for another nonce', async () => {
    const results = await judge(two, { nonce: new Uint8Array(32) })
    expect(results['gpu.nonce']).toMatch(/^fail/)
    expect(results['gpu.eat']).toMatch(/^fail/)
  })

  it('carry tokens for an hour and OCSP answers for a week', async () => {
    expect((await judge(two, { at: NOW + 3_601_000 }))['gpu.eat']).toMatch(/^fail: .*expired/)
    expect((await judge(one, { at: NOW + 6 * 86_400_000 }))['gpu.ocsp']).toBeUndefined()
    expect((await judge(one, { at: NOW + 8 * 86_400_000 }))['gpu.ocsp']).toMatch(/^fail: .*stale/)
  })

  it('renew them when they get old, and when the clock goes back', async () => {
    let time = NOW
    const gpus = SimulatedGpus.ephemeral({ now: () => time, eat: true })
    for (const days of [0, 3, 30, 10]) {
      time = NOW + days * 86_400_000
      expect(await judge(gpus, { at: time })).toEqual(notApplicable('gpu.switch'))
    }
  })

  it('cannot do wrong what takes more devices than there are', async () => {
    await expect(one.evidence(NONCE, 'duplicate-device')).rejects.toThrow('two GPUs')
    await expect(one.evidence(NONCE, 'missing-device')).rejects.toThrow('two GPUs')
  })
})

describe('a folder of simulated GPUs', () => {
  const inFolder = async (run: (dir: string) => Promise<void>): Promise<void> => {
    const dir = await mkdtemp(join(tmpdir(), 'chrysalis-gpu-'))
    try {
      await run(join(dir, 'tee'))
    } finally {
      await rm(dir, { recursive: true })
    }
  }
  const options: SimulatedGpusOptions = { now, count: 2 }

  it('keeps roots and devices, in one private file', async () => {
    await inFolder(async (dir) => {
      const [first, second] = await Promise.all([
        SimulatedGpus.open(dir, options),
        SimulatedGpus.open(dir, options),
      ])
      const again = await SimulatedGpus.open(dir, options)
      for (const gpus of [second, again]) {
        expect(gpus.roots).toEqual(first.roots)
        expect(gpus.accelerators).toEqual(first.accelerators)
      }
      expect(await simulatedGpuRoots(dir)).toEqual(first.roots)
      expect(await judge(again)).toEqual({
        ...notApplicable('gpu.switch'),
        'gpu.eat': expect.stringContaining(NO_TOKEN['gpu.eat']),
      })
      expect((await readdir(dir)).sort()).toEqual([
        'gpu-rim-root.der',
        'gpu-root.der',
        'gpu-service.der',
        'gpu.json',
      ])
      expect((await stat(join(dir, 'gpu.json'))).mode & 0o777).toBe(0o600)
    })
  })

  it('says what to do when it is not there or cannot be read', async () => {
    await inFolder(async (dir) => {
      await expect(simulatedGpuRoots(dir)).rejects.toMatchObject({ code: 'ERR_SIMULATED_ROOT_MISSING' })
      await SimulatedGpus.open(dir, options)
      await rm(join(dir, 'gpu.json'))
      await writeFile(join(dir, 'gpu.json'), '{"format":"x"}')
      const error = { code: 'ERR_SIMULATED_TEE_FILE', message: expect.stringContaining('delete') }
      await expect(SimulatedGpus.open(dir, options)).rejects.toMatchObject(error)
    })
  })
})
