import { createHash, createPublicKey, generateKeyPairSync, sign, X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, fromHex, toHex, utf8 } from '../bytes.ts'
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
import {
  DerReader,
  der,
  derNumber,
  derOid,
  derTime,
  derUnsigned,
  oidText,
  smallInteger,
  TAG,
  timeValue,
  unsignedInteger,
  X509Error,
} from './der.ts'
import { rawSignature, verifyEcdsa, verifyP256 } from './ecdsa.ts'
import { Bounded } from './memory.ts'
import { encodePem, parseChain } from './pem.ts'

const NOW = Date.UTC(2026, 10, 22)
const platform = makePlatform(NOW)
const { root, ca, leaf } = platform.certificates
const parsed = { root: parseCertificate(root), ca: parseCertificate(ca), leaf: parseCertificate(leaf) }

describe('DER', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), (content) => {
        const reader = new DerReader(der(TAG.octetString, content), 'test')
        expect(toHex(reader.next(TAG.octetString).value)).toBe(toHex(content))
        reader.end()
      }),
    )
    fc.assert(
      fc.property(fc.nat(), (value) => {
        expect(smallInteger(new DerReader(derNumber(value), 'test').next().value, 'test')).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 33 }), (seconds) => {
        expect(timeValue(new DerReader(derTime(seconds * 1000), 'test').next(), 'test')).toBe(seconds * 1000)
      }),
    )
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200_000 }), { maxLength: 8 }), (arcs) => {
        const dotted = ['1', '2', ...arcs].join('.')
        expect(oidText(new DerReader(derOid(dotted), 'test').next().value)).toBe(dotted)
      }),
    )
  })

  it.each([
    ['a length in two bytes that fits in one', '04810100'],
    ['a length with a leading zero', `0482007f${'00'.repeat(127)}`],
    ['an indefinite length', '30800000'],
    ['a length beyond the end', '040200'],
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a multi-byte tag', '1f810100'],
  ])('refuses %s', (_name, hex) => {
    expect(() => new DerReader(fromHex(hex), 'test').next()).toThrow('test')
  })

  it('refuses numbers, names and times in other than their one form', () => {
    expect(() => unsignedInteger(fromHex('0001'), 'n')).toThrow('shortest')
    expect(() => unsignedInteger(fromHex('80'), 'n')).toThrow('negative')
    expect(() => unsignedInteger(fromHex(''), 'n')).toThrow('empty')
    expect(() => oidText(fromHex('2a8001'))).toThrow('shortest')
    expect(() => oidText(fromHex('2a86'))).toThrow('cut short')
    const time = (text: string): number =>
      timeValue(new DerReader(der(TAG.utcTime, utf8(text)), 't').next(), 't')
    expect(time('491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(time('500101000000Z')).toBe(Date.UTC(1950, 0, 1))
    for (const bad of [
      '260230000000Z',
      '261301000000Z',
      '260101240000Z',
      '260101006000Z',
      '2601010000Z',
      '260101000000+',
    ])
      expect(() => time(bad), bad).toThrow('t:')
    const general = (text: string): number =>
      timeValue(new DerReader(der(TAG.generalizedTime, utf8(text)), 't').next(), 't')
    expect(general('20500101000000Z')).toBe(Date.UTC(2050, 0, 1))
    for (const bad of [
      '00500101000000Z',
      '20500101000000',
      '2050010100000/Z',
      '205001010000:0Z',
      '500101000000Z',
    ])
      expect(() => general(bad), bad).toThrow('t:')
  })
})

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

describe('memory', () => {
  it('keeps what was used last and forgets nothing but the oldest', () => {
    const kept = new Bounded<string>(2)
    const make = (key: string): string =>
      kept.get(key, () => createHash('md5').update(key).digest('hex') + made++)
    let made = 0
    const a = make('a')
    make('b')
    expect(make('a')).toBe(a)
    make('c')
    expect(make('a')).toBe(a)
    expect(made).toBe(3)
    make('b')
    expect(made).toBe(4)
    expect(() =>
      kept.get('bad', () => {
        throw new Error('no')
      }),
    ).toThrow('no')
  })
})
