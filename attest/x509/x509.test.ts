import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../bytes.ts'
import { makeCertificate, makeCrl } from '../simulate/certificates.ts'
import { makePlatform, newKey } from '../simulate/platform.ts'
import {
  type Certificate,
  checkDates,
  checkIssued,
  OID,
  parseCertificate,
  readExtensions,
} from './certificate.ts'
import { checkCrlIssued, parseCrl } from './crl.ts'
import { DerReader, der, derOid, TAG, X509Error } from './der.ts'
import { encodePem, parseChain } from './pem.ts'

const NOW = Date.UTC(2026, 10, 22)
const platform = makePlatform(NOW)
const { root, ca, leaf } = platform.certificates
const parsed = { root: parseCertificate(root), ca: parseCertificate(ca), leaf: parseCertificate(leaf) }

describe('certificates', () => {
  it('say what OpenSSL reads in them', () => {
    for (const bytes of [root, ca, leaf]) {
      const own = parseCertificate(bytes)
      const other = new X509Certificate(bytes)
      expect(own.serial.replace(/^00/, '')).toBe(other.serialNumber.toLowerCase())
      expect(other.subject).toContain(`CN=${own.commonName}`)
      expect(own.notAfter).toBe(Date.parse(other.validTo))
      expect(own.notBefore).toBe(Date.parse(other.validFrom))
      expect(own.ca).toBe(other.ca)
      const spki = other.publicKey.export({ type: 'spki', format: 'der' })
      expect(toHex(own.publicKey)).toBe(spki.subarray(-65).toString('hex'))
    }
    expect(new X509Certificate(leaf).verify(new X509Certificate(ca).publicKey)).toBe(true)
  })

  it('chain by name, role and signature', async () => {
    await checkIssued(parsed.leaf, parsed.ca)
    await checkIssued(parsed.ca, parsed.root)
    await checkIssued(parsed.root, parsed.root)
    await expect(checkIssued(parsed.leaf, parsed.root)).rejects.toThrow('names')
    await expect(checkIssued(parsed.leaf, parsed.leaf)).rejects.toThrow('names')
  })

  it('are not issued by a leaf, by a look-alike, or below the path length', async () => {
    const key = newKey()
    const make = (issuer: string, issuerKey = key, caPathLength?: number): Certificate => {
      const dates = { notBefore: NOW - 1000, notAfter: NOW + 1000 }
      const spec = { subject: 'Child', issuer, subjectKey: newKey(), issuerKey, ...dates }
      return parseCertificate(makeCertificate(caPathLength === undefined ? spec : { ...spec, caPathLength }))
    }
    const byLeaf = make(parsed.leaf.commonName, platform.keys.leaf)
    await expect(checkIssued(byLeaf, parsed.leaf)).rejects.toThrow('not a CA')
    const lookAlike = make(parsed.ca.commonName)
    await expect(checkIssued(lookAlike, parsed.ca)).rejects.toThrow('signature')
    await expect(checkIssued(lookAlike, parsed.ca)).rejects.toThrow('signature')
    const tooDeep = make(parsed.ca.commonName, platform.keys.ca, 0)
    await expect(checkIssued(tooDeep, parsed.ca)).rejects.toThrow('path length')
    expect(() => checkDates(byLeaf, NOW - 2000)).toThrow('not yet valid')
    expect(() => checkDates(byLeaf, NOW + 2000)).toThrow('expired')
    checkDates(byLeaf, NOW)
  })

  it('are not issued by a CA that may not sign certificates', async () => {
    await expect(checkIssued(parsed.leaf, { ...parsed.ca, keyUsage: 0x02 })).rejects.toThrow('may not sign')
    await expect(checkIssued(parsed.leaf, { ...parsed.ca, keyUsage: undefined })).rejects.toThrow(
      'may not sign',
    )
  })

  it('have the same algorithm inside and outside', () => {
    const at = toHex(leaf).indexOf('06082a8648ce3d040302') / 2
    // ecdsa-with-SHA384 inside the signed part
    expect(() => parseCertificate(leaf.with(at + 9, 3))).toThrow('algorithms differ')
  })

  it('have no extension twice and no critical one that is unknown here', () => {
    const extension = (oid: string, critical: boolean): Uint8Array => {
      const flag = critical ? der(TAG.boolean, Uint8Array.of(0xff)) : new Uint8Array()
      return der(TAG.sequence, derOid(oid), flag, der(TAG.octetString))
    }
    const read = (...list: Uint8Array[]) =>
      readExtensions(new DerReader(der(TAG.sequence, ...list), 'test').next(), 'test')
    expect(read(extension(OID.keyUsage, true), extension('1.2.3', false)).size).toBe(2)
    expect(() => read(extension('1.2.3', true))).toThrow('unknown critical')
    expect(() => read(extension('1.2.3', false), extension('1.2.3', false))).toThrow('twice')
  })

  it('never throw anything but ERR_X509, cut or changed anywhere', () => {
    const attempt = (bytes: Uint8Array, at: number): void => {
      try {
        parseCertificate(bytes)
      } catch (error) {
        if (!(error instanceof X509Error)) throw new Error(`byte ${at}`, { cause: error })
      }
    }
    for (let at = 0; at < leaf.length; at++) {
      attempt(leaf.slice(0, at), at)
      for (const mask of [0x01, 0x02, 0x20, 0x80, 0xff]) attempt(leaf.with(at, (leaf[at] ?? 0) ^ mask), at)
    }
  })
})

describe('revocation lists', () => {
  const spec = {
    issuer: parsed.ca.commonName,
    issuerKey: platform.keys.ca,
    thisUpdate: NOW,
    nextUpdate: NOW + 1000,
  }
  const serials = [fromHex('01'), fromHex(`00ff${'11'.repeat(18)}`), fromHex('7f')]

  it('hold their serials and are bound to their issuer', async () => {
    const crl = parseCrl(makeCrl({ ...spec, revoked: serials, number: 300 }))
    expect(crl.number).toBe(300n)
    expect([...crl.revoked]).toEqual(serials.map(toHex))
    expect([crl.thisUpdate, crl.nextUpdate]).toEqual([NOW, NOW + 1000])
    await checkCrlIssued(crl, parsed.ca)
    await expect(checkCrlIssued(crl, parsed.root)).rejects.toThrow('another name')
    const forged = parseCrl(makeCrl({ ...spec, issuerKey: newKey(), revoked: [] }))
    await expect(checkCrlIssued(forged, parsed.ca)).rejects.toThrow('signature')
    const byLeaf = parseCrl(
      makeCrl({ ...spec, issuer: parsed.leaf.commonName, issuerKey: platform.keys.leaf, revoked: [] }),
    )
    await expect(checkCrlIssued(byLeaf, parsed.leaf)).rejects.toThrow('may not sign')
  })

  it('have no byte that can change unnoticed', async () => {
    const bytes = makeCrl({ ...spec, revoked: serials })
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
      const judged = (async () => checkCrlIssued(parseCrl(changed), parsed.ca))()
      await expect(judged, `byte ${at}`).rejects.toMatchObject({ code: 'ERR_X509' })
    }
  })
})

describe('PEM chains', () => {
  const text = encodePem([leaf, ca, root])

  it('are read in their canonical form only', () => {
    expect(parseChain(text).map(({ commonName }) => commonName)).toEqual([
      parsed.leaf.commonName,
      parsed.ca.commonName,
      parsed.root.commonName,
    ])
    expect(parseChain(`${text}\0`)).toHaveLength(3)
    expect(parseChain(text.trimEnd())).toHaveLength(3)
    for (const bad of [
      `${text}\n`,
      `${text}\0\0`,
      ` ${text}`,
      text.replaceAll('\n', '\r\n'),
      `${text}x`,
      text.replace(/\n(.{64})\n(.{64})\n/, '\n$1$2\n'),
      text.replace('MII', 'MI I'),
    ])
      expect(() => parseChain(bad)).toThrow(/not (canonical PEM|base64)/)
    expect(() => parseChain(encodePem([leaf, ca, root, root, root]))).toThrow('too many')
    expect(() => parseChain('x'.repeat(20_000))).toThrow('more than')
  })
})
