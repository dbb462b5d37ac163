/** Makes P-384 certificates in the shape of NVIDIA's, for simulated GPUs, their RIMs, OCSP and attestation service. */

import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { utf8 } from '../bytes.ts'
import { der, derNumber, derOid, derTime, derUnsigned, OID, TAG } from '../x509/index.ts'
import { extension } from './certificates.ts'

/** As the manufacturer's certificates have it: they do not run out. */
export const FOREVER = Date.UTC(9999, 11, 31, 23, 59, 59)

/** A distinguished name: the common name, and the serial number of the thing that it names, if it has one. */
export interface GpuName {
  commonName: string
  serialNumber?: string
}

export interface GpuCertificateSpec {
  subject: GpuName
  issuer: GpuName
  subjectKey: KeyObject
  issuerKey: KeyObject
  notBefore: number
  notAfter: number
  ca: boolean
  /** Key usage, content of the BIT STRING; by default what CAs and signers have. */
  usage?: Uint8Array
  /** INTEGER content, positive; 20 random bytes by default. */
  serial?: Uint8Array
  /** Further extensions, each a whole Extension in DER. */
  extensions?: readonly Uint8Array[]
}

/** A fresh P-384 key. */
export function newGpuKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
}

/** A CA: its key and its certificate (DER). */
export interface GpuCa {
  key: KeyObject
  certificate: Uint8Array
}

/** Makes a CA under itself. */
export function makeGpuCa(name: GpuName, now: number): GpuCa {
  const key = newGpuKey()
  const self = { subject: name, issuer: name, subjectKey: key, issuerKey: key }
  return { key, certificate: makeGpuCertificate({ ...self, ...lasting(now), ca: true }) }
}

/** Dates from a day before `now` (ms), which serves clocks that run behind, and for ever. */
export function lasting(now: number): { notBefore: number; notAfter: number } {
  return { notBefore: Math.max(0, now - 86_400_000), notAfter: FOREVER }
}

/** Makes one certificate (DER). */
export function makeGpuCertificate(spec: GpuCertificateSpec): Uint8Array<ArrayBuffer> {
  const constraints = der(TAG.sequence, der(TAG.boolean, Uint8Array.of(0xff)))
  const authority = der(TAG.sequence, der(0x80, keyId(spec.issuerKey)))
  const extensions = [
    ...(spec.ca ? [extension(OID.basicConstraints, constraints, true)] : []),
    extension(OID.keyUsage, der(TAG.bitString, spec.usage ?? (spec.ca ? CA_USAGE : SIGNER_USAGE)), true),
    extension(OID.subjectKeyId, der(TAG.octetString, keyId(spec.subjectKey))),
    extension(OID.authorityKeyId, authority),
    ...(spec.extensions ?? []),
  ]
  const tbs = der(
    TAG.sequence,
    der(0xa0, derNumber(2)),
    derUnsigned(spec.serial ?? randomBytes(20)),
    ecdsaWithSha384(),
    encodeName(spec.issuer),
    der(TAG.sequence, derTime(spec.notBefore), derTime(spec.notAfter)),
    encodeName(spec.subject),
    publicKeyInfo(spec.subjectKey),
    der(0xa3, der(TAG.sequence, ...extensions)),
  )
  return der(
    TAG.sequence,
    tbs,
    ecdsaWithSha384(),
    der(TAG.bitString, NO_UNUSED, signDer(tbs, spec.issuerKey)),
  )
}

const NO_UNUSED = Uint8Array.of(0)
const CA_USAGE = Uint8Array.of(1, 0x06)
const SIGNER_USAGE = Uint8Array.of(7, 0x80)

/** AlgorithmIdentifier of ecdsa-with-SHA384. */
export function ecdsaWithSha384(): Uint8Array<ArrayBuffer> {
  return der(TAG.sequence, derOid(OID.ecdsaWithSha384))
}

/** ECDSA-Sig-Value with SHA-384. */
export function signDer(message: Uint8Array, key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sign('sha384', message, { key, dsaEncoding: 'der' }))
}

/** r || s, 96 bytes, with SHA-384. */
export function signRaw(message: Uint8Array, key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(sign('sha384', message, { key, dsaEncoding: 'ieee-p1363' }))
}

/** SubjectPublicKeyInfo, DER. */
export function publicKeyInfo(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createPublicKey(key).export({ type: 'spki', format: 'der' }))
}

/** SHA-1 of the point, as key identifiers and OCSP responders have it: 20 bytes. */
export function keyId(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha1').update(publicKeyInfo(key).subarray(-97)).digest())
}

/** Name, DER. */
export function encodeName({ commonName, serialNumber }: GpuName): Uint8Array<ArrayBuffer> {
  const part = (oid: string, tag: number, text: string): Uint8Array =>
    der(TAG.set, der(TAG.sequence, derOid(oid), der(tag, utf8(text))))
  return der(
    TAG.sequence,
    serialNumber === undefined ? new Uint8Array() : part(OID.serialNumber, TAG.printableString, serialNumber),
    part(OID.organization, TAG.utf8String, 'Chrysalis simulated GPU'),
    part(OID.commonName, TAG.utf8String, commonName),
  )
}
