/**
 * X.509 v3 certificates (RFC 5280), as attestation chains use them: P-256 keys with ecdsa-with-SHA256 (Intel), or
 * P-384 keys with ecdsa-with-SHA384 (NVIDIA). Whoever parses says which of the two; a chain never mixes them.
 */

import { equalBytes, fromUtf8, toHex } from '../bytes.ts'
import {
  booleanValue,
  DerReader,
  oidText,
  smallInteger,
  TAG,
  type Tlv,
  timeValue,
  unsignedInteger,
  wholeBits,
  X509Error,
} from './der.ts'
import { COORDINATE, type Curve, rawSignature, verifyEcdsa } from './ecdsa.ts'
import { proveOnce } from './memory.ts'

export const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  ecdsaWithSha384: '1.2.840.10045.4.3.3',
  ecPublicKey: '1.2.840.10045.2.1',
  prime256v1: '1.2.840.10045.3.1.7',
  secp384r1: '1.3.132.0.34',
  commonName: '2.5.4.3',
  serialNumber: '2.5.4.5',
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  reasonCode: '2.5.29.21',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  sha384: '2.16.840.1.101.3.4.2.2',
} as const

/** Key usage bits (RFC 5280, 4.2.1.3), as they stand in the first byte of the bit string. */
export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04, crlSign: 0x02 } as const

/** What a key and a signature of each curve are called, in OIDs and in words. */
const NAMES = {
  'P-256': { key: OID.prime256v1, signature: OID.ecdsaWithSha256, word: 'ecdsa-with-SHA256' },
  'P-384': { key: OID.secp384r1, signature: OID.ecdsaWithSha384, word: 'ecdsa-with-SHA384' },
} as const

/** The largest certificate that is looked at, in bytes. */
const MAX_CERTIFICATE = 4096

export interface Extension {
  critical: boolean
  value: Uint8Array
}

export interface Certificate {
  der: Uint8Array
  /** The signed part. */
  tbs: Uint8Array
  /** INTEGER content in hex, sign byte included, so that equal serials are equal text. */
  serial: string
  /** Name, DER: compared byte for byte. */
  issuer: Uint8Array
  subject: Uint8Array
  commonName: string
  notBefore: number
  notAfter: number
  /** Of the key and of the signature alike. */
  curve: Curve
  /** Uncompressed point, 65 bytes (97 of P-384). */
  publicKey: Uint8Array
  /** r || s, 64 bytes (96 of P-384). */
  signature: Uint8Array
  ca: boolean
  pathLength: number | undefined
  /** First byte of the key usage bits, undefined without the extension. */
  keyUsage: number | undefined
  extensions: ReadonlyMap<string, Extension>
}

/**
 * Parses one certificate, whose key and signature must be of this curve. Throws X509Error on anything unusual:
 * version, algorithm, curve, unknown critical extension (`alsoKnown`: those that the caller judges by itself).
 */
export function parseCertificate(
  bytes: Uint8Array,
  curve: Curve = 'P-256',
  alsoKnown: readonly string[] = [],
): Certificate {
  if (bytes.length > MAX_CERTIFICATE) throw new X509Error(`certificate: more than ${MAX_CERTIFICATE} bytes`)
  const { tbs, algorithm, signature } = readSigned(bytes, 'certificate', curve)
  const fields = new DerReader(tbs.value, 'certificate')
  const version = fields.open(0xa0, 'certificate version')
  if (smallInteger(version.next(TAG.integer).value, 'certificate version') !== 2) {
    throw new X509Error('certificate: version is not 3')
  }
  version.end()
  const serial = toHex(readSerial(fields.next(TAG.integer).value))
  requireSameAlgorithm(fields.next(TAG.sequence), algorithm, 'certificate')
  const issuer = fields.next(TAG.sequence).raw
  const validity = fields.open(TAG.sequence, 'certificate validity')
  const notBefore = timeValue(validity.next(), 'certificate notBefore')
  const notAfter = timeValue(validity.next(), 'certificate notAfter')
  validity.end()
  const subject = fields.next(TAG.sequence).raw
  const publicKey = readPublicKey(fields.next(TAG.sequence), curve)
  const wrapped = fields.open(0xa3, 'certificate extensions')
  const extensions = readExtensions(wrapped.next(TAG.sequence), 'certificate', alsoKnown)
  wrapped.end()
  fields.end()
  return {
    der: bytes,
    tbs: tbs.raw,
    serial,
    issuer,
    subject,
    commonName: nameAttribute(subject, OID.commonName),
    notBefore,
    notAfter,
    curve,
    publicKey,
    signature,
    ...readBasicConstraints(extensions),
    keyUsage: readKeyUsage(extensions),
    extensions,
  }
}

/**
 * Checks that `child` was issued by `issuer`: names chain byte for byte, the issuer is a CA that may sign
 * certificates, and the signature holds. Dates and revocation are checked apart. Throws X509Error.
 */
export function checkIssued(child: Certificate, issuer: Certificate): Promise<void> {
  return proveOnce(child, issuer, async () => {
    const pair = `"${child.commonName}" issued by "${issuer.commonName}"`
    if (!equalBytes(child.issuer, issuer.subject)) throw new X509Error(`${pair}: the names do not chain`)
    if (!issuer.ca) throw new X509Error(`${pair}: the issuer is not a CA`)
    if (!((issuer.keyUsage ?? 0) & KEY_USAGE.keyCertSign)) {
      throw new X509Error(`${pair}: the issuer may not sign certificates`)
    }
    if (child.ca && issuer.pathLength === 0) throw new X509Error(`${pair}: path length exceeded`)
    const signed = await verifyEcdsa(issuer.curve, issuer.publicKey, child.signature, child.tbs)
    if (child.curve !== issuer.curve || !signed) {
      throw new X509Error(`${pair}: the signature does not verify`)
    }
  })
}

/** Throws X509Error unless the certificate is valid at `now` (milliseconds since 1970). */
export function checkDates(certificate: Certificate, now: number): void {
  if (now >= certificate.notBefore && now <= certificate.notAfter) return
  const word = now < certificate.notBefore ? 'not yet valid' : 'expired'
  throw new X509Error(`certificate "${certificate.commonName}" is ${word}`)
}

/** Splits SEQUENCE { signed part, algorithm, signature }, shared by certificates and CRLs. */
export function readSigned(
  bytes: Uint8Array,
  what: string,
  curve: Curve = 'P-256',
): { tbs: Tlv; algorithm: Tlv; signature: Uint8Array } {
  const sequence = DerReader.only(bytes, what)
  const tbs = sequence.next(TAG.sequence)
  const algorithm = sequence.next(TAG.sequence)
  const fields = new DerReader(algorithm.value, `${what} algorithm`)
  if (oidText(fields.next(TAG.oid).value) !== NAMES[curve].signature) {
    throw new X509Error(`${what}: signature algorithm is not ${NAMES[curve].word}`)
  }
  fields.end()
  const signature = rawSignature(wholeBits(sequence.next(TAG.bitString).value, `${what} signature`), curve)
  sequence.end()
  return { tbs, algorithm, signature }
}

/** The algorithm inside the signed part must be the one outside it, byte for byte. */
export function requireSameAlgorithm(inner: Tlv, outer: Tlv, what: string): void {
  if (!equalBytes(inner.raw, outer.raw)) throw new X509Error(`${what}: the two signature algorithms differ`)
}

/** Checks a serial number (positive, at most 20 octets and a sign byte). */
export function readSerial(value: Uint8Array): Uint8Array {
  unsignedInteger(value, 'serial number')
  if (value.length > 21) throw new X509Error('serial number: more than 160 bits')
  return value
}

const CRITICAL_KNOWN: readonly string[] = [OID.keyUsage, OID.basicConstraints]

/** Reads Extensions; refuses repeated ones and critical ones that nobody here understands. */
export function readExtensions(
  sequence: Tlv,
  what: string,
  alsoKnown: readonly string[] = [],
): Map<string, Extension> {
  const reader = new DerReader(sequence.value, `${what} extensions`)
  const extensions = new Map<string, Extension>()
  while (!reader.done) {
    const fields = reader.open(TAG.sequence, `${what} extension`)
    const oid = oidText(fields.next(TAG.oid).value)
    const flag = fields.optional(TAG.boolean)
    const critical = flag !== undefined && booleanValue(flag.value, `${what} extension`)
    const value = fields.next(TAG.octetString).value
    fields.end()
    if (extensions.has(oid)) throw new X509Error(`${what}: extension ${oid} twice`)
    if (critical && !CRITICAL_KNOWN.includes(oid) && !alsoKnown.includes(oid))
      throw new X509Error(`${what}: unknown critical extension ${oid}`)
    extensions.set(oid, { critical, value })
  }
  return extensions
}

function readPublicKey(sequence: Tlv, curve: Curve): Uint8Array {
  const info = new DerReader(sequence.value, 'public key')
  const algorithm = info.open(TAG.sequence, 'public key algorithm')
  const kind = oidText(algorithm.next(TAG.oid).value)
  if (kind !== OID.ecPublicKey || oidText(algorithm.next(TAG.oid).value) !== NAMES[curve].key) {
    throw new X509Error(`public key: not a ${curve} key`)
  }
  algorithm.end()
  const point = wholeBits(info.next(TAG.bitString).value, 'public key')
  info.end()
  const length = 2 * COORDINATE[curve] + 1
  if (point.length !== length || point[0] !== 4) throw new X509Error('public key: not an uncompressed point')
  return point
}

/**
 * The text of one attribute of a name (DER), which must be there exactly once.
 * @param oid the attribute's type, dotted
 */
export function nameAttribute(name: Uint8Array, oid: string): string {
  const word = oid === OID.commonName ? 'common name' : `attribute ${oid}`
  const outer = new DerReader(name, 'name').open(TAG.sequence, 'name')
  let found: string | undefined
  while (!outer.done) {
    const attribute = outer.open(TAG.set, 'name part').open(TAG.sequence, 'name attribute')
    if (oidText(attribute.next(TAG.oid).value) !== oid) continue
    if (found !== undefined) throw new X509Error(`name: two of ${word}`)
    const text = attribute.next()
    if (text.tag !== TAG.utf8String && text.tag !== TAG.printableString)
      throw new X509Error('name: not a text')
    found = readText(text.value)
  }
  if (found === undefined) throw new X509Error(`name: no ${word}`)
  return found
}

function readText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch {
    throw new X509Error('name: not UTF-8')
  }
}

function readBasicConstraints(extensions: ReadonlyMap<string, Extension>): {
  ca: boolean
  pathLength: number | undefined
} {
  const extension = extensions.get(OID.basicConstraints)
  if (extension === undefined) return { ca: false, pathLength: undefined }
  const fields = DerReader.only(extension.value, 'basic constraints')
  const flag = fields.optional(TAG.boolean)
  const ca = flag !== undefined && booleanValue(flag.value, 'basic constraints')
  const length = fields.optional(TAG.integer)
  fields.end()
  return { ca, pathLength: length === undefined ? undefined : smallInteger(length.value, 'path length') }
}

function readKeyUsage(extensions: ReadonlyMap<string, Extension>): number | undefined {
  const extension = extensions.get(OID.keyUsage)
  if (extension === undefined) return undefined
  const outer = new DerReader(extension.value, 'key usage')
  const bits = outer.next(TAG.bitString).value
  outer.end()
  const [unused, first] = bits
  if (unused === undefined || unused > 7 || first === undefined || bits.length > 3) {
    throw new X509Error('key usage: malformed')
  }
  return first
}
