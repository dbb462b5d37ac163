import type { Ledger } from '../ledger/index.ts'
import type { Treasury } from './treasury.ts'

/** The part of the ledger that requests go through. */
type RequestLedger = Pick<
  Ledger,
  'demandPayable' | 'hold' | 'assign' | 'charge' | 'release' | 'openReservations'
>

/**
 * The ledger as requests may use it: a channel that was out of sight for too long holds nothing for new ones. What
 * runs is charged all the same.
 */
export function whileSeen(ledger: RequestLedger, treasury: Pick<Treasury, 'demandSeen'>): RequestLedger {
  return {
    demandPayable: (request) => ledger.demandPayable(request),
    hold: async (request) => {
      await treasury.demandSeen(request.channel)
      return await ledger.hold(request)
    },
    assign: (requestId, worker) => ledger.assign(requestId, worker),
    charge: (request) => ledger.charge(request),
    release: (requestId, reason) => ledger.release(requestId, reason),
    openReservations: () => ledger.openReservations(),
  }
}
