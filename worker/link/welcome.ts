import { fromBase64 } from '../../attest/bytes.ts'
import { failedFactors, verifyEvidence } from '../../attest/evidence/index.ts'
import type { Policy } from '../../attest/policy/index.ts'
import type { Offer } from '../enclave/index.ts'
import { type GatewayMessageOf, type Prices, parseQuote, type Quote, quoteDigest } from '../protocol/index.ts'
import { GatewayRefused } from './errors.ts'

/** What was verified of a gateway. */
export interface VerifiedGateway {
  /** Ed25519, 32 bytes. */
  signingKey: Uint8Array
  bootId: string
  /** By digest (hex). */
  quotes: ReadonlyMap<string, Quote>
}

export interface WelcomeChecks {
  policy: Policy
  /** Wall clock, ms. */
  now: () => number
  /** What the gateway called itself in its challenge. */
  gatewayId: string
  /** The nonce of our join, 32 bytes. */
  nonce: Uint8Array
  /** The version that we joined with. */
  version: number
  model: { id: string; sha256: string }
  offers: readonly Offer[]
}

/** Judges a welcome: the gateway's evidence, then its quotes. @throws GatewayRefused naming what failed */
export async function checkWelcome(
  welcome: GatewayMessageOf<'welcome'>,
  checks: WelcomeChecks,
): Promise<VerifiedGateway> {
  const { policy, now, nonce, version } = checks
  if (welcome.version !== version) {
    throw new GatewayRefused('ERR_LINK_VERSION', `the gateway answered in version ${welcome.version}`)
  }
  const verdict = await verifyEvidence(welcome.gateway.evidence, { policy, now, nonce })
  const { claims } = verdict
  if (verdict.verdict !== 'accept' || !claims) {
    throw new GatewayRefused(
      'ERR_GATEWAY_EVIDENCE',
      'the evidence of the gateway does not meet the policy',
      failedFactors(verdict),
    )
  }
  if (claims.role !== 'gateway') {
    throw new GatewayRefused('ERR_GATEWAY_EVIDENCE', 'the evidence is not that of a gateway', [
      'role.expected',
    ])
  }
  // Contexts, kept receipts and acknowledgements go by this name, and the challenge that told it is not signed.
  if (claims.payoutAddress !== checks.gatewayId) {
    throw new GatewayRefused('ERR_GATEWAY_NAME', 'the gateway calls itself by another name than its evidence')
  }
  return {
    signingKey: fromBase64(claims.signingKey),
    bootId: claims.bootId,
    quotes: readQuotes(welcome, checks),
  }
}

function readQuotes({ quotes }: GatewayMessageOf<'welcome'>, checks: WelcomeChecks): Map<string, Quote> {
  const known = new Map<string, Quote>()
  for (const text of quotes) {
    const bytes = fromBase64(text)
    const quote = parseQuote(bytes)
    if (quote.model.id !== checks.model.id || quote.model.sha256 !== checks.model.sha256) {
      throw refusal('a quote is for another model than ours')
    }
    const asked = checks.offers.find(({ model }) => model === quote.model.id)?.prices
    if (!asked || !covers(quote.worker, asked)) throw refusal('a quote pays less than this worker asks')
    known.set(quoteDigest(bytes), quote)
  }
  return known
}

function covers(paid: Prices, asked: Prices): boolean {
  const kinds = ['prompt', 'cached', 'completion', 'reasoning'] as const
  return kinds.every((kind) => BigInt(paid[kind]) >= BigInt(asked[kind]))
}

function refusal(message: string): GatewayRefused {
  return new GatewayRefused('ERR_GATEWAY_TERMS', message)
}
