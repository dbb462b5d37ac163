/** Quotes and collateral that the simulated TEE itself makes wrong: each is refused by the factor that it is about. */

import { describe, expect, it } from 'vitest'
import { fromBase64, fromHex, toBase64 } from '../bytes.ts'
import type { Policy } from '../policy/policy.ts'
import type { CollateralSpec } from '../simulate/collateral.ts'
import type { Forgery, SimulatedTee } from '../simulate/tee.ts'
import { parseCertificate } from '../x509/index.ts'
import { type EvidenceBundle, reportData } from './bundle.ts'
import { claimsDigest } from './claims.ts'
import { NONCE, NOW, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import { failedFactors, type Verdict } from './verdict.ts'
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
