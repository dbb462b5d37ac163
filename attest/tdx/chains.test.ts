import { describe, expect, it } from 'vitest'
import { sampleTee } from '../evidence/testing.ts'
import { type CertificateSpec, makeCertificate, makeCrl } from '../simulate/certificates.ts'
import { makeCollateral } from '../simulate/collateral.ts'
import { NAMES, newKey, type Role } from '../simulate/platform.ts'
import { encodePem, parseCertificate } from '../x509/index.ts'
import {
  type Anchor,
  checkCrlsSigned,
  checkFresh,
  checkPckChain,
  checkQeIdentitySigned,
  checkTcbInfoSigned,
  evaluationNumber,
  type PckChain,
  pckChain,
} from './chains.ts'
import { type Collateral, parseCollateral } from './collateral.ts'
import { parseQuote } from './quote.ts'

const NOW = Date.UTC(2026, 10, 22)
const tee = sampleTee()
const { keys, certificates } = tee.platform
const chain = pckChain(parseQuote(await tee.quote(new Uint8Array(64))))
const anchor: Anchor = { kind: 'simulated', der: certificates.root }
const collateral = makeCollateral(tee.platform, { issuedAt: NOW })

/** A certificate like the platform's for this role, with changes. */
function remade(role: Role, issuer: Role, changes: Partial<CertificateSpec>): Uint8Array {
  return makeCertificate({
    subject: NAMES[role],
    issuer: NAMES[issuer],
    subjectKey: keys[role],
    issuerKey: keys[issuer],
    notBefore: NOW - 1000,
    notAfter: NOW + 1000,
    ...changes,
  })
}

function pck(changes: Partial<Record<keyof PckChain, Uint8Array>>, now = NOW): Promise<void> {
  const parsed = Object.fromEntries(
    Object.entries(changes).map(([role, der]) => [role, parseCertificate(der)]),
  )
  return checkPckChain({ ...chain, ...parsed }, 'simulated', now)
}

describe('PCK chain', () => {
  it('passes with the right roles, and with certificates made anew', async () => {
    await pck({})
    await pck({ ca: remade('ca', 'root', { caPathLength: 0 }), leaf: remade('leaf', 'ca', {}) })
  })

  it.each<[string, Partial<Record<keyof PckChain, Uint8Array>>, string]>([
    ['a TCB signer as leaf', { leaf: remade('leaf', 'ca', { subject: NAMES.tcb }) }, 'names of their roles'],
    [
      'a CA of another name',
      { ca: remade('ca', 'root', { subject: 'Some CA', caPathLength: 0 }) },
      'names of their roles',
    ],
    ['a leaf that is a CA', { leaf: remade('leaf', 'ca', { caPathLength: 0 }) }, 'end-entity'],
    ['a CA that is none', { ca: remade('ca', 'root', {}) }, 'not a CA'],
    ['an expired leaf', { leaf: remade('leaf', 'ca', { notAfter: NOW - 1 }) }, 'expired'],
    [
      'a leaf of tomorrow',
      { leaf: remade('leaf', 'ca', { notBefore: NOW + 2000, notAfter: NOW + 3000 }) },
      'not yet valid',
    ],
    ['an expired CA', { ca: remade('ca', 'root', { caPathLength: 0, notAfter: NOW - 1 }) }, 'expired'],
    ['a leaf by another key', { leaf: remade('leaf', 'ca', { issuerKey: newKey() }) }, 'signature'],
    [
      'a CA by another key',
      { ca: remade('ca', 'root', { caPathLength: 0, issuerKey: newKey() }) },
      'signature',
    ],
    ['a leaf straight under the root', { leaf: remade('leaf', 'root', {}) }, 'names do not chain'],
  ])('refuses %s', async (_name, changes, message) => {
    await expect(pck(changes)).rejects.toThrow(message)
  })

  it('is three certificates, no more and no fewer', async () => {
    const quote = parseQuote(await tee.quote(new Uint8Array(64)))
    const { leaf, ca, root } = certificates
    for (const wrong of [
      [leaf, ca],
      [leaf, ca, root, root],
    ]) {
      const text = new TextEncoder().encode(encodePem(wrong))
      expect(() => pckChain({ ...quote, pckChain: text })).toThrow('not three')
    }
  })
})

describe('collateral', () => {
  const signed = async (changes: Partial<Collateral>): Promise<void> => {
    const changed = { ...collateral, ...changes }
    const parsed = parseCollateral(changed)
    await checkTcbInfoSigned(changed, parsed, anchor, NOW)
    await checkQeIdentitySigned(changed, parsed, anchor, NOW)
    await checkCrlsSigned(changed, parsed, chain, anchor)
  }
  const signers = (tcb: Uint8Array, root: Uint8Array = certificates.root): string => encodePem([tcb, root])
  const crl = (role: 'root' | 'ca' | 'tcb', key = keys[role]): string => {
    const spec = { issuer: NAMES[role], issuerKey: key, thisUpdate: NOW, nextUpdate: NOW + 1000, revoked: [] }
    return Buffer.from(makeCrl(spec)).toString('hex')
  }
  const { leaf, ca, root } = certificates

  it('passes as issued, with or without the quote’s own chain beside it', async () => {
    await signed({})
    await signed({ pck_certificate_chain: encodePem([leaf, ca, root]) })
    await signed({ tcb_info_issuer_chain: signers(remade('tcb', 'root', {})) })
    await signed({ root_ca_crl: crl('root'), pck_crl: crl('ca') })
  })

  const forged = newKey()
  it.each<[string, Partial<Collateral>, string]>([
    ['a second PCK chain', { pck_certificate_chain: encodePem([ca, ca, root]) }, "not the quote's"],
    ['the PCK CA as TCB signer', { tcb_info_issuer_chain: signers(ca) }, 'not a TCB signing'],
    [
      'a signer by another key',
      { tcb_info_issuer_chain: signers(remade('tcb', 'root', { issuerKey: forged })) },
      'signature',
    ],
    [
      'an expired TCB signer',
      { tcb_info_issuer_chain: signers(remade('tcb', 'root', { notAfter: NOW - 1 })) },
      'expired',
    ],
    [
      'an expired identity signer',
      { qe_identity_issuer_chain: signers(remade('tcb', 'root', { notAfter: NOW - 1 })) },
      'expired',
    ],
    [
      'a TCB signer that is a CA',
      { tcb_info_issuer_chain: signers(remade('tcb', 'root', { caPathLength: 0 })) },
      'not a TCB signing',
    ],
    [
      'another root',
      { tcb_info_issuer_chain: signers(certificates.tcb, remade('root', 'root', { caPathLength: 1 })) },
      'under the root',
    ],
    ['a lone signer', { qe_identity_issuer_chain: encodePem([certificates.tcb]) }, 'under the root'],
    ['a PCK CRL by another key', { pck_crl: crl('ca', forged) }, 'signature'],
    ['a root CRL by another key', { root_ca_crl: crl('root', forged) }, 'signature'],
    ['a root CRL by the TCB signer', { root_ca_crl: crl('tcb') }, 'another name'],
    [
      'a CRL chain of another CA',
      { pck_crl_issuer_chain: encodePem([remade('ca', 'root', { caPathLength: 0 }), root]) },
      'CRL chain',
    ],
    ['text changed by a space', { tcb_info: `${collateral.tcb_info} ` }, 'TDX: the signature'],
    ['an identity changed by a space', { qe_identity: `${collateral.qe_identity} ` }, 'TD_QE: the signature'],
  ])('refuses %s', async (_name, changes, message) => {
    await expect(signed(changes)).rejects.toThrow(message)
  })

  it('runs out with its first part, and counts with its lower number', () => {
    const parsed = parseCollateral(collateral)
    const end = NOW + 30 * 86_400_000
    checkFresh(parsed, NOW)
    checkFresh(parsed, end)
    expect(() => checkFresh(parsed, Number.NaN)).toThrow('not yet valid')
    const { rootCrl, pckCrl, tcbInfo, qeIdentity } = parsed
    for (const part of [
      { rootCrl: { ...rootCrl, nextUpdate: NOW - 1 } },
      { pckCrl: { ...pckCrl, nextUpdate: NOW - 1 } },
      { tcbInfo: { ...tcbInfo, nextUpdate: NOW - 1 } },
      { qeIdentity: { ...qeIdentity, nextUpdate: NOW - 1 } },
      { rootCrl: { ...rootCrl, thisUpdate: NOW + 1 } },
      { pckCrl: { ...pckCrl, thisUpdate: NOW + 1 } },
      { tcbInfo: { ...tcbInfo, issueDate: NOW + 1 } },
      { qeIdentity: { ...qeIdentity, issueDate: NOW + 1 } },
    ])
      expect(() => checkFresh({ ...parsed, ...part }, NOW)).toThrow(/expired|not yet valid/)
    expect(evaluationNumber({ ...parsed, tcbInfo: { ...tcbInfo, tcbEvaluationDataNumber: 9 } })).toBe(1)
    expect(evaluationNumber({ ...parsed, qeIdentity: { ...qeIdentity, tcbEvaluationDataNumber: 0 } })).toBe(0)
  })
})
