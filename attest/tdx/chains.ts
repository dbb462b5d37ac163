/** The certificate chains of a verdict: their roles, dates, signatures and revocation (Intel's steps 3.2 to 3.5). */

import { equalBytes } from '../bytes.ts'
import {
  allProven,
  type Certificate,
  checkCrlIssued,
  checkDates,
  checkIssued,
  encodePem,
  KEY_USAGE,
  parseChainBytes,
  X509Error,
} from '../x509/index.ts'
import { type Collateral, checkDocument, type ParsedCollateral } from './collateral.ts'
import { type Quote, QuoteError } from './quote.ts'

/** What a pinned root vouches for: hardware, or the simulation of one installation. */
export type AnchorKind = 'intel' | 'simulated'

/** Common names of the certificates' roles: a certificate of one role never serves in another. */
const NAMES: Record<AnchorKind, { root: string; cas: readonly string[]; leaf: string; tcb: string }> = {
  intel: {
    root: 'Intel SGX Root CA',
    cas: ['Intel SGX PCK Platform CA', 'Intel SGX PCK Processor CA'],
    leaf: 'Intel SGX PCK Certificate',
    tcb: 'Intel SGX TCB Signing',
  },
  simulated: {
    root: 'Simulated SGX Root CA',
    cas: ['Simulated SGX PCK Platform CA'],
    leaf: 'Simulated SGX PCK Certificate',
    tcb: 'Simulated SGX TCB Signing',
  },
}

/** The pinned root that a chain ends in. */
export interface Anchor {
  kind: AnchorKind
  der: Uint8Array
}

export interface PckChain {
  leaf: Certificate
  ca: Certificate
  root: Certificate
}

/** The three certificates of a quote. Throws X509Error. */
export function pckChain(quote: Quote): PckChain {
  const [leaf, ca, root, more] = parseChainBytes(quote.pckChain)
  if (leaf === undefined || ca === undefined || root === undefined || more !== undefined) {
    throw new X509Error('PCK chain: not three certificates')
  }
  return { leaf, ca, root }
}

/** Checks roles, dates, names, constraints and signatures of the PCK chain; the root is pinned apart. Throws X509Error. */
export async function checkPckChain(
  { leaf, ca, root }: PckChain,
  kind: AnchorKind,
  now: number,
): Promise<void> {
  const names = NAMES[kind]
  const named =
    root.commonName === names.root && names.cas.includes(ca.commonName) && leaf.commonName === names.leaf
  if (!named) throw new X509Error('PCK chain: the certificates do not have the names of their roles')
  for (const certificate of [leaf, ca, root]) checkDates(certificate, now)
  if (leaf.ca || !((leaf.keyUsage ?? 0) & KEY_USAGE.digitalSignature)) {
    throw new X509Error('PCK chain: the leaf is not an end-entity signing certificate')
  }
  await allProven([checkIssued(root, root), checkIssued(ca, root), checkIssued(leaf, ca)])
}

/** Checks the TCB info's signer under the quote's anchor, and its signature over the exact text. Throws X509Error. */
export async function checkTcbInfoSigned(
  { tcb_info, tcb_info_signature }: Collateral,
  { tcbInfo, tcbChain }: ParsedCollateral,
  anchor: Anchor,
  now: number,
): Promise<void> {
  const { signer, root } = signerOf(tcbChain, anchor, now)
  const signed = checkDocument(tcbInfo, tcb_info, tcb_info_signature, signer)
  await allProven([checkIssued(signer, root), signed])
}

/** As checkTcbInfoSigned, for the QE identity. Throws X509Error. */
export async function checkQeIdentitySigned(
  { qe_identity, qe_identity_signature }: Collateral,
  { qeIdentity, qeChain }: ParsedCollateral,
  anchor: Anchor,
  now: number,
): Promise<void> {
  const { signer, root } = signerOf(qeChain, anchor, now)
  const signed = checkDocument(qeIdentity, qe_identity, qe_identity_signature, signer)
  await allProven([checkIssued(signer, root), signed])
}

/** Checks that both revocation lists are issued under the same anchor as the quote's chain. Throws X509Error. */
export async function checkCrlsSigned(
  collateral: Collateral,
  parsed: ParsedCollateral,
  chain: PckChain,
  anchor: Anchor,
): Promise<void> {
  const [crlCa, crlRoot, more] = parsed.pckCrlChain
  const sameCa = crlCa !== undefined && equalBytes(crlCa.der, chain.ca.der)
  if (!sameCa || crlRoot === undefined || more !== undefined || !equalBytes(crlRoot.der, anchor.der)) {
    throw new X509Error('PCK CRL chain: not the CA and the root of the quote')
  }
  await allProven([checkCrlIssued(parsed.rootCrl, chain.root), checkCrlIssued(parsed.pckCrl, chain.ca)])
  const given = collateral.pck_certificate_chain
  const own = [chain.leaf, chain.ca, chain.root].map((certificate) => certificate.der)
  if (given !== undefined && given !== encodePem(own))
    throw new X509Error("collateral: PCK chain is not the quote's")
}

/** The signer of a document by its role, with the root that has to have issued it. Throws X509Error. */
function signerOf(
  signers: readonly Certificate[],
  anchor: Anchor,
  now: number,
): { signer: Certificate; root: Certificate } {
  const [signer, root, more] = signers
  const two = signer !== undefined && root !== undefined && more === undefined
  if (!two || !equalBytes(root.der, anchor.der)) {
    throw new X509Error('TCB signing chain: not a signer under the root of the quote')
  }
  const usable = !signer.ca && ((signer.keyUsage ?? 0) & KEY_USAGE.digitalSignature) !== 0
  if (signer.commonName !== NAMES[anchor.kind].tcb || !usable) {
    throw new X509Error('TCB signing chain: the signer is not a TCB signing certificate')
  }
  checkDates(signer, now)
  return { signer, root }
}

/** Throws X509Error when the CA or a signer in use is on the root's list. The list's signature is checked apart. */
export function checkCaRevocation({ rootCrl, tcbChain, qeChain }: ParsedCollateral, { ca }: PckChain): void {
  for (const certificate of [ca, ...tcbChain, ...qeChain]) {
    if (rootCrl.revoked.has(certificate.serial)) throw new X509Error(`"${certificate.commonName}" is revoked`)
  }
}

/** Throws X509Error when the platform's PCK certificate is on its CA's list. */
export function checkPckRevocation({ pckCrl }: ParsedCollateral, { leaf }: PckChain): void {
  if (pckCrl.revoked.has(leaf.serial)) throw new X509Error('the PCK certificate of this platform is revoked')
}

/** When each dated part of the collateral is valid, ms. */
export function windows({ rootCrl, pckCrl, tcbInfo, qeIdentity }: ParsedCollateral): {
  name: string
  from: number
  until: number
}[] {
  return [
    { name: 'root CA CRL', from: rootCrl.thisUpdate, until: rootCrl.nextUpdate },
    { name: 'PCK CRL', from: pckCrl.thisUpdate, until: pckCrl.nextUpdate },
    { name: 'TCB info', from: tcbInfo.issueDate, until: tcbInfo.nextUpdate },
    { name: 'QE identity', from: qeIdentity.issueDate, until: qeIdentity.nextUpdate },
  ]
}

/** Until when every certificate of a verdict is in date, ms. */
export function certificatesUntil(
  { leaf, ca, root }: PckChain,
  { tcbChain, qeChain }: ParsedCollateral,
): number {
  return Math.min(...[leaf, ca, root, ...tcbChain, ...qeChain].map(({ notAfter }) => notAfter))
}

/** Throws QuoteError unless every part of the collateral is in date at `now` (ms). */
export function checkFresh(parsed: ParsedCollateral, now: number): void {
  for (const { name, from, until } of windows(parsed)) {
    // Asked so that a clock which is no number is no time at all.
    if (!(now >= from)) throw new QuoteError(`${name}: not yet valid`)
    if (!(now <= until)) throw new QuoteError(`${name}: expired, fetch new collateral`)
  }
}

/** The lower of the two documents' TCB evaluation numbers. */
export function evaluationNumber({ tcbInfo, qeIdentity }: ParsedCollateral): number {
  return Math.min(tcbInfo.tcbEvaluationDataNumber, qeIdentity.tcbEvaluationDataNumber)
}
