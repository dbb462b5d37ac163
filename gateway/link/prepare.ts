import { fromBase64 } from '../../attest/bytes.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import type { WorkerMessageOf } from '../../worker/protocol/link.ts'
import type { SessionHost } from './host.ts'
import { type Attested, judgedBy, judgeJoin, type Refusal, type RefusalCode, refusal } from './judge.ts'
import { makeOffers, type Offer } from './terms.ts'
import type { WorkerPayment } from './types.ts'

/** Why no channel can pay a worker, in words that it may read, and what its refusal is called. */
const TOLD = new Map<string, RefusalCode>([
  ['ERR_TREASURY_PAYOUT', 'terms'],
  ['ERR_ROLLED_BACK', 'terms'],
  ['ERR_TREASURY_LIMIT', 'busy'],
])

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
    if (!(error instanceof ChrysalisError)) throw error
    const code = TOLD.get(error.code)
    if (code === undefined) throw error
    return refusal(code, error.message)
  }
}
