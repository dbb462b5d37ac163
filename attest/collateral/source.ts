/** Where collateral comes from: the interface that every source has, and what a quote needs collateral for. */

import { equalBytes } from '../bytes.ts'
import { type PckChain, pckChain } from '../tdx/chains.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { readPckPlatform } from '../tdx/pck.ts'
import { parseQuote, QuoteError } from '../tdx/quote.ts'

/** Collateral, and how it was come by. */
export interface ObtainedCollateral {
  collateral: Collateral
  /** The folder or the base URL that it came from. */
  source: string
  /** When it was fetched or read, ms since 1970. */
  fetchedAt: number
  /** Present only when newer collateral was due and could not be had: why. It is still within its own dates. */
  staleBecause?: string
}

/** Finds the collateral that a quote is judged with. It is judged by the verifier, whatever its source. */
export interface CollateralSource {
  /** The collateral alone. Throws CollateralError, QuoteError or X509Error. */
  collateral(quote: Uint8Array): Promise<Collateral>
  /** The collateral and where it is from. Throws the same. */
  obtain(quote: Uint8Array): Promise<ObtainedCollateral>
}

/** A root certificate that answers must be signed under, as in a policy. */
export interface PinnedRoot {
  /** SHA-256 of the certificate's DER, lower-case hex. */
  sha256: string
}

/** Which collateral a quote needs. */
export interface Subject {
  /** 6 bytes, lower-case hex. */
  fmspc: string
  /** Which of Intel's two intermediate CAs issued the platform's certificate, and so the list that can revoke it. */
  ca: 'platform' | 'processor'
}

/**
 * Reads from the PCK chain of a quote which collateral it needs; nothing is verified. Throws QuoteError or X509Error
 * when the quote is malformed, and QuoteError when its CA is neither of the two.
 */
export function subjectOf(quote: Uint8Array): Subject {
  const chain = pckChain(parseQuote(quote))
  return { fmspc: readPckPlatform(chain.leaf).fmspc, ca: caOf(chain) }
}

/** `platform` or `processor`, by the common name of the issuing CA. Throws QuoteError on another. */
export function caNamed(commonName: string): Subject['ca'] {
  if (commonName.endsWith(' SGX PCK Platform CA')) return 'platform'
  if (commonName.endsWith(' SGX PCK Processor CA')) return 'processor'
  throw new QuoteError(`PCK chain: "${commonName}" is neither the Platform CA nor the Processor CA`)
}

function caOf({ leaf, ca }: PckChain): Subject['ca'] {
  if (!equalBytes(leaf.issuer, ca.subject))
    throw new QuoteError('PCK chain: the second certificate is not the issuer of the first')
  return caNamed(ca.commonName)
}
