/** An OCSP responder (RFC 6960) for certificates of the simulation. */

import type { KeyObject } from 'node:crypto'
import type { IssuedPair } from '../gpu/ocsp.ts'
import { certificateId, OCSP_OID } from '../gpu/ocsp-message.ts'
import { der, derOid, derTime, OID, TAG } from '../x509/index.ts'
import { extension } from './certificates.ts'
import {
  ecdsaWithSha384,
  encodeName,
  type GpuCertificateSpec,
  type GpuName,
  keyId,
  makeGpuCertificate,
  newGpuKey,
  signDer,
} from './gpu-certificates.ts'

type OcspStatus = 'good' | 'revoked' | 'hold' | 'unknown'

/** Who signs answers: a CA itself, or with `certificate` a responder that a CA certified. */
export interface OcspSigner {
  key: KeyObject
  certificate?: Uint8Array
}

/**
 * Makes a delegated responder under a CA. `purposes` is the content of its extended key usage, id-kp-OCSPSigning by
 * default; the rest changes its certificate.
 */
export function makeResponder(
  ca: { name: GpuName; key: KeyObject },
  now: number,
  { purposes = PURPOSES, ...changes }: Partial<GpuCertificateSpec> & { purposes?: Uint8Array } = {},
): OcspSigner & { certificate: Uint8Array } {
  const key = newGpuKey()
  const certificate = makeGpuCertificate({
    subject: { commonName: 'Simulated OCSP Responder' },
    issuer: ca.name,
    subjectKey: key,
    issuerKey: ca.key,
    notBefore: now - 3_600_000,
    notAfter: now + 30 * 86_400_000,
    ca: false,
    extensions: [
      extension(OID.extendedKeyUsage, purposes, true),
      extension('1.3.6.1.5.5.7.48.1.5', der(TAG.null)),
    ],
    ...changes,
  })
  return { key, certificate }
}

const PURPOSES = der(TAG.sequence, derOid(OCSP_OID.signing))

export interface OcspSpec {
  pairs: readonly IssuedPair[]
  status?: OcspStatus
  thisUpdate: number
  /** Left out of the answer when undefined. */
  nextUpdate: number | undefined
  producedAt?: number
  nonce?: Uint8Array
  /** Names the responder by name instead of by key. */
  byName?: GpuName
}

/** Answers for these certificates, all with one status. DER. */
export function makeOcspResponse(spec: OcspSpec, signer: OcspSigner): Uint8Array<ArrayBuffer> {
  const singles = spec.pairs.map(({ certificate, issuer }) =>
    der(
      TAG.sequence,
      certificateId(certificate, issuer),
      statusOf(spec.status ?? 'good', spec.thisUpdate),
      generalized(spec.thisUpdate),
      spec.nextUpdate === undefined ? new Uint8Array() : der(0xa0, generalized(spec.nextUpdate)),
    ),
  )
  const { nonce, byName } = spec
  const nonceValue = nonce === undefined ? undefined : der(TAG.octetString, nonce)
  const data = der(
    TAG.sequence,
    byName === undefined ? der(0xa2, der(TAG.octetString, keyId(signer.key))) : der(0xa1, encodeName(byName)),
    generalized(spec.producedAt ?? spec.thisUpdate),
    der(TAG.sequence, ...singles),
    nonceValue === undefined
      ? new Uint8Array()
      : der(0xa1, der(TAG.sequence, extension(OCSP_OID.nonce, nonceValue))),
  )
  const certificates =
    signer.certificate === undefined ? new Uint8Array() : der(0xa0, der(TAG.sequence, signer.certificate))
  const signature = der(TAG.bitString, Uint8Array.of(0), signDer(data, signer.key))
  const basic = der(TAG.sequence, data, ecdsaWithSha384(), signature, certificates)
  const bytes = der(TAG.sequence, derOid(OCSP_OID.basic), der(TAG.octetString, basic))
  return der(TAG.sequence, der(TAG.enumerated, Uint8Array.of(0)), der(0xa0, bytes))
}

/** An answer that says only why there is none, such as 6 (unauthorized). */
export function ocspErrorResponse(status: number): Uint8Array<ArrayBuffer> {
  return der(TAG.sequence, der(TAG.enumerated, Uint8Array.of(status)))
}

function statusOf(status: OcspStatus, at: number): Uint8Array {
  if (status === 'good') return der(0x80)
  if (status === 'unknown') return der(0x82)
  const reason = Uint8Array.of(status === 'hold' ? 6 : 1)
  return der(0xa1, generalized(at), der(0xa0, der(TAG.enumerated, reason)))
}

/** OCSP writes GeneralizedTime always, where certificates write UTCTime until 2049. */
function generalized(ms: number): Uint8Array {
  const time = derTime(ms)
  if (time[0] === TAG.generalizedTime) return time
  const text = time.subarray(2)
  const century = Number(String.fromCharCode(...text.subarray(0, 2))) < 50 ? '20' : '19'
  return der(
    TAG.generalizedTime,
    Uint8Array.from(century, (digit) => digit.charCodeAt(0)),
    text,
  )
}
