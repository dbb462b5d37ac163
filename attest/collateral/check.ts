/** What collateral must be to be handed on or kept: for this platform, whole, signed under one root, in date. */

import { sha256 } from '@noble/hashes/sha2.js'
import { equalBytes, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { pckChain, windows } from '../tdx/chains.ts'
import { type Collateral, checkDocument, type ParsedCollateral, parseCollateral } from '../tdx/collateral.ts'
import { parseQuote } from '../tdx/quote.ts'
import { allProven, type Certificate, checkCrlIssued, checkIssued } from '../x509/index.ts'
import { CollateralError } from './errors.ts'
import { caNamed, type PinnedRoot, type Subject } from './source.ts'

/** The dates between which all parts of collateral are valid, ms. */
export interface Validity {
  from: number
  until: number
}

/**
 * Checks collateral that a source gave for `subject`. This is no verdict: it keeps wrong answers out of a cache and
 * says at once what is wrong with them. Without `roots`, any one root will do. Throws CollateralError.
 */
export async function checkCollateral(
  collateral: Collateral,
  subject: Subject,
  roots: readonly PinnedRoot[] | undefined,
): Promise<Validity> {
  try {
    const parsed = parseCollateral(collateral)
    checkSubject(parsed, subject)
    await checkSigned(collateral, parsed, roots)
    return validity(parsed)
  } catch (error) {
    if (error instanceof CollateralError || !(error instanceof ChrysalisError)) throw error
    throw bad(`the collateral is not usable: ${error.message}`, error)
  }
}

/**
 * Checks that the quote's PCK chain is signed under a pinned root, before anyone is asked about it: a made-up quote
 * must not make this machine send requests. Throws CollateralError, QuoteError or X509Error.
 */
export async function checkPlatform(quote: Uint8Array, roots: readonly PinnedRoot[]): Promise<void> {
  const { leaf, ca, root } = pckChain(parseQuote(quote))
  requirePinned(root, roots, 'the PCK chain of the quote')
  await checkIssued(root, root)
  await checkIssued(ca, root)
  await checkIssued(leaf, ca)
}

/** Whether `now` (ms) is within these dates. */
export function inDate({ from, until }: Validity, now: number): boolean {
  return now >= from && now <= until
}

/** Throws CollateralError unless `now` (ms) is within these dates. */
export function requireInDate(validity: Validity, now: number, source: string): void {
  if (inDate(validity, now)) return
  const { from, until } = validity
  const dates = `${new Date(from).toISOString()} to ${new Date(until).toISOString()}`
  throw bad(`${source} gave collateral for ${dates}: is the clock of this machine right?`)
}

/** From the latest begin to the earliest end of its parts. */
export function validity(parsed: ParsedCollateral): Validity {
  const all = windows(parsed)
  return {
    from: Math.max(...all.map(({ from }) => from)),
    until: Math.min(...all.map(({ until }) => until)),
  }
}

/** Whether this collateral is for that platform and that CA. */
export function isFor({ tcbInfo, pckCrlChain }: ParsedCollateral, subject: Subject): boolean {
  const [ca] = pckCrlChain
  return ca !== undefined && toHex(tcbInfo.fmspc) === subject.fmspc && caNamed(ca.commonName) === subject.ca
}

function checkSubject(parsed: ParsedCollateral, subject: Subject): void {
  if (isFor(parsed, subject)) return
  throw bad(`the collateral is not for FMSPC ${subject.fmspc} under the ${subject.ca} CA`)
}

/** All five signatures under one root, which is pinned if any are. Proofs are remembered and serve the verdict too. */
async function checkSigned(
  collateral: Collateral,
  parsed: ParsedCollateral,
  roots: readonly PinnedRoot[] | undefined,
): Promise<void> {
  const tcb = signerAndRoot(parsed.tcbChain)
  const qe = signerAndRoot(parsed.qeChain)
  const ca = signerAndRoot(parsed.pckCrlChain)
  const { root } = tcb
  if (!equalBytes(root.der, qe.root.der) || !equalBytes(root.der, ca.root.der))
    throw bad('the issuer chains end in different roots')
  if (roots !== undefined) requirePinned(root, roots, 'the collateral')
  const { tcb_info, tcb_info_signature, qe_identity, qe_identity_signature } = collateral
  await allProven([
    checkIssued(root, root),
    ...[tcb, qe, ca].map(({ signer }) => checkIssued(signer, root)),
    checkDocument(parsed.tcbInfo, tcb_info, tcb_info_signature, tcb.signer),
    checkDocument(parsed.qeIdentity, qe_identity, qe_identity_signature, qe.signer),
    checkCrlIssued(parsed.rootCrl, root),
    checkCrlIssued(parsed.pckCrl, ca.signer),
  ])
}

function requirePinned(root: Certificate, roots: readonly PinnedRoot[], what: string): void {
  const digest = toHex(sha256(root.der))
  if (roots.some((pin) => pin.sha256 === digest)) return
  throw bad(`${what} ends in root ${digest.slice(0, 16)}…, which is not pinned`)
}

function signerAndRoot([signer, root, more]: readonly Certificate[]): {
  signer: Certificate
  root: Certificate
} {
  if (signer !== undefined && root !== undefined && more === undefined) return { signer, root }
  throw bad('an issuer chain is not a signer and its root')
}

function bad(message: string, cause?: unknown): CollateralError {
  return new CollateralError('ERR_COLLATERAL_ANSWER', message, { cause })
}
