import { fromBase64 } from '../../attest/bytes.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import type { WorkerMessageOf } from '../../worker/protocol/link.ts'
import type { SessionHost } from './host.ts'
import { type Attested, judgedBy, judgeJoin, type Refusal, refusal } from './judge.ts'
import { makeOffers, type Offer } from './terms.ts'
import type { WorkerPayment } from './types.ts'

/** Why no channel can pay a worker, in words that it may read. */
const TOLD: readonly string[] = ['ERR_TREASURY_PAYOUT', 'ERR_ROLLED_BACK']

/** Everything that a welcome needs, short of the last look at who else is there. */
export interface Prepared extends Attested {
  readonly offers: ReadonlyMap<string, Offer>
  readonly payment: WorkerPayment
  /** This gateway's, over the worker's nonce. */
  readonly evidence: EvidenceBundle
}

/** Judges a join and, if it stands, gathers prices, payment and this gateway's own evidence. */
export async function prepareJoin(
  join: WorkerMessageOf<'join'>,
  nonce: Uint8Array,
  host: SessionHost,
): Promise<Prepared | Refusal> {
  const judged = await host.judging.run(() => judgedBy(host, (judging) => judgeJoin(join, nonce, judging)))
  if (judged.refused) return judged
  const { identity, epoch, subject } = judged
  const objection = host.objection(identity)
  if (objection) return objection
  const { prices, payoutKey } = join
  const request = { ...identity, prices, ...(payoutKey !== undefined && { payoutKey }) }
  const quotes = host.quotesFor(request)
  if (quotes.length === 0) return refusal('terms', 'no model of this worker is wanted at its prices')
  const offers = makeOffers(identity, quotes)
  const evidence = await host.gatewayEvidence(fromBase64(join.nonce))
  try {
    return { identity, epoch, subject, offers, payment: await host.paymentFor(request), evidence }
  } catch (error) {
    if (!(error instanceof ChrysalisError) || !TOLD.includes(error.code)) throw error
    return refusal('terms', error.message)
  }
}
