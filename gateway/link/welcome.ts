import { fromBase64, toBase64 } from '../../attest/bytes.ts'
import { claimsDigest } from '../../attest/evidence/index.ts'
import {
  type GatewayMessageOf,
  type UnsignedWelcome,
  type WorkerMessageOf,
  welcomeMessage,
} from '../../worker/protocol/link.ts'
import type { SessionHost } from './host.ts'
import type { Prepared } from './prepare.ts'

/** What a welcome answers and brings. */
export interface WelcomeParts extends Pick<Prepared, 'offers' | 'payment' | 'evidence'> {
  /** Names the connection. */
  session: string
  challenge: GatewayMessageOf<'challenge'>
  join: WorkerMessageOf<'join'>
}

/** The welcome for a worker that was let in, signed with this gateway's attested key over the whole handshake. */
export function makeWelcome(
  { session, challenge, join, offers, payment, evidence }: WelcomeParts,
  { limits, gatewaySign }: Pick<SessionHost, 'limits' | 'gatewaySign'>,
): GatewayMessageOf<'welcome'> {
  const welcome: UnsignedWelcome = {
    type: 'welcome',
    version: join.version,
    session,
    gateway: { evidence: { ...evidence } },
    quotes: [...offers.values()].map(({ encoded }) => toBase64(encoded)),
    payment: payment.terms,
    heartbeatMs: limits.heartbeatMs,
  }
  const digest = claimsDigest(fromBase64(evidence.claims))
  const message = welcomeMessage({ challenge, join, claimsDigest: digest, welcome })
  return { ...welcome, signature: toBase64(gatewaySign(message)) }
}
