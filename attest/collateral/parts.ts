/** Brings the forms in which sources hand out certificates and lists to the one form of the nine keys. */

import { equalBytes, fromBase64, fromUtf8, toHex } from '../bytes.ts'
import { encodePem, MAX_CHAIN, parseCertificate } from '../x509/index.ts'
import { CollateralError } from './errors.ts'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g

/**
 * A certificate chain as canonical PEM, signer first: line ends and widths are evened out, and a chain that stands
 * root first is turned round. The certificates themselves stay as they are. Throws CollateralError or X509Error.
 *
 * @param what where the chain stands, for messages
 */
export function canonicalChain(text: string, what: string): string {
  if (text.length > 2 * MAX_CHAIN) throw bad(`${what}: longer than a certificate chain can be`)
  const rest = text.replaceAll(CERTIFICATE, '').replaceAll('\0', '')
  const ders = [...text.matchAll(CERTIFICATE)].map(([, body = '']) =>
    decode(body.replaceAll(/\s/g, ''), what),
  )
  if (ders.length === 0 || rest.trim() !== '') throw bad(`${what}: not a chain of PEM certificates`)
  const [first] = ders.map((der) => parseCertificate(der))
  const rootFirst = ders.length > 1 && first !== undefined && equalBytes(first.subject, first.issuer)
  return encodePem(rootFirst ? ders.reverse() : ders)
}

/** A certificate chain out of an HTTP header: PEM, percent-encoded. Throws CollateralError or X509Error. */
export function chainFromHeader(value: string, what: string): string {
  let text: string
  try {
    text = decodeURIComponent(value)
  } catch {
    throw bad(`${what}: not percent-encoded text`)
  }
  return canonicalChain(text, what)
}

/**
 * A revocation list as lower-case hex of its DER, from DER, from hex as text (what a PCCS sends for the root CA's list)
 * or from PEM. Throws CollateralError.
 */
export function crlHex(bytes: Uint8Array, what: string): string {
  // DER begins with 30, the character "0"; hex text of DER begins with the character "3".
  if (bytes[0] === 0x30) return toHex(bytes)
  const text = asText(bytes, what).trim()
  const [, pem] = /^-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]*)-----END X509 CRL-----$/.exec(text) ?? []
  if (pem !== undefined) return toHex(decode(pem.replaceAll(/\s/g, ''), what))
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) throw bad(`${what}: neither DER nor hex nor PEM`)
  return text.toLowerCase()
}

/** A signature as 128 lower-case hex digits. Throws CollateralError. */
export function signatureHex(text: string, what: string): string {
  const hex = text.trim().toLowerCase()
  if (!/^[0-9a-f]{128}$/.test(hex)) throw bad(`${what}: not 128 hex digits`)
  return hex
}

/** UTF-8 text. Throws CollateralError. */
export function asText(bytes: Uint8Array, what: string): string {
  try {
    return fromUtf8(bytes)
  } catch {
    throw bad(`${what}: not UTF-8 text`)
  }
}

function decode(body: string, what: string): Uint8Array {
  try {
    return fromBase64(body)
  } catch {
    throw bad(`${what}: not base64`)
  }
}

function bad(message: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_ANSWER', message)
}
