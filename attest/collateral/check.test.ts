import { sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, utf8 } from '../bytes.ts'
import { makeCertificate, makeCrl } from '../simulate/certificates.ts'
import { SimulatedTee } from '../simulate/index.ts'
import { NAMES, newKey } from '../simulate/platform.ts'
import type { Collateral } from '../tdx/index.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { encodePem } from '../x509/index.ts'
import { checkCollateral, checkPlatform } from './check.ts'
import { canonicalChain, crlHex } from './parts.ts'
import { rootCrlUrl } from './root-crl.ts'
import { caNamed, subjectOf } from './source.ts'

const NOW = Date.UTC(2026, 10, 22)
const tee = SimulatedTee.ephemeral({ now: () => NOW })
const { certificates } = tee.platform
const { leaf, ca, root } = certificates
const quote = await tee.quote(new Uint8Array(64))
const collateral = await tee.collateral()
const subject = subjectOf(quote)
const roots = [{ sha256: tee.rootSha256 }]
const dates = { notBefore: NOW - 86_400_000, notAfter: NOW + 86_400_000 }

/** A certificate with the names of one of the platform's, signed by a key that nobody vouches for. */
function lookAlike(
  role: 'leaf' | 'ca' | 'tcb',
  issuer: 'root' | 'ca',
): { der: Uint8Array; key: ReturnType<typeof newKey> } {
  const key = newKey()
  const names = { subject: NAMES[role], issuer: NAMES[issuer] }
  const path = role === 'ca' ? { caPathLength: 0 } : {}
  return { der: makeCertificate({ ...names, ...dates, subjectKey: key, issuerKey: newKey(), ...path }), key }
}

describe('an answer', () => {
  it('is taken when everything in it is signed under one root', async () => {
    const { from, until } = await checkCollateral(collateral, subject, roots)
    expect([from, until]).toEqual([NOW - 3_600_000, NOW - 3_600_000 + 30 * 86_400_000])
    await checkCollateral(collateral, subject, undefined)
  })

  const forgedTcb = lookAlike('tcb', 'root')
  const forgedCa = lookAlike('ca', 'root')
  const signed = (text: string): string =>
    toHex(sign('sha256', utf8(text), { key: forgedTcb.key, dsaEncoding: 'ieee-p1363' }))
  const crl = (issuerKey: ReturnType<typeof newKey>, issuer: 'root' | 'ca'): string =>
    toHex(
      makeCrl({
        issuer: NAMES[issuer],
        issuerKey,
        thisUpdate: NOW - 1000,
        nextUpdate: NOW + 1000,
        revoked: [],
      }),
    )

  it.each<[string, Partial<Collateral>, string]>([
    ['a PCK list that another key signed', { pck_crl: crl(newKey(), 'ca') }, 'signature'],
    ['a root list that another key signed', { root_ca_crl: crl(newKey(), 'root') }, 'signature'],
    [
      'a changed QE identity',
      { qe_identity: collateral.qe_identity.replace('UpToDate', 'OutOfDate') },
      'TD_QE',
    ],
    ['a changed TCB info', { tcb_info: collateral.tcb_info.replace('UpToDate', 'OutOfDate') }, 'TDX'],
    [
      'a TCB signer that the root did not issue',
      {
        tcb_info_issuer_chain: encodePem([forgedTcb.der, root]),
        tcb_info_signature: signed(collateral.tcb_info),
      },
      'TCB Signing',
    ],
    [
      'a QE identity signer that the root did not issue',
      {
        qe_identity_issuer_chain: encodePem([forgedTcb.der, root]),
        qe_identity_signature: signed(collateral.qe_identity),
      },
      'TCB Signing',
    ],
    [
      'a PCK CA that the root did not issue',
      { pck_crl_issuer_chain: encodePem([forgedCa.der, root]), pck_crl: crl(forgedCa.key, 'ca') },
      'Platform CA',
    ],
    ['a chain of three', { tcb_info_issuer_chain: encodePem([leaf, ca, root]) }, 'signer and its root'],
    ['a chain of one', { qe_identity_issuer_chain: encodePem([root]) }, 'signer and its root'],
  ])('with %s is refused', async (_name, change, text) => {
    const error: unknown = await checkCollateral({ ...collateral, ...change }, subject, roots).catch(
      (e: unknown) => e,
    )
    expect(error).toMatchObject({ code: 'ERR_COLLATERAL_ANSWER' })
    expect(String(error)).toContain(text)
  })

  it('for the other CA or another platform is refused', async () => {
    for (const other of [
      { ...subject, ca: 'processor' as const },
      { ...subject, fmspc: '00'.repeat(6) },
    ])
      await expect(checkCollateral(collateral, other, roots)).rejects.toThrow('not for FMSPC')
  })
})

describe('a quote', () => {
  it('is asked about only when a pinned root vouches for every certificate of its chain', async () => {
    await checkPlatform(quote, roots)
    const forged = [
      [lookAlike('leaf', 'ca').der, ca, root],
      [leaf, lookAlike('ca', 'root').der, root],
    ]
    for (const chain of forged) {
      const bytes = await tee.quote(new Uint8Array(64), { chain })
      await expect(checkPlatform(bytes, roots)).rejects.toThrow('signature')
    }
    await expect(checkPlatform(quote, [{ sha256: '00'.repeat(32) }])).rejects.toThrow('not pinned')
  })

  it('has a chain whose second certificate issued the first, by its name', async () => {
    expect(() => subjectOf(quote)).not.toThrow()
    const swapped = await tee.quote(new Uint8Array(64), { chain: [leaf, root, ca] })
    expect(() => subjectOf(swapped)).toThrow('not the issuer')
    expect(() => caNamed('Some CA')).toThrow('neither')
  })
})

describe('parts', () => {
  it('of a chain stand signer first, whatever the order and the line ends', () => {
    const good = encodePem([certificates.tcb, root])
    for (const text of [
      good,
      encodePem([root, certificates.tcb]),
      good.replaceAll('\n', '\r\n'),
      `\n${good}\n\0`,
    ])
      expect(canonicalChain(text, 'test')).toBe(good)
    for (const bad of ['', `${good}x`, `x${good}`, good.replace('MII', '!II'), 'x'.repeat(40_000)])
      expect(() => canonicalChain(bad, 'test')).toThrow('test')
  })

  it('of a list are DER, hex or PEM and nothing else', () => {
    const bytes = fromHex(collateral.pck_crl)
    for (const form of [bytes, utf8(` ${collateral.pck_crl.toUpperCase()}\r\n`)])
      expect(crlHex(form, 'test')).toBe(collateral.pck_crl)
    for (const bad of ['', '308', '3z', '-----BEGIN X509 CRL-----\n*\n-----END X509 CRL-----'])
      expect(() => crlHex(utf8(bad), 'test')).toThrow('test')
  })
})

const there = haveVectors()

describe.skipIf(!there)('the distribution point', () => {
  const intel = there ? vectorBytes('roots/intel_sgx_root_ca.der') : new Uint8Array()
  const urlIn = (change: (text: string) => string): URL =>
    rootCrlUrl(encodePem([Buffer.from(change(Buffer.from(intel).toString('latin1')), 'latin1')]))

  it('of Intel’s root is where its list is, and no other host or protocol is asked', () => {
    expect(urlIn((text) => text).href).toBe(
      'https://certificates.trustedservices.intel.com/IntelSGXRootCA.der',
    )
    expect(() => urlIn((text) => text.replace('services.intel.com', 'services.inte1.com'))).toThrow(
      'not at https',
    )
    expect(() => urlIn((text) => text.replace('https:/', 'http://'))).toThrow('not at https')
  })
})
