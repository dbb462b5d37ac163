import { describe, expect, it } from 'vitest'
import { fromBase64, fromHex, toBase64, utf8 } from '../bytes.ts'
import { EVENTLOG_FACTORS, GPU_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import type { CollateralSpec } from '../simulate/collateral.ts'
import type { Forgery, SimulatedTee } from '../simulate/tee.ts'
import { parseCertificate } from '../x509/index.ts'
import { createEvidence, type EvidenceBundle, reportData } from './bundle.ts'
import { type Claims, claimsDigest, encodeClaims } from './claims.ts'
import { NONCE, NOW, sampleClaims, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import { failedFactors, refusalReasons, type Verdict } from './verdict.ts'
import { verifyEvidence } from './verify.ts'

const tee = sampleTee()
const policy = simulatedWithoutLog(tee.rootSha256)

function judge(bundle: unknown, changes: Partial<Policy> = {}, now = NOW, nonce = NONCE): Promise<Verdict> {
  return verifyEvidence(bundle, { policy: { ...policy, ...changes }, now: () => now, nonce })
}

/** Evidence that the TEE itself made wrong. */
async function forged(forgery: Forgery, collateral: Partial<CollateralSpec> = {}): Promise<EvidenceBundle> {
  const bundle = await sampleEvidence(tee)
  const data = reportData({ nonce: NONCE, claimsDigest: claimsDigest(fromBase64(bundle.claims)) })
  return {
    ...bundle,
    quote: toBase64(await tee.quote(data, forgery)),
    collateral: tee.issueCollateral(collateral),
  }
}

function serial(role: 'ca' | 'leaf' | 'tcb'): Uint8Array {
  return fromHex(parseCertificate(tee.platform.certificates[role]).serial)
}

const flip = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))

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
      ['reportdata.binding', ...gpu()],
    ],
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

/** When no level is reached there are no advisories to judge, and what is not judged refuses. */
const NO_LEVEL = ['tcb.status', 'tcb.advisories']
const DOCUMENTS = ['tcbinfo.signature', 'qeidentity.signature']

describe('forged quotes and collateral', () => {
  const out = { platformStatus: 'OutOfDate', advisories: ['INTEL-SA-1'] }
  const seam = Uint8Array.of(7, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

  it.each<[string, Forgery, Partial<CollateralSpec>, string[]]>([
    ['nothing wrong', {}, {}, []],
    ['a debug TD', { report: { tdAttributes: fromHex('0100001000000000') } }, {}, ['td.debug']],
    ['a profiled TD', { report: { tdAttributes: fromHex('2000001000000000') } }, {}, ['td.debug']],
    ['a migratable TD', { report: { tdAttributes: fromHex('0000003000000000') } }, {}, ['td.migratable']],
    ['SEPT_VE_DISABLE clear', { report: { tdAttributes: new Uint8Array(8) } }, {}, ['td.sept-ve-disable']],
    [
      'an unknown TD attribute',
      { report: { tdAttributes: fromHex('0001001000000000') } },
      {},
      ['td.attributes'],
    ],
    ['PKS and PERFMON', { report: { tdAttributes: fromHex('0000005000000080') } }, {}, []],
    ['no SSE', { report: { xfam: fromHex('e502060000000000') } }, {}, ['td.xfam']],
    ['an unknown feature', { report: { xfam: fromHex('e702060100000000') } }, {}, ['td.xfam']],
    [
      'a module of another signer',
      { report: { mrSignerSeam: new Uint8Array(48).fill(1) } },
      {},
      ['seam.signer'],
    ],
    [
      'SEAM attributes',
      { report: { seamAttributes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) } },
      {},
      ['seam.attributes'],
    ],
    [
      'a module of unknown major version',
      { report: { teeTcbSvn: seam } },
      {},
      ['seam.signer', 'seam.attributes', 'seam.module', ...NO_LEVEL],
    ],
    [
      'an old module',
      { report: { teeTcbSvn: seam.with(0, 6).with(1, 1) } },
      {},
      ['seam.module', ...NO_LEVEL],
    ],
    ['old TDX microcode', { report: { teeTcbSvn: seam.with(1, 1).with(2, 2) } }, {}, NO_LEVEL],
    ['another quoting enclave', { qe: { mrSigner: new Uint8Array(32) } }, {}, ['qe.identity']],
    ['another product', { qe: { isvProdId: 1 } }, {}, ['qe.identity']],
    ['an old quoting enclave', { qe: { isvSvn: 3 } }, {}, ['qe.tcb', ...NO_LEVEL]],
    ['an OutOfDate platform', {}, out, NO_LEVEL],
    ['an OutOfDate module', {}, { moduleStatus: 'OutOfDate' }, ['tcb.status']],
    ['an OutOfDate quoting enclave', {}, { qeStatus: 'OutOfDate' }, ['qe.tcb', 'tcb.status']],
    ['a Revoked platform', {}, { platformStatus: 'Revoked' }, ['tcb.status']],
    ['no matching level', {}, { unreachable: true }, NO_LEVEL],
    [
      'TCB info of another platform',
      {},
      { fmspc: new Uint8Array(6) },
      ['platform.match', 'platform.allowed', ...NO_LEVEL],
    ],
    [
      'TCB info of another PCE',
      {},
      { pceId: Uint8Array.of(1, 0) },
      ['platform.match', 'platform.allowed', ...NO_LEVEL],
    ],
    ['a revoked PCK certificate', {}, { pckRevoked: [serial('leaf')] }, ['pck.revocation']],
    ['a revoked PCK CA', {}, { rootRevoked: [serial('ca')] }, ['ca.revocation']],
    ['a revoked TCB signer', {}, { rootRevoked: [Uint8Array.of(5), serial('tcb')] }, ['ca.revocation']],
    [
      'someone else’s revocation',
      {},
      { pckRevoked: [flip(serial('leaf'), 5)], rootRevoked: [serial('leaf')] },
      [],
    ],
    ['expired collateral', {}, { issuedAt: NOW - 1000, lifetime: 0 }, ['collateral.fresh']],
    ['collateral to come', {}, { issuedAt: NOW + 1000 }, ['collateral.fresh']],
    ['an evaluation number below the floor', {}, { evaluationNumber: 0 }, ['tcb.evaluation-floor']],
  ])('%s', async (_name, forgery, spec, factors) => {
    const verdict = await judge(await forged(forgery, spec))
    expect(failedFactors(verdict)).toEqual(factors)
    expect(verdict.verdict).toBe(factors.length === 0 ? 'accept' : 'refuse')
  })

  it('accepts a status only with every one of its advisories named', async () => {
    const bundle = await forged({}, { ...out, advisories: ['INTEL-SA-2', 'INTEL-SA-1'] })
    const tcb = (statuses: string[], advisories: string[]): Partial<Policy> => ({
      tcb: { statuses, advisories },
    })
    const all = ['INTEL-SA-1', 'INTEL-SA-2']
    const named = await judge(bundle, tcb(['OutOfDate'], all))
    expect(named.verdict).toBe('accept')
    expect(named.advisories).toEqual(all)
    expect(failedFactors(await judge(bundle, tcb(['OutOfDate'], ['INTEL-SA-1'])))).toEqual(['tcb.advisories'])
    expect(failedFactors(await judge(bundle, tcb(['SWHardeningNeeded'], all)))).toEqual(['tcb.status'])
    const revoked = await forged({}, { platformStatus: 'Revoked' })
    expect(failedFactors(await judge(revoked, tcb(['Revoked'], all)))).toEqual(['tcb.status'])
  })

  it('takes no part of the collateral from another root, and no list from the wrong CA', async () => {
    const other: SimulatedTee = sampleTee()
    const bundle = await sampleEvidence(tee)
    const own = tee.issueCollateral({})
    const theirs = other.issueCollateral({})
    const swaps: (readonly [string, ...(keyof typeof own)[]])[] = [
      ['crl.signature', 'pck_crl'],
      ['crl.signature', 'root_ca_crl'],
      ['crl.signature', 'pck_crl', 'pck_crl_issuer_chain'],
      ['crl.signature', 'pck_crl_issuer_chain'],
      ['tcbinfo.signature', 'tcb_info', 'tcb_info_signature', 'tcb_info_issuer_chain'],
      ['qeidentity.signature', 'qe_identity', 'qe_identity_signature', 'qe_identity_issuer_chain'],
      ['tcbinfo.signature', 'tcb_info_signature'],
      ['qeidentity.signature', 'qe_identity_signature'],
    ]
    for (const [factor, ...keys] of swaps) {
      const collateral = { ...own, ...Object.fromEntries(keys.map((key) => [key, theirs[key]])) }
      expect(failures(await judge({ ...bundle, collateral })), keys.join()).toEqual([factor])
    }
    const crossed = { ...own, pck_crl: own.root_ca_crl, root_ca_crl: own.pck_crl }
    expect(failures(await judge({ ...bundle, collateral: crossed }))).toEqual(['crl.signature'])
    const wrongSigner = { ...own, tcb_info_issuer_chain: own.pck_crl_issuer_chain }
    expect(failures(await judge({ ...bundle, collateral: wrongSigner }))).toEqual(['tcbinfo.signature'])
    const all = await judge({ ...bundle, collateral: theirs })
    expect(failures(all)).toEqual([...DOCUMENTS, 'crl.signature'])
    // Nothing is concluded from documents and lists that nobody signed.
    expect(all.tcbStatus).toBeUndefined()
    const unproven = /^(pck|ca)\.revocation|^qe\.(identity|tcb)|^seam\.|^platform\.|^tcb\.(status|advisories)/
    const concluded = all.factors.filter(({ name }) => unproven.test(name))
    expect(concluded).toHaveLength(11)
    expect(concluded.filter(({ result }) => result !== 'skip')).toEqual([])
  })
})

function failures({ factors }: Verdict): string[] {
  return factors.filter(({ result }) => result === 'fail').map(({ name }) => name)
}

function gpu(): string[] {
  return [...GPU_FACTORS]
}
