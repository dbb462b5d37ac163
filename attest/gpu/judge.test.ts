import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex } from '../bytes.ts'
import { GPU_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { NVIDIA_DEVICE_ROOT, strict } from '../policy/presets.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { verifyEcdsa } from '../x509/index.ts'
import { parseDeviceChain } from './chain.ts'
import { describeDevice } from './device.ts'
import { encodeGpuDocument, parseGpuDocument } from './document.ts'
import { GpuError } from './errors.ts'
import { parseReport } from './spdm.ts'
import { type DeviceJson, deviceOf, documentOf, GPU_NOW, gpuCases, reportBytes } from './testing.ts'
import { type Accelerator, ALONE, claiming, judge, THEN } from './testing-judge.ts'

describe('GPU evidence and claims', () => {
  it('are both absent or both there', async () => {
    const all = (result: string) => Object.fromEntries(GPU_FACTORS.map((name) => [name, result]))
    const gpu = { arch: 'HOPPER', deviceId: '00', mode: 'spt' }
    const any = encodeGpuDocument({ eats: [{ bundle: 1 }] })
    expect((await judge(undefined)).results).toEqual(all('not-applicable'))
    expect((await judge(undefined, { claims: claiming() })).results).toEqual(all('not-applicable'))
    expect((await judge(undefined, { claims: claiming(gpu) })).results).toEqual(all('fail'))
    expect((await judge(any, { claims: claiming() })).results).toEqual(all('fail'))
  })

  it('are demanded of a worker by a policy that requires them', async () => {
    const worker = await judge(undefined, { claims: claiming() }, strict())
    expect([worker.verdict, worker.results['gpu.complete']]).toEqual(['refuse', 'fail'])
    const gateway = { ...claiming(), role: 'gateway' as const }
    expect((await judge(undefined, { claims: gateway }, strict())).verdict).toBe('accept')
  })

  it('end in factors, whatever the bytes', async () => {
    const broken = await judge(Uint8Array.of(1, 2, 3))
    expect([broken.verdict, broken.results['gpu.format'], broken.results['gpu.chain']]).toEqual([
      'refuse',
      'fail',
      'skip',
    ])
    const { gpu: _, ...unpinned } = ALONE
    const token = encodeGpuDocument({ eats: [{ bundle: 1 }] })
    expect((await judge(token, {}, unpinned)).reasons['gpu.chain']).toContain('pins no GPU root')
    const alone = await judge(token)
    expect([alone.results['gpu.format'], alone.results['gpu.signature'], alone.verdict]).toEqual([
      'pass',
      'skip',
      'refuse',
    ])
  })
})

describe.skipIf(!haveVectors())('real GPU evidence', () => {
  const multi = haveVectors() ? vectorJson<DeviceJson[]>('nvidia/evidence/multi_gpu_hopper.json') : []
  const [one, two] = multi
  if (haveVectors() && (one === undefined || two === undefined)) throw new Error('no devices')
  const nonce = fromHex(one?.nonce ?? '')
  const withNonce = { nonce }
  const caseOf = (name: string) => {
    const entry = gpuCases().find((found) => found.name === name)
    if (entry === undefined) throw new Error(`no case ${name}`)
    return { bytes: documentOf(deviceOf(entry)), nonce: fromHex(entry.nonce) }
  }

  it.each(gpuCases())('$name: $expected', async (entry) => {
    const judged = await judge(documentOf(deviceOf(entry)), { nonce: fromHex(entry.nonce) })
    expect([judged.verdict, judged.reasons]).toEqual([entry.expected, expect.anything()])
    const signed = entry.chain === 'ok' && entry.signature && entry.expected === 'accept'
    expect(judged.results['gpu.signature']).toBe(
      signed ? 'pass' : entry.name.includes('BADSIG') ? 'fail' : 'skip',
    )
    expect(judged.results['gpu.chain']).toBe(entry.name.startsWith('chain_BAD') ? 'fail' : 'pass')
    // Nothing is said of what an unproven report says.
    expect(judged.results['gpu.nonce']).toBe(entry.expected === 'accept' ? 'pass' : 'skip')
  })

  it.each([
    ['hopper_nvtrust', 'pass'],
    ['blackwell_575', 'pass'],
    ['hopper_535', 'skip'],
    ['nvswitch_ls10', 'skip'],
  ])('%s: firmware id %s', async (name, expected) => {
    const { bytes, nonce } = caseOf(name)
    expect((await judge(bytes, { nonce })).results['gpu.fwid']).toBe(expected)
  })

  it('without a firmware id is refused where the policy does not forgive that by name', async () => {
    const { bytes, nonce } = caseOf('hopper_535')
    const policy = { ...ALONE, skip: ALONE.skip.filter((name) => name !== 'gpu.fwid') }
    expect((await judge(bytes, { nonce }, policy)).verdict).toBe('refuse')
  })

  it('of four GPUs', async () => {
    const judged = await judge(documentOf(...multi), withNonce)
    expect(judged.verdict).toBe('accept')
    expect(judged.reasons['gpu.distinct']).toBe('4 distinct devices')
  })

  it('tells what it proved, and until when', async () => {
    const { bytes, nonce } = caseOf('hopper_535')
    const rims = [vectorBytes('nvidia/rim/1010_0200_882_96005E0001_PROD.swidtag')]
    const { findings } = await judge(bytes, { nonce, now: THEN, tools: { rims } })
    const device = { arch: 'HOPPER', chip: 'GH100', deviceId: '6a5fafcbd9fa5ca3' }
    // The signer of the manifest is the first to expire.
    expect(findings).toEqual({
      devices: [{ ...device, driver: '535.86.09', vbios: '96.00.5e.00.01' }],
      validUntil: Date.UTC(2025, 5, 22, 9, 30, 33),
    })
    const unsigned = caseOf('hopper_BADSIG')
    expect((await judge(unsigned.bytes, { nonce: unsigned.nonce })).findings).toEqual({ devices: [] })
  })

  it('is for one nonce: ours', async () => {
    const other = new Uint8Array(32)
    expect((await judge(documentOf(...multi), { nonce: other })).results['gpu.nonce']).toBe('fail')
    expect((await judge(documentOf(...multi))).results['gpu.nonce']).toBe('skip')
    const { bytes } = caseOf('hopper_580')
    const mixed = encodeGpuDocument({
      devices: [...parseGpuDocument(bytes).devices, ...parseGpuDocument(documentOf(...multi)).devices],
    })
    expect((await judge(mixed)).results['gpu.nonce']).toBe('fail')
    expect((await judge(mixed, withNonce)).results['gpu.nonce']).toBe('fail')
    const lie = documentOf({ ...multi[0], nonce: '00'.repeat(32) } as DeviceJson)
    expect((await judge(lie)).results['gpu.nonce']).toBe('fail')
    expect((await judge(lie, withNonce)).results['gpu.nonce']).toBe('fail')
  })

  it('names no device twice', async () => {
    const twice = await judge(documentOf(...multi, ...multi.slice(0, 1)), withNonce)
    expect([twice.verdict, twice.results['gpu.distinct']]).toEqual(['refuse', 'fail'])
  })

  it('is of the GPUs that are claimed, no more and no fewer, in the mode claimed', async () => {
    const claimed = parseGpuDocument(documentOf(...multi)).devices.map((evidence) => {
      const { arch, deviceId, mode } = describeDevice(evidence)
      return { arch, deviceId, mode }
    })
    expect(claimed[0]).toEqual({ arch: 'HOPPER', deviceId: '2921ce551e4eeda3', mode: 'ppcie' })
    const run = async (...list: Accelerator[]) =>
      (await judge(documentOf(...multi), { ...withNonce, claims: claiming(...list) })).results
    const [first, ...rest] = claimed
    if (first === undefined) throw new Error('none')
    expect(await run(...claimed)).toMatchObject({ 'gpu.complete': 'pass', 'gpu.mode': 'pass' })
    expect(await run(...claimed.reverse())).toMatchObject({ 'gpu.complete': 'pass' })
    expect(await run(...rest)).toMatchObject({ 'gpu.complete': 'fail' })
    expect(await run(first, first, ...rest)).toMatchObject({ 'gpu.complete': 'fail' })
    expect(await run({ ...first, deviceId: '00' }, ...rest)).toMatchObject({ 'gpu.complete': 'fail' })
    expect(await run({ ...first, arch: 'BLACKWELL' }, ...rest)).toMatchObject({ 'gpu.complete': 'fail' })
    expect(await run({ ...first, mode: 'spt' }, ...rest)).toMatchObject({ 'gpu.mode': 'fail' })
  })

  it('is in a mode that the policy allows', async () => {
    const only = (...modes: ('spt' | 'mpt' | 'ppcie')[]): Policy => ({
      ...ALONE,
      gpu: { ...(ALONE.gpu as NonNullable<Policy['gpu']>), modes },
    })
    const modeOf = async (name: string, policy: Policy) => {
      const { bytes, nonce } = caseOf(name)
      return (await judge(bytes, { nonce }, policy)).results['gpu.mode']
    }
    expect(await modeOf('hopper_580', only('spt'))).toBe('pass')
    expect(await modeOf('hopper_580', only('mpt'))).toBe('fail')
    expect(await modeOf('hopper_evidence.json#0', only('spt'))).toBe('fail')
    expect(await modeOf('hopper_nvtrust', only('spt'))).toBe('skip')
    expect(await modeOf('hopper_nvtrust', only('spt', 'mpt'))).toBe('pass')
    expect(await modeOf('hopper_nvtrust', only('ppcie'))).toBe('skip')
    expect(await modeOf('blackwell_575', only('spt', 'mpt', 'ppcie'))).toBe('skip')
    expect(await modeOf('nvswitch_ls10', only('spt'))).toBe('not-applicable')
  })

  it('is of versions that the policy allows', async () => {
    const { bytes, nonce } = caseOf('hopper_580')
    const run = async (drivers: string[], vbios: string[]) => {
      const gpu = { ...(ALONE.gpu as NonNullable<Policy['gpu']>), drivers, vbios }
      const { results } = await judge(bytes, { nonce }, { ...ALONE, gpu })
      return [results['gpu.driver'], results['gpu.vbios']]
    }
    expect(await run(['580.159.03'], ['96.00.74.00.20'])).toEqual(['pass', 'pass'])
    expect(await run(['570.*', '580.*'], ['96.*'])).toEqual(['pass', 'pass'])
    expect(await run(['580.159'], ['96.00.74.00.2'])).toEqual(['fail', 'fail'])
  })

  it('is of hardware only with a quote of hardware', async () => {
    const { bytes, nonce } = caseOf('hopper_580')
    expect((await judge(bytes, { nonce, anchor: 'intel' })).verdict).toBe('accept')
    expect((await judge(bytes, { nonce, anchor: 'simulated' })).results['gpu.chain']).toBe('fail')
    const roots = [{ sha256: NVIDIA_DEVICE_ROOT.replace('1', '2'), kind: 'nvidia' as const }]
    const gpu = { ...(ALONE.gpu as NonNullable<Policy['gpu']>), roots }
    expect((await judge(bytes, { nonce }, { ...ALONE, gpu })).results['gpu.chain']).toBe('fail')
  })

  it('is of the architecture that the file says', async () => {
    const [device] = multi
    const wrong = documentOf({ ...device, arch: 'BLACKWELL' } as DeviceJson)
    expect((await judge(wrong, withNonce)).reasons['gpu.chain']).toContain('not HOPPER')
  })

  it('meets reference measurements, or not', async () => {
    const rim = (name: string) => vectorBytes(`nvidia/rim/${name}_PROD.swidtag`)
    const run = async (name: string, ...rims: Uint8Array[]) => {
      const { bytes, nonce } = caseOf(name)
      return judge(bytes, { nonce, now: THEN, tools: { rims } })
    }
    const good = await run('hopper_535', rim('1010_0200_882_96005E0001'))
    expect(good.results).toMatchObject({
      'gpu.rim-signature': 'pass',
      'gpu.rim': 'skip',
      'gpu.devtools': 'skip',
    })
    expect(good.reasons['gpu.rim']).toMatch(/no reference measurements for HOPPER \w+ 535\.86\.09: bring/)
    const bad = await run('hopper_580', rim('1010_0205_862_9600740020'))
    expect(bad.results).toMatchObject({
      'gpu.rim-signature': 'pass',
      'gpu.rim': 'fail',
      'gpu.devtools': 'fail',
    })
    expect(bad.reasons['gpu.rim']).toMatch(/11 of 12 values of 96\.00\.74\.00\.20, not index 9$/)
    const other = await run('hopper_535', rim('1010_0205_862_9600740020'))
    expect(other.results).toMatchObject({ 'gpu.rim-signature': 'skip', 'gpu.rim': 'skip' })
    const broken = await run('hopper_535', rim('1010_0200_882_96005E0001').subarray(1))
    expect(broken.results).toMatchObject({ 'gpu.rim-signature': 'fail', 'gpu.rim': 'skip' })
    const { bytes, nonce } = caseOf('hopper_535')
    const late = { nonce, now: GPU_NOW, tools: { rims: [rim('1010_0200_882_96005E0001')] } }
    expect((await judge(bytes, late)).reasons['gpu.rim-signature']).toContain('expired')
    const delivered = encodeGpuDocument({ ...parseGpuDocument(bytes), rims: late.tools.rims })
    expect((await judge(delivered, { nonce, now: THEN })).results['gpu.rim-signature']).toBe('pass')
  })

  it('has no byte in its report that can change unnoticed', async () => {
    const [leaf] = parseDeviceChain(vectorBytes('nvidia/evidence/hopper_580.chain.pem'))
    if (leaf === undefined) throw new Error('no leaf')
    const bytes = reportBytes('hopper_580.report.hex')
    const detects = async (at: number, mask: number): Promise<boolean> => {
      try {
        const { signature, signed } = parseReport(bytes.with(at, (bytes[at] ?? 0) ^ mask))
        return !(await verifyEcdsa('P-384', leaf.publicKey, signature, signed))
      } catch (error) {
        return error instanceof GpuError
      }
    }
    const undetected: string[] = []
    for (let at = 0; at < bytes.length; at++) {
      const mask = [0x01, 0x80, 0xff][at % 3] ?? 1
      if (!(await detects(at, mask))) undetected.push(`byte ${at} ^ ${mask}`)
    }
    expect(undetected).toEqual([])
  })

  it('has no byte in its certificates or nonce that can change unnoticed', async () => {
    const bytes = encodeGpuDocument(parseGpuDocument(documentOf(...multi.slice(0, 1))))
    const spot = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.constantFrom(0x01, 0x20, 0x80))
    await fc.assert(
      fc.asyncProperty(spot, async ([at, mask]) => {
        const changed = bytes.with(at, (bytes[at] ?? 0) ^ mask)
        expect((await judge(changed, withNonce)).verdict, `byte ${at} ^ ${mask}`).toBe('refuse')
      }),
      { numRuns: 150, seed: 11 },
    )
  })
})
