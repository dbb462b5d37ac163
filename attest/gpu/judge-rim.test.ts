import { describe, expect, it } from 'vitest'
import { fromHex } from '../bytes.ts'
import type { Policy } from '../policy/policy.ts'
import { SIMULATED_VERSIONS, SimulatedGpus, simulatedGpuPolicy } from '../simulate/gpu.ts'
import { referenceValues } from '../simulate/gpu-device.ts'
import { digestsOf, makeGpuInstallation } from '../simulate/gpu-installation.ts'
import { makeRim, makeRimSigner } from '../simulate/gpu-rim.ts'
import { haveVectors } from '../tdx/testing.ts'
import { firmwareMatches, openDevice, proveDevice } from './device.ts'
import { encodeGpuDocument, type GpuDocument, parseGpuDocument } from './document.ts'
import { type RimService, RimUnreachable } from './rim-service.ts'
import { deviceOf, documentOf, gpuCases } from './testing.ts'
import { ALONE, claiming, judge, NOW } from './testing-judge.ts'

describe('firmware ids and reference measurements of simulated devices', () => {
  const gpus = SimulatedGpus.ephemeral({ now: () => NOW, count: 2, ocsp: false })
  const fresh = new Uint8Array(32).fill(4)
  const gpu = simulatedGpuPolicy(gpus.roots)
  const policy: Policy = { ...ALONE, gpu }
  const run = async (change: (document: GpuDocument) => Partial<GpuDocument>, more = policy) => {
    const document = parseGpuDocument(await gpus.evidence(fresh))
    const claims = claiming(...gpus.accelerators)
    const input = { nonce: fresh, claims, anchor: 'simulated', now: NOW } as const
    return judge(encodeGpuDocument({ ...document, ...change(document) }), input, more)
  }

  it('pass together', async () => {
    const { verdict, results } = await run(() => ({}), {
      ...policy,
      skip: ['gpu.driver', 'gpu.vbios', 'gpu.ocsp', 'gpu.eat'],
    })
    expect([verdict, results]).toMatchObject(['accept', { 'gpu.rim': 'pass', 'gpu.devtools': 'pass' }])
  })

  it('are refused when driver and VBIOS claim one index', async () => {
    const own = makeGpuInstallation(NOW)
    const signer = makeRimSigner(own.rim, 'GH100', NOW)
    const { driver, vbios } = SIMULATED_VERSIONS
    const both = ['vbios', 'driver'] as const
    const [first, second] = both.map((of) =>
      referenceValues('HOPPER', of === 'vbios' ? vbios.HOPPER : driver, of),
    )
    const values = new Map([...(first ?? []), ...(second ?? [])])
    const rims = [vbios.HOPPER, driver].map((version) => makeRim({ chip: 'GH100', version, values }, signer))
    const rimRoots = [{ sha256: digestsOf(own).rimRootSha256, kind: 'simulated' as const }]
    const { reasons } = await run(() => ({ rims }), { ...policy, gpu: { ...gpu, rimRoots } })
    expect(reasons['gpu.rim']).toContain('claim the same index')
  })

  it('take an expired or foreign manifest beside a good one for what it is', async () => {
    const foreign = makeGpuInstallation(NOW)
    const signer = makeRimSigner(foreign.rim, 'GH100', NOW)
    const { driver } = SIMULATED_VERSIONS
    const rim = makeRim(
      { chip: 'GH100', version: driver, values: referenceValues('HOPPER', driver, 'driver') },
      signer,
    )
    const { results } = await run(({ rims }) => ({ rims: [rim, ...rims] }))
    expect(results).toMatchObject({ 'gpu.rim-signature': 'pass', 'gpu.rim': 'pass' })
    const alone = await run(() => ({ rims: [rim] }))
    expect(alone.results).toMatchObject({
      'gpu.rim-signature': 'fail',
      'gpu.rim': 'skip',
      'gpu.devtools': 'skip',
    })
  })

  it.skipIf(!haveVectors())('of a simulation say nothing of hardware', async () => {
    const entry = gpuCases().find(({ name }) => name === 'hopper_535')
    if (entry === undefined) throw new Error('no such case')
    const own = makeGpuInstallation(NOW)
    const values = new Map([[0, [new Uint8Array(48)]]])
    const signer = makeRimSigner(own.rim, 'GH100', NOW)
    const rims = [makeRim({ chip: 'GH100', version: entry.vbios, values }, signer)]
    const rimRoots = [{ sha256: digestsOf(own).rimRootSha256, kind: 'simulated' as const }]
    const both = { ...ALONE, gpu: { ...(ALONE.gpu as NonNullable<Policy['gpu']>), rimRoots } }
    const input = { nonce: fromHex(entry.nonce), tools: { rims }, now: NOW }
    const { reasons } = await judge(documentOf(deviceOf(entry)), input, both)
    expect(reasons['gpu.rim']).toMatch(/no reference measurements for .* 535\.86\.09, .* 96\.00\.5e\.00\.01/)
  })

  it('ask the service for what nobody brought, and for nothing else', async () => {
    const { rims: known } = parseGpuDocument(await gpus.evidence(fresh))
    const { driver } = SIMULATED_VERSIONS
    const [ofVbios = new Uint8Array(), ofDriver = new Uint8Array()] = known
    const asked: string[] = []
    const service = (answers: Record<string, Uint8Array>): RimService => ({
      rim: async (id) => {
        asked.push(id)
        const found = answers[id]
        if (found === undefined) throw new RimUnreachable('not there')
        return found
      },
    })
    const bytes = async (rims: Uint8Array[]) =>
      encodeGpuDocument({ ...parseGpuDocument(await gpus.evidence(fresh)), rims })
    const input = { nonce: fresh, anchor: 'simulated', now: NOW } as const
    const ids = [`NV_GPU_DRIVER_GH100_${driver}`, expect.stringMatching(/^NV_GPU_VBIOS_.*_96009F0001$/)]
    const both = await judge(await bytes([]), { ...input, tools: { rimService: service({}) } }, policy)
    expect(asked.splice(0)).toEqual(ids)
    expect(both.results).toMatchObject({
      'gpu.rim-signature': 'skip',
      'gpu.rim': 'skip',
      'gpu.devtools': 'skip',
    })
    const tools = { rimService: service({ [`NV_GPU_DRIVER_GH100_${driver}`]: ofDriver }) }
    const one = await judge(await bytes([ofVbios]), { ...input, tools }, policy)
    expect(asked.splice(0)).toEqual([`NV_GPU_DRIVER_GH100_${driver}`])
    expect(one.results).toMatchObject({
      'gpu.rim-signature': 'pass',
      'gpu.rim': 'pass',
      'gpu.devtools': 'pass',
    })
    const bad = { rimService: service({ [`NV_GPU_DRIVER_GH100_${driver}`]: ofDriver.subarray(1) }) }
    const broken = await judge(await bytes([ofVbios]), { ...input, tools: bad }, policy)
    expect(broken.results).toMatchObject({ 'gpu.rim-signature': 'fail', 'gpu.rim': 'skip' })
  })

  it('name the firmware that the key was certified for; switches are silent', async () => {
    const wired = SimulatedGpus.ephemeral({ now: () => NOW, switches: 1, ocsp: false })
    const open = async (bytes: Promise<Uint8Array>, root = wired.rootSha256) => {
      const { devices } = parseGpuDocument(await bytes)
      const roots = [{ sha256: root, kind: 'simulated' as const }]
      return Promise.all(devices.map((device) => proveDevice(openDevice(device), roots, NOW)))
    }
    const [one, nvswitch] = await open(wired.evidence(fresh))
    if (one === undefined || nvswitch === undefined) throw new Error('not two devices')
    expect([firmwareMatches(one), firmwareMatches(nvswitch)]).toEqual([true, undefined])
    const said = {
      ...one,
      report: { ...one.report, facts: { ...one.report.facts, fwid: new Uint8Array(48) } },
    }
    expect(firmwareMatches(said)).toBe(false)
    const bare = { ...one, chain: { ...one.chain, leaf: { ...one.chain.leaf, extensions: new Map() } } }
    expect(firmwareMatches(bare)).toBe(false)
  })
})
