import { toBase64 } from '../../attest/bytes.ts'
import type { EpochKeys } from '../../attest/epoch/index.ts'
import type { Tee } from '../../attest/evidence/index.ts'
import {
  type OpenedRequest,
  type OpenInternals,
  openSealed,
  type SealError,
} from '../../attest/seal/index.ts'
import type { Clock } from '../clock.ts'
import type { ModelInfo } from '../engine/index.ts'
import {
  invalidRequest,
  isSealedPath,
  LINK_LIMITS,
  modelNotFound,
  notFound,
  type Quote,
  requestIdSchema,
  type StreamHint,
} from '../protocol/index.ts'
import type { ServeTerms } from './types.ts'

/** What requests are opened with. */
export interface Opener {
  epochs: EpochKeys
  now: Clock['now']
  /** Replaced by tests only. */
  internals?: OpenInternals | undefined
}

/**
 * Opens a request that came over the link of these terms: only that gateway, under its attested key, its own name and a
 * quote of this link, may have signed it.
 * @throws SealError, and StoredResponse for a byte-identical repeat
 */
export function openRequest(
  request: Uint8Array,
  terms: ServeTerms,
  { epochs, now, internals }: Opener,
): Promise<OpenedRequest> {
  return openSealed(
    request,
    {
      epochs,
      now,
      limits: { requestBytes: LINK_LIMITS.maxRequestBytes },
      authKey: (ctx) => {
        // Receipts and messages of the link must be able to name the request, and every receipt names a quote.
        const nameable = requestIdSchema.safeParse(ctx.requestId).success && terms.quotes.has(ctx.quoteDigest)
        const ours = ctx.gateway === terms.gatewayId && ctx.payer.kind === 'gateway'
        const payer = ctx.payer.key === toBase64(terms.gatewayKey)
        return nameable && ours && payer ? terms.gatewayKey : undefined
      },
    },
    internals,
  )
}

/** What is wrong with the context of an opened request, told under the seal. @throws ApiError */
export function checkContext(
  { ctx }: OpenedRequest,
  quote: Quote,
  { id, sha256 }: Pick<ModelInfo, 'id' | 'sha256'>,
  tee: Tee['kind'],
): void {
  if (ctx.model.id !== id || ctx.model.sha256 !== sha256) throw modelNotFound(ctx.model.id)
  if (quote.model.id !== id || quote.model.sha256 !== sha256) {
    throw invalidRequest(null, 'The quote is for another model.', 'context_mismatch')
  }
  if (ctx.tee !== tee) {
    throw invalidRequest(null, 'The context names another kind of TEE.', 'context_mismatch')
  }
  if (ctx.method !== 'POST' || !isSealedPath(ctx.path))
    throw notFound('This worker does not serve that path.')
}

/** The hint, in clear, for a request that was not opened. */
export function hintOf(error: SealError): StreamHint {
  switch (error.code) {
    case 'ERR_EPOCH_UNKNOWN':
    case 'ERR_EPOCH_CLAIMS':
      return 'epoch_unknown'
    case 'ERR_SEAL_DEADLINE':
      return 'deadline_passed'
    case 'ERR_SEAL_TOO_LARGE':
      return 'too_large'
    case 'ERR_REPLAY':
      return 'replayed'
    case 'ERR_REPLAY_FULL':
      return 'busy'
    default:
      return 'seal_refused'
  }
}
