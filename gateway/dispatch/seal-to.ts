import { fromHex, toBase64 } from '../../attest/bytes.ts'
import {
  type SealContext,
  type SealedRequest,
  type SealInternals,
  type SenderSessions,
  seal,
} from '../../attest/seal/index.ts'
import type { Clock, Lease } from '../link/index.ts'
import type { DispatchRequest } from './types.ts'

/** This gateway as the payer of requests under bare API keys. */
export interface GatewaySigner {
  /** The attested Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** Returns 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

export interface SealParts {
  readonly signer: GatewaySigner
  readonly gatewayId: string
  readonly clock: Clock
  /** One for each dispatcher: who seals to the same epoch shares an encapsulation. */
  readonly sessions: SenderSessions
  /** Replaced by tests only, e.g. to see a canary once sealing is off. */
  readonly sealInternals?: SealInternals | undefined
}

/**
 * Seals a request's body to the epoch of a leased worker, bound to model, quote, bounds and payer. Each call is a seal
 * of its own, with keys over its whole context; to another worker's epoch it shares not even the session.
 * @throws SealError
 */
export function sealTo(
  { worker, model, epoch, quote }: Lease,
  request: Omit<DispatchRequest, 'body'>,
  body: Uint8Array,
  maxCharge: bigint,
  { signer, gatewayId, clock, sessions, sealInternals }: SealParts,
): Promise<SealedRequest> {
  const { requestId, method, path, key, maxPromptTokens, maxOutputTokens, n = 1, stream, deadline } = request
  const context = {
    requestId,
    tee: worker.tee as SealContext['tee'],
    gateway: gatewayId,
    method: method as SealContext['method'],
    path,
    model: { id: model.id, sha256: model.sha256 },
    payer: {
      kind: 'gateway' as const,
      key: toBase64(signer.publicKey),
      channel: key.channel,
      account: key.id,
    },
    quoteDigest: quote.digest,
    maxCharge: String(maxCharge),
    maxPromptTokens,
    maxOutputTokens,
    n,
    responseMode: { stream, padding: 'bucket' as const, cadence: 0 as const },
    deadline,
  }
  const options = {
    epoch: { ...epoch, claimsDigest: fromHex(epoch.claimsDigest) },
    context,
    body,
    sign: (message: Uint8Array) => signer.sign(message),
    now: () => clock.now(),
    sessions,
  }
  return seal(options, sealInternals)
}
