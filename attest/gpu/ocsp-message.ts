/**
 * OCSP messages (RFC 6960) in strict DER: certificate ids by SHA-384, one nonce (RFC 9654), basic responses signed with
 * ECDSA. Nothing here says whether an answer may be believed: see ocsp.ts.
 */

import { sha384 } from '@noble/hashes/sha2.js'
import { fromHex } from '../bytes.ts'
import {
  type Certificate,
  type Curve,
  DerReader,
  der,
  derOid,
  OID,
  oidText,
  parseCertificate,
  rawSignature,
  readExtensions,
  smallInteger,
  TAG,
  type Tlv,
  timeValue,
  wholeBits,
  X509Error,
} from '../x509/index.ts'

export const OCSP_OID = {
  basic: '1.3.6.1.5.5.7.48.1.1',
  nonce: '1.3.6.1.5.5.7.48.1.2',
  signing: '1.3.6.1.5.5.7.3.9',
} as const

/** The largest response that is looked at, in bytes. */
export const MAX_RESPONSE = 32 * 1024
/** Bytes of a nonce that is sent (RFC 9654, section 2.1). */
export const OCSP_NONCE = 32

/** CertID of a certificate, by SHA-384 over the issuer's name and key (RFC 6960, 4.1.1). */
export function certificateId(certificate: Certificate, issuer: Certificate): Uint8Array<ArrayBuffer> {
  return der(
    TAG.sequence,
    der(TAG.sequence, derOid(OID.sha384)),
    der(TAG.octetString, sha384(issuer.subject)),
    der(TAG.octetString, sha384(issuer.publicKey)),
    der(TAG.integer, fromHex(certificate.serial)),
  )
}

/** OCSPRequest for one certificate, DER. `nonce` is 32 fresh bytes. */
export function encodeRequest(
  certificate: Certificate,
  issuer: Certificate,
  nonce: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const extension = der(
    TAG.sequence,
    derOid(OCSP_OID.nonce),
    der(TAG.octetString, der(TAG.octetString, nonce)),
  )
  const requests = der(TAG.sequence, der(TAG.sequence, certificateId(certificate, issuer)))
  const extensions = der(0xa2, der(TAG.sequence, extension))
  return der(TAG.sequence, der(TAG.sequence, requests, extensions))
}

/** What a responder says of one certificate. */
export interface SingleResponse {
  /** CertID with the hash algorithm's parameters left out, DER: equal ids are equal bytes. */
  id: Uint8Array
  status: 'good' | 'revoked' | 'unknown'
  /** CRLReason of a revocation, if given: 6 is certificateHold. */
  reason: number | undefined
  thisUpdate: number
  nextUpdate: number | undefined
}

export interface OcspResponse {
  /** The signed part. */
  data: Uint8Array
  /** r || s. */
  signature: Uint8Array
  curve: Curve
  /** Name, DER, or SHA-1 of the responder's key. */
  responder: { name: Uint8Array } | { keyHash: Uint8Array }
  producedAt: number
  responses: readonly SingleResponse[]
  nonce: Uint8Array | undefined
  certificates: readonly Certificate[]
}

/** OCSPResponseStatus by number; 4 is not used. */
const STATUS_WORDS = ['', 'malformedRequest', 'internalError', 'tryLater', '', 'sigRequired', 'unauthorized']

/** Parses an OCSPResponse. Throws X509Error, also for an answer that is only an error of the responder. */
export function parseResponse(bytes: Uint8Array): OcspResponse {
  if (bytes.length > MAX_RESPONSE) throw new X509Error(`OCSP response: more than ${MAX_RESPONSE} bytes`)
  const fields = DerReader.only(bytes, 'OCSP response')
  const status = smallInteger(fields.next(TAG.enumerated).value, 'OCSP response status')
  if (status !== 0) {
    throw new X509Error(`OCSP response: the responder refuses: ${STATUS_WORDS[status] || `status ${status}`}`)
  }
  const wrapped = fields.open(0xa0, 'OCSP response bytes')
  fields.end()
  const body = wrapped.open(TAG.sequence, 'OCSP response bytes')
  wrapped.end()
  if (oidText(body.next(TAG.oid).value) !== OCSP_OID.basic) throw new X509Error('OCSP response: not basic')
  const basic = body.next(TAG.octetString).value
  body.end()
  return readBasic(basic)
}

const CURVES: ReadonlyMap<string, Curve> = new Map([
  [OID.ecdsaWithSha256, 'P-256'],
  [OID.ecdsaWithSha384, 'P-384'],
])

function readBasic(bytes: Uint8Array): OcspResponse {
  const fields = DerReader.only(bytes, 'OCSP basic response')
  const data = fields.next(TAG.sequence)
  const algorithm = fields.open(TAG.sequence, 'OCSP signature algorithm')
  const curve = CURVES.get(oidText(algorithm.next(TAG.oid).value))
  algorithm.end()
  if (curve === undefined) throw new X509Error('OCSP response: not signed with ECDSA')
  const bits = wholeBits(fields.next(TAG.bitString).value, 'OCSP signature')
  const carried = fields.optional(0xa0)
  fields.end()
  return {
    ...readData(data),
    data: data.raw,
    signature: rawSignature(bits, curve),
    curve,
    certificates: carried === undefined ? [] : readCertificates(carried, curve),
  }
}

const MAX_CERTIFICATES = 4

function readCertificates(wrapped: Tlv, curve: Curve): Certificate[] {
  const list = DerReader.only(wrapped.value, 'OCSP certificates')
  const certificates: Certificate[] = []
  while (!list.done) {
    if (certificates.length === MAX_CERTIFICATES) throw new X509Error('OCSP response: too many certificates')
    certificates.push(parseCertificate(list.next(TAG.sequence).raw, curve, [OID.extendedKeyUsage]))
  }
  return certificates
}

function readData(data: Tlv): Pick<OcspResponse, 'responder' | 'producedAt' | 'responses' | 'nonce'> {
  // DER leaves the default version out, so one that is written is another.
  const fields = new DerReader(data.value, 'OCSP response data')
  const responder = readResponder(fields.next())
  const producedAt = generalizedTime(fields.next(), 'OCSP producedAt')
  const list = fields.open(TAG.sequence, 'OCSP responses')
  const responses: SingleResponse[] = []
  while (!list.done) responses.push(readSingle(list.open(TAG.sequence, 'OCSP single response')))
  const extensions = fields.optional(0xa1)
  fields.end()
  return {
    responder,
    producedAt,
    responses,
    nonce: extensions === undefined ? undefined : readNonce(extensions),
  }
}

function readResponder(choice: Tlv): OcspResponse['responder'] {
  const inside = new DerReader(choice.value, 'OCSP responder')
  if (choice.tag === 0xa1) {
    const name = inside.next(TAG.sequence).raw
    inside.end()
    return { name }
  }
  if (choice.tag !== 0xa2) throw new X509Error('OCSP responder: neither a name nor a key')
  const keyHash = inside.next(TAG.octetString).value
  inside.end()
  return { keyHash }
}

function readNonce(wrapped: Tlv): Uint8Array | undefined {
  const outer = new DerReader(wrapped.value, 'OCSP response extensions')
  const extension = readExtensions(outer.next(TAG.sequence), 'OCSP response', [OCSP_OID.nonce]).get(
    OCSP_OID.nonce,
  )
  outer.end()
  if (extension === undefined) return undefined
  const inside = new DerReader(extension.value, 'OCSP nonce')
  const nonce = inside.next(TAG.octetString).value
  inside.end()
  return nonce
}

function readSingle(fields: DerReader): SingleResponse {
  const id = readId(fields.next(TAG.sequence))
  const { status, reason } = readStatus(fields.next())
  const thisUpdate = generalizedTime(fields.next(), 'OCSP thisUpdate')
  const next = fields.optional(0xa0)
  const nextUpdate = next === undefined ? undefined : onlyTime(next, 'OCSP nextUpdate')
  const extensions = fields.optional(0xa1)
  if (extensions !== undefined) {
    const inside = new DerReader(extensions.value, 'OCSP single extensions')
    readExtensions(inside.next(TAG.sequence), 'OCSP single response')
    inside.end()
  }
  fields.end()
  return { id, status, reason, thisUpdate, nextUpdate }
}

/** Responders write the hash algorithm with NULL or without parameters; here both become the latter. */
function readId(id: Tlv): Uint8Array {
  const fields = new DerReader(id.value, 'OCSP certificate id')
  const algorithm = fields.open(TAG.sequence, 'OCSP certificate id')
  const oid = algorithm.next(TAG.oid).raw
  const parameters = algorithm.optional(TAG.null)
  if (parameters !== undefined && parameters.value.length > 0) throw new X509Error('OCSP: NULL with content')
  algorithm.end()
  const rest = [fields.next(TAG.octetString), fields.next(TAG.octetString), fields.next(TAG.integer)]
  fields.end()
  return der(TAG.sequence, der(TAG.sequence, oid), ...rest.map(({ raw }) => raw))
}

function readStatus(choice: Tlv): Pick<SingleResponse, 'status' | 'reason'> {
  if (choice.tag === 0xa1) {
    const info = new DerReader(choice.value, 'OCSP revocation')
    generalizedTime(info.next(), 'OCSP revocation time')
    const given = info.optional(0xa0)
    info.end()
    if (given === undefined) return { status: 'revoked', reason: undefined }
    const inside = new DerReader(given.value, 'OCSP revocation reason')
    const reason = smallInteger(inside.next(TAG.enumerated).value, 'OCSP revocation reason')
    inside.end()
    return { status: 'revoked', reason }
  }
  if ((choice.tag !== 0x80 && choice.tag !== 0x82) || choice.value.length > 0) {
    throw new X509Error('OCSP status: neither good, revoked nor unknown')
  }
  return { status: choice.tag === 0x80 ? 'good' : 'unknown', reason: undefined }
}

function onlyTime(wrapped: Tlv, what: string): number {
  const inside = new DerReader(wrapped.value, what)
  const time = generalizedTime(inside.next(), what)
  inside.end()
  return time
}

function generalizedTime(element: Tlv, what: string): number {
  if (element.tag !== TAG.generalizedTime) throw new X509Error(`${what}: not GeneralizedTime`)
  return timeValue(element, what)
}
