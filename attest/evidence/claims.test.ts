import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, fromUtf8, toBase64, toHex, utf8 } from '../bytes.ts'
import { openBundle, reportData } from './bundle.ts'
import { type Claims, claimsDigest, encodeClaims, MAX_CLAIMS, parseClaims } from './claims.ts'
import { sampleClaims, sampleEvidence, sampleTee } from './testing.ts'

describe('claims', () => {
  it('come back from their bytes, and the same claims have the same bytes', () => {
    const claims = sampleClaims()
    expect(parseClaims(encodeClaims(claims))).toEqual(claims)
    const reordered = Object.fromEntries(Object.entries(claims).reverse()) as Claims
    expect(encodeClaims(reordered)).toEqual(encodeClaims(claims))
  })

  it('are refused with a key too many, a key missing, or a key twice, at any depth', () => {
    const text = fromUtf8(encodeClaims(sampleClaims()))
    expect(() => parseClaims(utf8(text.replace('{', '{"extra":1,')))).toThrow('extra')
    expect(() => parseClaims(utf8(text.replace('"kem":"X-Wing",', '')))).toThrow('epoch.kem')
    expect(() => parseClaims(utf8(text.replace('"kem":', '"kem":"X-Wing","kem":')))).toThrow('twice')
    expect(() => parseClaims(utf8(`${text} x`))).toThrow('not JSON')
    expect(() => parseClaims(new Uint8Array(MAX_CLAIMS + 1).fill(0x20))).toThrow('more than')
  })

  it.each<[string, Partial<Claims>]>([
    ['bootId', { bootId: 'AB'.repeat(16) }],
    ['signingKey', { signingKey: toBase64(new Uint8Array(31)) }],
    ['signingKey', { signingKey: `${toBase64(new Uint8Array(32))} ` }],
    ['epoch.publicKey', { epoch: { ...sampleClaims().epoch, publicKey: toBase64(new Uint8Array(1215)) } }],
    ['epoch.notAfter', { epoch: { ...sampleClaims().epoch, notAfter: 1.5 } }],
    ['role', { role: 'relay' as never }],
    ['tlsSpkiSha256', { tlsSpkiSha256: '00' }],
    ['accelerators.0.arch', { accelerators: [{ arch: 'LS10', deviceId: '01'.repeat(8), mode: 'spt' }] }],
    ['accelerators.0.deviceId', { accelerators: [{ arch: 'HOPPER', deviceId: 'a,HOPPER b', mode: 'spt' }] }],
    ['accelerators.0.mode', { accelerators: [{ arch: 'HOPPER', deviceId: '01'.repeat(8), mode: 'off' }] }],
    ['models', { models: new Array(65).fill(sampleClaims().models[0]) }],
  ])('with a bad %s are neither made nor read', (field, changes) => {
    const claims = sampleClaims(changes)
    expect(() => encodeClaims(claims)).toThrow(field)
    expect(() => parseClaims(utf8(JSON.stringify(claims)))).toThrow(field)
  })

  it('of random bytes only ever throw ERR_EVIDENCE', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), (bytes) => {
        try {
          parseClaims(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_EVIDENCE' })
        }
      }),
    )
  })
})

describe('report data', () => {
  it('is what DESIGN says, to the byte', () => {
    const nonce = new Uint8Array(32).fill(1)
    const digest = new Uint8Array(32).fill(2)
    // printf 'chrysalis/report-data/1\0' with 32 x 01, 32 x 02, 32 x 00 through sha512sum
    expect(toHex(reportData({ nonce, claimsDigest: digest }))).toBe(REPORT_DATA)
    expect(toHex(reportData({ nonce, claimsDigest: digest, gpu: utf8('gpu') }))).toBe(REPORT_DATA_GPU)
    expect(() => reportData({ nonce: nonce.subarray(1), claimsDigest: digest })).toThrow('32 bytes')
    expect(() => reportData({ nonce, claimsDigest: digest.subarray(1) })).toThrow('32 bytes')
  })

  it('names claims by the SHA-256 of their bytes', () => {
    expect(toHex(claimsDigest(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })
})

describe('bundles', () => {
  it('are refused beyond their sizes, with unknown keys and with sloppy base64', async () => {
    const bundle = await sampleEvidence(sampleTee())
    expect(openBundle(bundle).claims).toEqual(encodeClaims(sampleClaims()))
    expect(() => openBundle({ ...bundle, extra: 1 })).toThrow('extra')
    expect(() => openBundle({ ...bundle, quote: toBase64(new Uint8Array(16 * 1024 + 3)) })).toThrow('quote')
    expect(() => openBundle({ ...bundle, claims: toBase64(new Uint8Array(MAX_CLAIMS + 3)) })).toThrow(
      'claims',
    )
    expect(() => openBundle({ ...bundle, nonce: toBase64(fromHex('00'.repeat(31))) })).toThrow('nonce')
    // 32 bytes end in two unused bits; setting one is another text for the same bytes.
    expect(() => openBundle({ ...bundle, nonce: `${'A'.repeat(42)}B=` })).toThrow('canonical')
    expect(() => openBundle({ ...bundle, format: 'chrysalis/evidence/2' })).toThrow('format')
  })
})

const REPORT_DATA =
  '03cd06bca5d66d9a5f27bd87d256de09c1441f1b6064a279c0814108d40b763425aeac33fe546a7269302ec71cbe8592bb74fa1c8bb7b6f4de76d3af3459fde3'
const REPORT_DATA_GPU =
  '60ccb523d6a99c52058c8856694180e515373e9589d63a0917f97e9046b5a7900c5157edf9b85674dad53e3069dbae97a69618803e5edff40b60c0bb2d2f04f7'
