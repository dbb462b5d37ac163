import { describe, expect, it } from 'vitest'
import type { Policy } from '../policy/policy.ts'
import { parseRegistryView, type RegistryView, withRegistry } from '../policy/registry.ts'
import { VerdictCache } from './cache.ts'
import type { Claims } from './claims.ts'
import { platformRevocationKey, registryObjection } from './judge-registry.ts'
import { NONCE, NOW, sampleClaims, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import { failedFactors, refusalReasons } from './verdict.ts'
import { verifyEvidence } from './verify.ts'

const registry = { globalId: -77, address: `0:${'a1'.repeat(32)}` }
const tee = sampleTee()
const policy = withRegistry(simulatedWithoutLog(tee.rootSha256), registry)
const claims = sampleClaims({ registry, software: { version: '1.2.3', commit: 'test' } })
const account = 'c3'.repeat(32)
const [model] = claims.models

/** What the sample TEE measures, found by judging it without a registry. */
const proven = await verifyEvidence(await sampleEvidence(tee, claims), {
  policy: simulatedWithoutLog(tee.rootSha256),
  now: () => NOW,
  nonce: NONCE,
})
const subject = proven.subject ?? expect.fail('good evidence has a subject')
const { mrTd, rtmr } = subject.registers
const set = {
  mrTd,
  rtmr: [rtmr[0] ?? '', rtmr[1] ?? '', rtmr[2] ?? '', null] as [string, string, string, null],
}

const view: RegistryView = {
  ...registry,
  version: 7,
  hash: '0f'.repeat(32),
  expiresAt: NOW / 1000 + 3600,
  minSoftware: '1.2.3',
  measurements: [{ roles: ['worker', 'gateway'], set }],
  models: [{ id: 'tiny', sha256: model?.sha256 ?? '' }],
  gateways: [account],
  revoked: [],
}

async function judge(changes: Partial<RegistryView>, of: Partial<Claims> = {}, under: Policy = policy) {
  const bundle = await sampleEvidence(tee, { ...claims, ...of })
  return verifyEvidence(bundle, {
    policy: under,
    now: () => NOW,
    nonce: NONCE,
    registry: { ...view, ...changes },
  })
}

describe('a policy that holds to a registry', () => {
  it('accepts what the registry allows, and pins by it what it does not pin itself', async () => {
    const verdict = await judge({})
    expect(refusalReasons(verdict)).toEqual([])
    for (const name of ['registry.allowed', 'registry.expected', 'measurement.allowed', 'model.allowed'])
      expect(verdict.factors).toContainEqual(expect.objectContaining({ name, result: 'pass' }))
  })

  it('refuses without a view of it', async () => {
    const bundle = await sampleEvidence(tee, claims)
    const verdict = await verifyEvidence(bundle, { policy, now: () => NOW, nonce: NONCE })
    expect(failedFactors(verdict)).toEqual(['model.allowed', 'registry.allowed', 'measurement.allowed'])
  })

  it.each<[string, Partial<RegistryView>, Partial<Claims>, string[]]>([
    ['an expired snapshot', { expiresAt: NOW / 1000 }, {}, []],
    ['another registry', {}, { registry: { ...registry, globalId: -239 } }, ['registry.expected']],
    ['a revoked platform', { revoked: subject.platforms.map(platformRevocationKey) }, {}, []],
    ['software below the least', { minSoftware: '1.2.4' }, {}, []],
    ['a least with more digits', { minSoftware: '1.10.0' }, {}, []],
    ['software whose version cannot be compared', {}, { software: { version: '1.2.3-rc', commit: '' } }, []],
    ['no such measurements', { measurements: [] }, {}, ['measurement.allowed']],
    ['measurements of the other role', { measurements: [{ roles: ['gateway'], set }] }, {}, []],
    ['a model that is not there', { models: [] }, {}, ['model.allowed']],
    [
      'a model of another name',
      { models: [{ id: 'big', sha256: model?.sha256 ?? '' }] },
      {},
      ['model.allowed'],
    ],
    [
      'a gateway that is not listed',
      { gateways: [] },
      { role: 'gateway', models: [], payoutAddress: `0:${account}` },
      [],
    ],
    [
      'a gateway on another workchain',
      {},
      { role: 'gateway', models: [], payoutAddress: `-1:${account}` },
      [],
    ],
  ])('refuses %s', async (_, changes, of, others) => {
    const failed = failedFactors(await judge(changes, of))
    expect(failed).toContain('registry.allowed')
    if (others.length > 0) expect(failed).toEqual(expect.arrayContaining(others))
  })

  it('accepts a listed gateway', async () => {
    const gateway: Partial<Claims> = { role: 'gateway', models: [], payoutAddress: `0:${account}` }
    expect(refusalReasons(await judge({}, gateway))).toEqual([])
  })

  it('asks for the pins of policy and registry, where both have them', async () => {
    const own = { ...policy, measurements: [set], models: { tiny: [model?.sha256 ?? ''] } }
    expect((await judge({}, {}, own)).verdict).toBe('accept')
    expect(failedFactors(await judge({ models: [] }, {}, own))).toEqual(['registry.allowed'])
    expect(failedFactors(await judge({ measurements: [] }, {}, own))).toEqual(['registry.allowed'])
    expect(failedFactors(await judge({}, {}, { ...own, models: {} }))).toEqual(['model.allowed'])
  })

  it('is of one registry', () => {
    expect(() => withRegistry(policy, { ...registry, globalId: -239 })).toThrow(
      expect.objectContaining({
        code: 'ERR_POLICY',
        message: expect.stringContaining('pins the registry 0:a1'),
      }),
    )
    expect(withRegistry(policy, registry)).toEqual(policy)
  })
})

describe('a view of a registry', () => {
  it('is asked again about what was accepted', () => {
    const now = NOW
    expect(registryObjection(view, subject, now)).toBeUndefined()
    expect(registryObjection({ ...view, models: [] }, subject, now)).toMatch(/no model "tiny"/)
    expect(registryObjection(view, subject, view.expiresAt * 1000)).toMatch(/expired/)
  })

  it('bounds how long a verdict is remembered, and another view is another question', async () => {
    const cache = new VerdictCache()
    const bundle = await sampleEvidence(tee, claims)
    const soon = { ...view, expiresAt: NOW / 1000 + 60 }
    const ask = (registry: RegistryView, now: number) =>
      cache.verify(bundle, { policy, nonce: NONCE, registry, now: () => now })
    expect((await ask(soon, NOW)).verdict).toBe('accept')
    expect(failedFactors(await ask({ ...soon, version: 8, models: [] }, NOW))).toContain('registry.allowed')
    expect(failedFactors(await ask(soon, NOW + 60_000))).toEqual(['registry.allowed'])
  })

  it('that is malformed is refused by the name of the field', () => {
    expect(() => parseRegistryView({ ...view, minSoftware: '1.2' })).toThrow(
      expect.objectContaining({ code: 'ERR_POLICY', message: expect.stringContaining('minSoftware') }),
    )
  })
})
