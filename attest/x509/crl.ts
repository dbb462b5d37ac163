/** X.509 v2 certificate revocation lists (RFC 5280), complete ones only. */

import { equalBytes, toHex } from '../bytes.ts'
import {
  type Certificate,
  KEY_USAGE,
  OID,
  readExtensions,
  readSerial,
  readSigned,
  requireSameAlgorithm,
} from './certificate.ts'
import { DerReader, smallInteger, TAG, timeValue, unsignedInteger, X509Error } from './der.ts'
import { verifyP256 } from './ecdsa.ts'
import { proveOnce } from './memory.ts'

/** The largest list that is looked at, in bytes (about 4,800 entries; Intel's of 2026 has 57). */
export const MAX_CRL = 256 * 1024
/** RFC 5280, 5.2.3. */
const MAX_NUMBER = 20

export interface Crl {
  tbs: Uint8Array
  issuer: Uint8Array
  thisUpdate: number
  nextUpdate: number
  /** Never falls from one list of an issuer to its next; a list may lack it. */
  number?: bigint
  /** Revoked serials in the form of Certificate.serial. */
  revoked: ReadonlySet<string>
  /** r || s, 64 bytes. */
  signature: Uint8Array
}

/** Parses a CRL in DER. Throws X509Error; delta and partitioned lists are refused by their critical extensions. */
export function parseCrl(bytes: Uint8Array): Crl {
  if (bytes.length > MAX_CRL) throw new X509Error(`CRL: more than ${MAX_CRL} bytes`)
  const { tbs, algorithm, signature } = readSigned(bytes, 'CRL')
  const fields = new DerReader(tbs.value, 'CRL')
  if (smallInteger(fields.next(TAG.integer).value, 'CRL version') !== 1)
    throw new X509Error('CRL: version is not 2')
  requireSameAlgorithm(fields.next(TAG.sequence), algorithm, 'CRL')
  const issuer = fields.next(TAG.sequence).raw
  const thisUpdate = timeValue(fields.next(), 'CRL thisUpdate')
  const nextUpdate = timeValue(fields.next(), 'CRL nextUpdate')
  const entries = fields.optional(TAG.sequence)
  const revoked = entries === undefined ? new Set<string>() : readEntries(entries.value)
  const wrapped = fields.open(0xa0, 'CRL extensions')
  const number = readNumber(readExtensions(wrapped.next(TAG.sequence), 'CRL').get(OID.crlNumber)?.value)
  wrapped.end()
  fields.end()
  const counted = number === undefined ? {} : { number }
  return { tbs: tbs.raw, issuer, thisUpdate, nextUpdate, ...counted, revoked, signature }
}

function readNumber(extension: Uint8Array | undefined): bigint | undefined {
  if (extension === undefined) return undefined
  const reader = new DerReader(extension, 'CRL number')
  const bytes = unsignedInteger(reader.next(TAG.integer).value, 'CRL number')
  reader.end()
  if (bytes.length > MAX_NUMBER) throw new X509Error(`CRL number: more than ${MAX_NUMBER} bytes`)
  return BigInt(`0x${toHex(bytes)}`)
}

function readEntries(bytes: Uint8Array): Set<string> {
  const reader = new DerReader(bytes, 'CRL entries')
  const revoked = new Set<string>()
  while (!reader.done) {
    const entry = reader.open(TAG.sequence, 'CRL entry')
    revoked.add(toHex(readSerial(entry.next(TAG.integer).value)))
    timeValue(entry.next(), 'CRL entry date')
    const extensions = entry.optional(TAG.sequence)
    if (extensions !== undefined) readExtensions(extensions, 'CRL entry')
    entry.end()
  }
  return revoked
}

/** Checks that the list was issued and signed by this CA. Throws X509Error. */
export function checkCrlIssued(crl: Crl, issuer: Certificate): Promise<void> {
  return proveOnce(crl, issuer, async () => {
    const what = `CRL of "${issuer.commonName}"`
    if (!equalBytes(crl.issuer, issuer.subject)) throw new X509Error(`${what}: issued under another name`)
    if (!issuer.ca || !((issuer.keyUsage ?? 0) & KEY_USAGE.crlSign)) {
      throw new X509Error(`${what}: the issuer may not sign CRLs`)
    }
    if (!(await verifyP256(issuer.publicKey, crl.signature, crl.tbs))) {
      throw new X509Error(`${what}: the signature does not verify`)
    }
  })
}
