import { LinkError } from '../../worker/protocol/link.ts'
import { encodeQuote, type Quote, quoteDigest } from '../../worker/protocol/quote.ts'
import type { NamedQuote, WorkerIdentity, WorkerModel } from './types.ts'

/** What requests for one model of one worker are sealed with. */
export interface Offer {
  model: WorkerModel
  quote: NamedQuote
  /** The bytes that the digest names. */
  encoded: Uint8Array
}

/**
 * Matches quotes with the models of the claims, by id and digest.
 * @throws LinkError internal when a quote is for a model that the claims do not hold (a fault of ours)
 */
export function makeOffers(identity: WorkerIdentity, quotes: readonly Quote[]): Map<string, Offer> {
  const offers = new Map<string, Offer>()
  for (const quote of quotes) {
    const model = identity.models.find(
      ({ id, sha256 }) => id === quote.model.id && sha256 === quote.model.sha256,
    )
    if (!model) throw new LinkError('internal', 'a quote names a model that the worker does not claim')
    const encoded = encodeQuote(quote)
    offers.set(model.id, { model, quote: { quote, digest: quoteDigest(encoded) }, encoded })
  }
  return offers
}
