import { fromBase64, fromHex } from '../../attest/bytes.ts'
import { verifyEd25519 } from '../../attest/crypto.ts'
import {
  type Claims,
  failedFactors,
  type RegistrySubject,
  type Verdict,
  verifyEvidence,
} from '../../attest/evidence/index.ts'
import type { Policy, RegistryView } from '../../attest/policy/index.ts'
import type { Offer } from '../enclave/index.ts'
import {
  type GatewayMessageOf,
  type Prices,
  parseQuote,
  type Quote,
  quoteDigest,
  type WorkerMessageOf,
  welcomeMessage,
} from '../protocol/index.ts'
import { GatewayRefused } from './errors.ts'

/** What was verified of a gateway. */
export interface VerifiedGateway {
  /** Ed25519, 32 bytes. */
  signingKey: Uint8Array
  bootId: string
  /** By digest (hex). */
  quotes: ReadonlyMap<string, Quote>
  /** What a registry can be asked again. */
  subject?: RegistrySubject | undefined
}

/** What was said before a welcome: the challenge as it came, and our join. */
export interface Said {
  challenge: GatewayMessageOf<'challenge'>
  join: WorkerMessageOf<'join'>
}

export interface WelcomeChecks extends Said {
  policy: Policy
  /** Where the policy holds to a registry: what that says now. @throws while nothing of it can be relied on */
  registry?: (() => RegistryView) | undefined
  /** Wall clock, ms. */
  now: () => number
  model: { id: string; sha256: string }
  offers: readonly Offer[]
}

/**
 * Judges a welcome: the gateway's evidence, the signature that ties its enclave to this connection, then its name and
 * quotes. @throws GatewayRefused naming what failed
 */
export async function checkWelcome(
  welcome: GatewayMessageOf<'welcome'>,
  checks: WelcomeChecks,
): Promise<VerifiedGateway> {
  const { challenge, join } = checks
  if (welcome.version !== join.version) {
    throw new GatewayRefused('ERR_LINK_VERSION', `the gateway answered in version ${welcome.version}`)
  }
  const { claims, subject } = await proven(welcome, checks)
  // Contexts, kept receipts and acknowledgements go by this name.
  if (claims.payoutAddress !== challenge.gatewayId) {
    throw new GatewayRefused('ERR_GATEWAY_NAME', 'the gateway calls itself by another name than its evidence')
  }
  return {
    signingKey: fromBase64(claims.signingKey),
    bootId: claims.bootId,
    quotes: readQuotes(welcome, checks),
    subject,
  }
}

/** The claims of an accepted gateway that is itself at the other end, and said what is in this welcome. */
async function proven(
  welcome: GatewayMessageOf<'welcome'>,
  { policy, registry, now, challenge, join }: WelcomeChecks,
): Promise<{ claims: Claims; subject: Verdict['subject'] }> {
  const verdict = await verifyEvidence(welcome.gateway.evidence, {
    policy,
    ...(registry && { registry: registry() }),
    now,
    nonce: fromBase64(join.nonce),
  })
  const { claims, claimsDigest } = verdict
  if (verdict.verdict !== 'accept' || !claims || !claimsDigest) {
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
  // Whoever asks a gateway gets its evidence over the nonce of our join: only its key shows that it is there.
  const signed = welcomeMessage({ challenge, join, claimsDigest: fromHex(claimsDigest), welcome })
  if (!verifyEd25519(fromBase64(claims.signingKey), signed, fromBase64(welcome.signature))) {
    throw new GatewayRefused(
      'ERR_GATEWAY_SIGNATURE',
      'the welcome is not signed by the gateway whose evidence it shows, over this connection',
    )
  }
  return { claims, subject: verdict.subject }
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
