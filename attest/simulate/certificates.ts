/** Makes certificates and CRLs in the shape of Intel's, for the simulated TEE. */

import { createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { concat, utf8 } from '../bytes.ts'
import { sgxOid } from '../tdx/pck.ts'
import { der, derNumber, derOid, derTime, derUnsigned, OID, TAG } from '../x509/index.ts'

const CA_USAGE = Uint8Array.of(1, 0x06)
const SIGNER_USAGE = Uint8Array.of(6, 0xc0)

export interface CertificateSpec {
  subject: string
  issuer: string
  subjectKey: KeyObject
  issuerKey: KeyObject
  notBefore: number
  notAfter: number
  /** Path length of a CA; undefined makes an end-entity certificate. */
  caPathLength?: number
  /** The SGX extension's content, for PCK leaves. */
  sgx?: Uint8Array
}

/** Makes one certificate (DER) with a random serial. */
export function makeCertificate(spec: CertificateSpec): Uint8Array<ArrayBuffer> {
  const ca = spec.caPathLength !== undefined
  const constraints = ca
    ? der(TAG.sequence, der(TAG.boolean, Uint8Array.of(0xff)), derNumber(spec.caPathLength ?? 0))
    : der(TAG.sequence)
  const extensions = [
    authorityKeyId(spec.issuerKey),
    extension(OID.subjectKeyId, der(TAG.octetString, keyId(spec.subjectKey))),
    extension(OID.keyUsage, der(TAG.bitString, ca ? CA_USAGE : SIGNER_USAGE), true),
    extension(OID.basicConstraints, constraints, true),
  ]
  if (spec.sgx !== undefined) extensions.push(der(TAG.sequence, sgxOid(), der(TAG.octetString, spec.sgx)))
  const tbs = der(
    TAG.sequence,
    der(0xa0, derNumber(2)),
    derUnsigned(randomBytes(20)),
    ecdsaWithSha256(),
    name(spec.issuer),
    der(TAG.sequence, derTime(spec.notBefore), derTime(spec.notAfter)),
    name(spec.subject),
    new Uint8Array(createPublicKey(spec.subjectKey).export({ type: 'spki', format: 'der' })),
    der(0xa3, der(TAG.sequence, ...extensions)),
  )
  return signed(tbs, spec.issuerKey)
}

function authorityKeyId(key: KeyObject): Uint8Array<ArrayBuffer> {
  return extension(OID.authorityKeyId, der(TAG.sequence, der(0x80, keyId(key))))
}

export interface CrlSpec {
  issuer: string
  issuerKey: KeyObject
  thisUpdate: number
  nextUpdate: number
  /** Serials as INTEGER content. */
  revoked: readonly Uint8Array[]
  /** Default 1, as in all of Intel's. */
  number?: number
}

/** Makes one complete CRL (DER, version 2). */
export function makeCrl(spec: CrlSpec): Uint8Array<ArrayBuffer> {
  const reason = der(TAG.sequence, extension(OID.reasonCode, der(TAG.enumerated, Uint8Array.of(1))))
  const entries = spec.revoked.map((serial) =>
    der(TAG.sequence, derUnsigned(serial), derTime(spec.thisUpdate), reason),
  )
  const tbs = der(
    TAG.sequence,
    derNumber(1),
    ecdsaWithSha256(),
    name(spec.issuer),
    derTime(spec.thisUpdate),
    derTime(spec.nextUpdate),
    // An empty list is written by leaving it out (RFC 5280, 5.1.2.6).
    entries.length === 0 ? new Uint8Array() : der(TAG.sequence, ...entries),
    der(
      0xa0,
      der(
        TAG.sequence,
        extension(OID.crlNumber, derNumber(spec.number ?? 1)),
        authorityKeyId(spec.issuerKey),
      ),
    ),
  )
  return signed(tbs, spec.issuerKey)
}

function signed(tbs: Uint8Array, key: KeyObject): Uint8Array<ArrayBuffer> {
  const signature = sign('sha256', tbs, { key, dsaEncoding: 'der' })
  return der(TAG.sequence, tbs, ecdsaWithSha256(), der(TAG.bitString, Uint8Array.of(0), signature))
}

function ecdsaWithSha256(): Uint8Array<ArrayBuffer> {
  return der(TAG.sequence, derOid(OID.ecdsaWithSha256))
}

/** One Extension, DER. */
export function extension(oid: string, value: Uint8Array, critical = false): Uint8Array<ArrayBuffer> {
  const flag = critical ? der(TAG.boolean, Uint8Array.of(0xff)) : new Uint8Array()
  return der(TAG.sequence, derOid(oid), flag, der(TAG.octetString, value))
}

function name(commonName: string): Uint8Array<ArrayBuffer> {
  const part = (oid: string, text: string): Uint8Array =>
    der(TAG.set, der(TAG.sequence, derOid(oid), der(TAG.utf8String, utf8(text))))
  return der(
    TAG.sequence,
    part(OID.commonName, commonName),
    part(OID.organization, 'Chrysalis simulated TEE'),
  )
}

/** The public point x || y, 64 bytes. */
export function rawPublicKey(key: KeyObject): Uint8Array<ArrayBuffer> {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return new Uint8Array(spki.subarray(spki.length - 64))
}

function keyId(key: KeyObject): Uint8Array<ArrayBuffer> {
  return rawPublicKey(key).slice(0, 20)
}

export interface SgxSpec {
  /** 16 bytes */ ppid: Uint8Array
  /** 16 bytes */ components: Uint8Array
  pceSvn: number
  /** 2 bytes */ pceId: Uint8Array
  /** 6 bytes */ fmspc: Uint8Array
}

/** The content of a PCK leaf's SGX extension. */
export function sgxExtension(spec: SgxSpec): Uint8Array<ArrayBuffer> {
  const pair = (value: Uint8Array, ...arcs: number[]): Uint8Array => der(TAG.sequence, sgxOid(...arcs), value)
  const bytes = (value: Uint8Array): Uint8Array => der(TAG.octetString, value)
  const svns = [...spec.components].map((svn, i) => pair(derNumber(svn), 2, i + 1))
  const yes = der(TAG.boolean, Uint8Array.of(0xff))
  return der(
    TAG.sequence,
    pair(bytes(spec.ppid), 1),
    pair(
      der(TAG.sequence, ...svns, pair(derNumber(spec.pceSvn), 2, 17), pair(bytes(spec.components), 2, 18)),
      2,
    ),
    pair(bytes(spec.pceId), 3),
    pair(bytes(spec.fmspc), 4),
    pair(der(TAG.enumerated, Uint8Array.of(1)), 5),
    pair(bytes(concat(spec.ppid).reverse()), 6),
    pair(der(TAG.sequence, pair(yes, 7, 1), pair(yes, 7, 2), pair(yes, 7, 3)), 7),
  )
}
