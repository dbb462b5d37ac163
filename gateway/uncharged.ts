/** How much one account may have written into the ledger without being charged for it. */

import { Allowance, rateLimited } from '../worker/protocol/index.ts'
import type { DispatchLedger } from './dispatch/index.ts'

export interface UnchargedOptions {
  /** What one account may leave behind at once… */
  burst: number
  /** …and what of that comes back in a minute. */
  perMinute: number
  /** Monotonic ms. */
  now: () => number
}

/** A charge makes good what it took itself, and one more: whoever pays for every other request notices nothing. */
const BY_A_CHARGE = 2
/**
 * Ends that are the client's doing: it went away, took nothing, sent what no seal takes or what a worker refuses, or got
 * what it asked for. An error of a worker's own (`status_503`) is none, though it comes with a receipt, over nothing.
 */
const BY_CLIENT = /^(aborted|stalled|not_sent|status_[1-4][0-9]{2})$/

/**
 * Reservations that come to nothing and vouchers that nothing is charged on stay in the ledger for good, and cost whoever
 * causes them nothing: a deposit comes back in the end. So each account (an API key, a channel that its client signs)
 * has an allowance of them, which a charge restores.
 */
export class Uncharged {
  readonly #left: Allowance

  constructor(options: UnchargedOptions) {
    this.#left = new Allowance(options)
  }

  /** @throws ApiError 429 when an account has nothing left */
  demand(account: string): void {
    const wait = this.#left.take(account)
    if (wait > 0) throw tooMany(wait)
    this.#left.giveBack(account)
  }

  /** Something was written for an account. */
  note(account: string): void {
    this.#left.take(account)
  }

  /** It was nobody's doing but ours or a worker's. */
  excuse(account: string): void {
    this.#left.giveBack(account)
  }

  /** An account was charged. */
  restore(account: string): void {
    this.#left.giveBack(account, BY_A_CHARGE)
  }
}

/** The ledger as requests may use it: each reservation counts until it is charged, or ends without being its client's fault. */
export function boundUncharged(ledger: DispatchLedger, uncharged: Uncharged): DispatchLedger {
  /** By request id: whose it is. */
  const running = new Map<string, string>()
  const end = (requestId: string, tell: (account: string) => void) => {
    const account = running.get(requestId)
    if (account !== undefined && running.delete(requestId)) tell(account)
  }
  return {
    demandPayable: (request) => {
      // What costs nothing anybody can pay: no place in the queue for whoever has had enough of it.
      uncharged.demand(request.key)
      ledger.demandPayable(request)
    },
    hold: async (request) => {
      const { requestId, key } = request
      uncharged.demand(key)
      const held = await ledger.hold(request)
      uncharged.note(key)
      running.set(requestId, key)
      // Its id was used by a former process: nothing was written, and nothing ends.
      held.durable.catch(() => running.delete(requestId))
      return held
    },
    assign: (requestId, worker) => ledger.assign(requestId, worker),
    charge: async (request, reason = '') => {
      const result = await ledger.charge(request, reason)
      end(request.requestId, (account) => {
        if (result.clientCharge > 0n) uncharged.restore(account)
        else if (!BY_CLIENT.test(reason)) uncharged.excuse(account)
      })
      return result
    },
    release: async (requestId, reason) => {
      end(requestId, (account) => {
        if (!BY_CLIENT.test(reason)) uncharged.excuse(account)
      })
      return await ledger.release(requestId, reason)
    },
    openReservations: () => ledger.openReservations(),
  }
}

function tooMany(waitMs: number) {
  const seconds = Math.ceil(waitMs / 1000)
  return rateLimited(
    `Too many requests of this API key or channel cost nothing: refused by a worker, broken off, tokens counted only, or vouchers that nothing was charged on. Retry in ${seconds} s; each request that is charged makes room for two.`,
    seconds,
    'uncharged_requests',
  )
}
