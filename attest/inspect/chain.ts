/** Certificates and revocation lists in words. */

import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes, toHex } from '../bytes.ts'
import { INTEL_ROOT, NVIDIA_DEVICE_ROOT, NVIDIA_RIM_ROOT } from '../policy/presets.ts'
import {
  type Certificate,
  type Crl,
  checkDates,
  checkIssued,
  parseCertificate,
  parseChain,
  parseCrl,
} from '../x509/index.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, date } from './text.ts'

/** SHA-256 of a certificate, hex. */
export function fingerprint({ der }: Certificate): string {
  return toHex(sha256(der))
}

/** The roots that this program knows, by SHA-256. */
export const ROOTS: Readonly<Record<string, string>> = {
  [INTEL_ROOT]: 'the Intel SGX Root CA',
  [NVIDIA_DEVICE_ROOT]: 'the NVIDIA Device Identity CA',
  [NVIDIA_RIM_ROOT]: 'the NVIDIA CoRIM signing Root CA',
}

/** What a root is known as here. */
export function rootInWords(root: Certificate): string {
  const digest = fingerprint(root)
  const known = ROOTS[digest]
  return known === undefined
    ? `a root that this program does not know, SHA-256 ${digest}`
    : `${known} that this program knows`
}

/** Adds a chain, leaf first: names, dates, and what does not hold together. */
export async function addChain(
  report: Report,
  title: string,
  chain: readonly Certificate[],
  now: number,
): Promise<void> {
  addSection(
    report,
    title,
    chain.map((certificate) =>
      row(
        certificate.commonName,
        `${date(certificate.notBefore)} to ${date(certificate.notAfter)}`,
        `${certificate.ca ? 'a CA, ' : ''}serial ${certificate.serial}, SHA-256 ${fingerprint(certificate)}`,
      ),
    ),
  )
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1] ?? certificate
    const place = `${title}, certificate ${i + 1}`
    await attempt(report, place, () => checkDates(certificate, now))
    // The last one is a root only if it signed itself; an intermediate that ends a chain has its issuer elsewhere.
    if (issuer !== certificate) await attempt(report, place, () => checkIssued(certificate, issuer))
    else if (equalBytes(certificate.issuer, certificate.subject))
      await attempt(report, place, () => checkIssued(certificate, certificate))
  }
}

/** Adds one revocation list. */
export function addCrl(report: Report, title: string, crl: Crl, now: number): void {
  addSection(report, title, [
    row('issued', date(crl.thisUpdate)),
    row('next update', date(crl.nextUpdate), 'after this it no longer counts'),
    row('revoked', count(crl.revoked.size, 'serial number')),
  ])
  if (now < crl.thisUpdate) report.problems.push(`${title}: is from the future`)
  if (now > crl.nextUpdate) report.problems.push(`${title}: has expired`)
}

/** Explains certificates in PEM, leaf first. */
export async function inspectPem(text: string, now: number): Promise<Report> {
  const report = newReport('certificates', 'certificates in PEM')
  // Device chains are of P-384; the sentence about what is wrong is that of the usual curve.
  const chain =
    quietly(() => parseChain(text, 'P-384')) ?? (await attempt(report, 'PEM', () => parseChain(text)))
  if (chain === undefined) return report
  report.title = count(chain.length, 'certificate')
  await addChain(report, 'chain', chain, now)
  sayIssuers(report, chain)
  return report
}

/** Explains one certificate or revocation list in DER; undefined when the bytes are neither. */
export async function inspectDer(bytes: Uint8Array, now: number): Promise<Report | undefined> {
  const certificate =
    quietly(() => parseCertificate(bytes)) ?? quietly(() => parseCertificate(bytes, 'P-384'))
  if (certificate !== undefined) {
    const report = newReport('certificates', 'a certificate')
    await addChain(report, 'certificate', [certificate], now)
    sayIssuers(report, [certificate])
    return report
  }
  const crl = quietly(() => parseCrl(bytes))
  if (crl === undefined) return undefined
  const report = newReport('crl', 'a certificate revocation list')
  addCrl(report, 'list', crl, now)
  addSection(
    report,
    'revoked serial numbers',
    [...crl.revoked].slice(0, 100).map((serial, i) => row(String(i + 1), serial)),
  )
  report.signatures.push('the list: by the CA whose name it bears')
  return report
}

/** Says who issued what, as the certificates say. */
export function sayIssuers(report: Report, chain: readonly Certificate[]): void {
  for (const [i, certificate] of chain.entries()) {
    const issuer = chain[i + 1]
    if (issuer !== undefined)
      report.signatures.push(`certificate "${certificate.commonName}": by "${issuer.commonName}"`)
    else if (equalBytes(certificate.issuer, certificate.subject))
      report.signatures.push(
        `certificate "${certificate.commonName}": by itself; ${rootInWords(certificate)}`,
      )
    else report.signatures.push(`certificate "${certificate.commonName}": by an issuer that is not here`)
  }
}

function quietly<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch {
    return undefined
  }
}
