import { describe, expect, it } from 'vitest'
import { toBase64, utf8 } from '../bytes.ts'
import { EVENTLOG_FACTORS, GPU_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { SimulatedTee } from '../simulate/tee.ts'
import { createEvidence, type EvidenceBundle } from './bundle.ts'
import { type Claims, encodeClaims } from './claims.ts'
import { NONCE, NOW, sampleClaims, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import { failedFactors, refusalReasons, type Verdict } from './verdict.ts'
import { verifyEvidence } from './verify.ts'

const tee = sampleTee()
const policy = simulatedWithoutLog(tee.rootSha256)
/** The same platform, with something that calls itself a GPU. */
const gpus = { evidence: async () => utf8('{}') }
const withGpu = SimulatedTee.ephemeral({ now: () => NOW, gpus }, tee.platform)

function judge(bundle: unknown, changes: Partial<Policy> = {}, now = NOW, nonce = NONCE): Promise<Verdict> {
  return verifyEvidence(bundle, { policy: { ...policy, ...changes }, now: () => now, nonce })
}

describe('verifyEvidence', () => {
  it('accepts good evidence and only then hands the claims out', async () => {
    const verdict = await judge(await sampleEvidence(tee))
    expect(verdict.verdict).toBe('accept')
    expect(failedFactors(verdict)).toEqual([])
    expect(verdict.tee).toBe('simulated-tdx')
    expect(verdict.tcbStatus).toBe('UpToDate')
    expect(verdict.claims).toEqual(sampleClaims())
    const refused = await judge(await sampleEvidence(tee), {}, NOW, new Uint8Array(32))
    expect(refused.claims).toBeUndefined()
  })

  it('lists every factor exactly once, whatever the input', async () => {
    const good = await judge(await sampleEvidence(tee))
    const names = good.factors.map(({ name }) => name).sort()
    expect(new Set(names).size).toBe(names.length)
    for (const input of [undefined, null, 7, {}, { ...(await sampleEvidence(tee)), quote: 'AAAA' }]) {
      const verdict = await judge(input)
      expect(verdict.verdict).toBe('refuse')
      expect(verdict.factors.map(({ name }) => name).sort()).toEqual(names)
    }
  })

  it('refuses a skip that the policy does not name', async () => {
    const strict = await judge(await sampleEvidence(tee), { skip: [] })
    expect(strict.verdict).toBe('refuse')
    expect(failedFactors(strict)).toEqual([
      'model.allowed',
      'software.allowed',
      'configuration.allowed',
      'registry.expected',
      'registry.allowed',
      'sidechannel.token-access',
      'measurement.allowed',
      'measurement.complete',
      ...EVENTLOG_FACTORS,
    ])
  })

  it('never forgives a failure, even one that the policy lets be skipped', async () => {
    const verdict = await judge(await sampleEvidence(tee), { models: { tiny: ['00'.repeat(32)] } })
    expect(verdict.verdict).toBe('refuse')
    expect(failedFactors(verdict)).toEqual(['model.allowed'])
  })

  it('gives reasons that fit a log line, whatever the evidence says', async () => {
    const evil = `\n\u2028level=info forged${'x'.repeat(10_000)}`
    const [reason = ''] = refusalReasons(await judge({ ...(await sampleEvidence(tee)), [evil]: 1 }))
    expect(reason).toMatch(/^bundle.format: bundle: /)
    expect(reason.length).toBeLessThan(300)
    expect(reason).not.toMatch(/[\n\u2028]/)
  })

  it('throws on a malformed policy, which is a mistake of the caller', async () => {
    await expect(judge({}, { roots: [] })).rejects.toMatchObject({ code: 'ERR_POLICY' })
    await expect(judge({}, { skip: ['no.such'] as never })).rejects.toMatchObject({ code: 'ERR_POLICY' })
  })
})

describe('bindings', () => {
  const other = sampleTee()
  const good = sampleEvidence(tee)
  const claims = (changes: Partial<Claims>): Promise<EvidenceBundle> =>
    sampleEvidence(tee, sampleClaims(changes))
  const epoch = sampleClaims().epoch
  const key = new Uint8Array(1216).fill(9)

  it.each<[string, () => Promise<unknown>, string[]]>([
    ['another installation’s root', () => sampleEvidence(other), ['anchor.pinned']],
    ['a bundle that calls a simulation TDX', async () => ({ ...(await good), tee: 'tdx' }), ['anchor.kind']],
    [
      'a swapped epoch key',
      async () => {
        const swapped = encodeClaims(sampleClaims({ epoch: { ...epoch, publicKey: toBase64(key) } }))
        return { ...(await good), claims: toBase64(swapped) }
      },
      ['reportdata.binding', 'epoch.valid'],
    ],
    [
      'an epoch id of another key',
      () => claims({ epoch: { ...epoch, id: '00'.repeat(16) } }),
      ['epoch.valid'],
    ],
    [
      'an epoch that is over',
      () => claims({ epoch: { ...epoch, notBefore: NOW - 600_000, notAfter: NOW } }),
      ['epoch.valid'],
    ],
    [
      'an epoch to come',
      () => claims({ epoch: { ...epoch, notBefore: NOW + 5_001, notAfter: NOW + 600_000 } }),
      ['epoch.valid'],
    ],
    ['an epoch too long', () => claims({ epoch: { ...epoch, notAfter: NOW + 600_001 } }), ['epoch.valid']],
    [
      'a backward epoch',
      () => claims({ epoch: { ...epoch, notBefore: NOW + 4_000, notAfter: NOW + 3_000 } }),
      ['epoch.valid'],
    ],
    [
      'a nonce of its own choice',
      () => createEvidence({ tee, nonce: new Uint8Array(32), claims: encodeClaims(sampleClaims()) }),
      ['evidence.freshness'],
    ],
    [
      'a nonce written over the old one',
      async () => ({ ...(await sampleEvidence(tee)), nonce: toBase64(new Uint8Array(32)) }),
      ['reportdata.binding', 'evidence.freshness'],
    ],
    [
      'a claimed GPU without evidence',
      () => claims({ accelerators: [{ arch: 'HOPPER', deviceId: '01'.repeat(8), mode: 'cc' }] }),
      gpu(),
    ],
    [
      'GPU evidence without a claimed GPU',
      async () => ({ ...(await good), gpu: toBase64(utf8('x')) }),
      ['reportdata.binding'],
    ],
    ['GPU evidence that the quote binds, without a claimed GPU', () => sampleEvidence(withGpu), gpu()],
    ['an event log that is none', async () => ({ ...(await good), eventLog: 'AAAA' }), ['eventlog.format']],
    ['no collateral', async () => ({ ...(await good), collateral: undefined }), ['collateral.format']],
  ])('refuses %s', async (_name, make, factors) => {
    const verdict = await judge(await make())
    expect(verdict.verdict).toBe('refuse')
    const failed = verdict.factors.filter(({ result }) => result === 'fail').map(({ name }) => name)
    expect(failed).toEqual(factors)
  })

  it('compares role, models and registry with the policy', async () => {
    const bundle = await good
    expect(failedFactors(await judge(bundle, { roles: ['gateway'] }))).toEqual(['role.expected'])
    expect(failedFactors(await judge(bundle, { models: { tiny: ['ab'.repeat(32)] } }))).toEqual([])
    expect(failedFactors(await judge(bundle, { models: {} }))).toEqual(['model.allowed'])
    expect(failedFactors(await judge(bundle, { registry: { globalId: -77, address: '' } }))).toEqual([])
    expect(failedFactors(await judge(bundle, { registry: { globalId: -239, address: '' } }))).toEqual([
      'registry.expected',
    ])
    const odd = await claims({
      models: sampleClaims().models.map((model) => ({ ...model, id: '__proto__' })),
    })
    expect(failedFactors(await judge(odd, { models: {} }))).toEqual(['model.allowed'])
  })

  it('asks for a nonce unless the policy says that none will do', async () => {
    const bundle = await good
    const without = { policy, now: () => NOW }
    expect(failedFactors(await verifyEvidence(bundle, without))).toEqual(['evidence.freshness'])
    const lax = { ...without, policy: { ...policy, freshness: ['none' as const] } }
    expect(failedFactors(await verifyEvidence(bundle, lax))).toEqual([])
    const short = { ...without, nonce: NONCE.subarray(0, 31) }
    expect(failedFactors(await verifyEvidence(bundle, short))).toEqual(['evidence.freshness'])
  })

  it('pins measurements, and a register left open is not compared', async () => {
    const bundle = await good
    const { mrTd = '', rtmr = [] } = (await judge(bundle)).fields
    const [r0 = '', r1 = ''] = rtmr
    const pin = { mrTd, rtmr: [r0, r1, null, null] as [string, string, null, null] }
    expect(failedFactors(await judge(bundle, { measurements: [pin] }))).toEqual([])
    const wrong = { ...pin, rtmr: [r1, r1, null, null] as [string, string, null, null] }
    expect(failedFactors(await judge(bundle, { measurements: [wrong] }))).toEqual(['measurement.allowed'])
    expect(failedFactors(await judge(bundle, { measurements: [] }))).toEqual(['measurement.allowed'])
  })
})

function gpu(): string[] {
  return [...GPU_FACTORS]
}
