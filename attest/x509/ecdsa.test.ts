import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '../bytes.ts'
import { makePlatform } from '../simulate/platform.ts'
import { parseCertificate } from './certificate.ts'
import { DerReader, der, derNumber, derUnsigned, TAG, timeValue } from './der.ts'
import { rawSignature, verifyEcdsa, verifyP256 } from './ecdsa.ts'
import { encodePem, parseChain } from './pem.ts'

const NOW = Date.UTC(2026, 10, 22)
const platform = makePlatform(NOW)
const { root, ca, leaf } = platform.certificates
const parsed = { root: parseCertificate(root), ca: parseCertificate(ca), leaf: parseCertificate(leaf) }

describe('P-256', () => {
  it('refuses keys off the curve and signatures of the wrong shape', async () => {
    const { publicKey, signature, tbs } = parsed.root
    expect(await verifyP256(publicKey, signature, tbs)).toBe(true)
    expect(await verifyP256(publicKey.with(40, (publicKey[40] ?? 0) ^ 1), signature, tbs)).toBe(false)
    expect(await verifyP256(publicKey.subarray(1), signature, tbs)).toBe(false)
    expect(await verifyP256(publicKey, signature.subarray(1), tbs)).toBe(false)
    expect(await verifyP256(publicKey, new Uint8Array(64), tbs)).toBe(false)
    const wide = der(TAG.sequence, derUnsigned(new Uint8Array(33).fill(1)), derNumber(1))
    expect(() => rawSignature(wide)).toThrow('256 bits')
    expect(() =>
      rawSignature(concat(der(TAG.sequence, derNumber(1), derNumber(1)), Uint8Array.of(0))),
    ).toThrow('trailing')
  })
})

describe('P-384', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
  const message = utf8('message')
  const signature = new Uint8Array(sign('sha384', message, key))
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const publicKey = new Uint8Array(spki.subarray(-97))

  it('verifies with SHA-384 and refuses every other shape', async () => {
    const raw = rawSignature(signature, 'P-384')
    expect(await verifyEcdsa('P-384', publicKey, raw, message)).toBe(true)
    expect(await verifyEcdsa('P-384', publicKey, raw, utf8('other'))).toBe(false)
    expect(await verifyEcdsa('P-384', publicKey.with(50, (publicKey[50] ?? 0) ^ 1), raw, message)).toBe(false)
    expect(await verifyEcdsa('P-256', publicKey, raw, message)).toBe(false)
    expect(await verifyP256(publicKey, raw.subarray(0, 64), message)).toBe(false)
    const wide = der(TAG.sequence, derUnsigned(new Uint8Array(49).fill(1)), derNumber(1))
    expect(() => rawSignature(wide, 'P-384')).toThrow('384 bits')
  })

  it('is not taken where P-256 belongs, nor the other way round', () => {
    expect(() => parseCertificate(leaf, 'P-384')).toThrow('not ecdsa-with-SHA384')
    expect(() => parseChain(encodePem([leaf]), 'P-384')).toThrow('not ecdsa-with-SHA384')
  })

  it('has a time for "no expiry"', () => {
    const never = der(TAG.generalizedTime, utf8('99991231235959Z'))
    expect(timeValue(new DerReader(never, 't').next(), 't')).toBe(Date.UTC(9999, 11, 31, 23, 59, 59))
  })
})
