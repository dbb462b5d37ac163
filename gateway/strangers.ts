/** How much of what TEEs can quote strangers may have, so that links, joins and other strangers get theirs. */

import type { EvidenceBundle } from '../attest/evidence/index.ts'
import { Allowance, NonceTurns, rateLimited } from '../worker/protocol/index.ts'

/** Nonces of strangers that wait for the gateway's TEE behind the one that is being made. */
const MOST_WAITING = 8
/** Of these, with the one being made, from one address. */
const MOST_OF_ONE = 3
const BUSY_RETRY_S = 1

/**
 * Evidence of the gateway itself: no caller has all the turns. Evidence for links and joins is not asked for here, so
 * it waits for one quote at most.
 */
export function strangersTurns(make: (nonce: Uint8Array) => Promise<EvidenceBundle>): NonceTurns {
  const message = "Others are waiting for this gateway's evidence already. Retry in 1 s."
  const busy = () => rateLimited(message, BUSY_RETRY_S, 'gateway_busy')
  return new NonceTurns({ make, mostWaiting: MOST_WAITING, mostOfOne: MOST_OF_ONE, busy })
}

/** What of one worker's allowance for strangers (see worker/link/relayed.ts) whoever comes first may have. */
const COMMON = { burst: 5, perMinute: 30 }
/** What each caller may have of the other half of it when nothing of the common half is left. */
const SHARE = { burst: 2, perMinute: 6 }

/** Divides what each worker gives to strangers: a caller that takes all it can leaves something to others. */
export class WorkerShares {
  readonly #common: Allowance
  readonly #own: Allowance

  /** @param now monotonic ms */
  constructor(now: () => number) {
    this.#common = new Allowance({ ...COMMON, now })
    this.#own = new Allowance({ ...SHARE, now })
  }

  /** Takes one bundle of this worker for this caller; returns 0, or the ms after which to ask again. */
  take(workerId: string, caller: string): number {
    const common = this.#common.take(workerId)
    return common === 0 ? 0 : Math.min(common, this.#own.take(`${workerId} ${caller}`))
  }
}
