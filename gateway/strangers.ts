/** How much of what TEEs can quote strangers may have, so that links, joins and other strangers get theirs. */

import { toHex } from '../attest/bytes.ts'
import type { EvidenceBundle } from '../attest/evidence/index.ts'
import { Allowance, rateLimited } from '../worker/protocol/index.ts'

/** Nonces of strangers that wait for the gateway's TEE behind the one that is being made. */
const MOST_WAITING = 8
/** Of these, with the one being made, from one address. */
const MOST_OF_ONE = 3
const BUSY_RETRY_S = 1

interface Turn {
  readonly bundle: Promise<EvidenceBundle>
  /** Of whoever asked first. */
  readonly caller: string
}

/**
 * Evidence of the gateway itself: one nonce of a stranger at a time, the same nonce once, a few in a row, no caller
 * all of them. Evidence for links and joins is not asked for here, so it waits for one quote at most.
 */
export class StrangersTurn {
  readonly #make: (nonce: Uint8Array) => Promise<EvidenceBundle>
  /** The nonce that is being made, and those that wait, by their hex. */
  readonly #turns = new Map<string, Turn>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(make: (nonce: Uint8Array) => Promise<EvidenceBundle>) {
    this.#make = make
  }

  /** @throws ApiError 429 `gateway_busy` when this caller, or anybody, has to come back later */
  demandRoom(nonce: Uint8Array, caller: string): void {
    if (this.#turns.has(toHex(nonce))) return
    const own = [...this.#turns.values()].filter((turn) => turn.caller === caller)
    if (own.length < MOST_OF_ONE && this.#turns.size <= MOST_WAITING) return
    throw rateLimited(
      "Others are waiting for this gateway's evidence already. Retry in 1 s.",
      BUSY_RETRY_S,
      'gateway_busy',
    )
  }

  /** Evidence over this nonce (32 bytes), once it is its turn. @throws ApiError as demandRoom does */
  evidence(nonce: Uint8Array, caller: string): Promise<EvidenceBundle> {
    this.demandRoom(nonce, caller)
    const name = toHex(nonce)
    const turn = this.#turns.get(name)
    if (turn) return turn.bundle
    const bundle = this.#last.then(() => this.#make(nonce)).finally(() => this.#turns.delete(name))
    this.#last = bundle.catch(() => {})
    this.#turns.set(name, { bundle, caller })
    return bundle
  }
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
