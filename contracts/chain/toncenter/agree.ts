/** When two providers' words are believed: pure. */

import { ContractsError } from '../../errors.ts'
import type { AccountSnapshot } from '../types.ts'
import type { Sighting } from './provider.ts'

function sameState(a: AccountSnapshot, b: AccountSnapshot): boolean {
  const hash = (cell: AccountSnapshot['code']) => cell?.hash().toString('hex')
  return (
    a.state === b.state &&
    a.balance === b.balance &&
    hash(a.code) === hash(b.code) &&
    hash(a.data) === hash(b.data)
  )
}

/** True if both are words about the same state of the account, true or not. */
function sameMoment(a: Sighting, b: Sighting): boolean {
  return a.account.lastLt === b.account.lastLt && a.lastHash === b.lastHash
}

/** True if no chain can show both. */
function contradict(a: Sighting, b: Sighting): boolean {
  if (sameMoment(a, b)) return !sameState(a.account, b.account)
  if (a.seqno === b.seqno || a.account.lastLt === b.account.lastLt) return true
  const [older, newer] = a.seqno < b.seqno ? [a, b] : [b, a]
  // Logical time only grows, until the account is deleted.
  return newer.account.lastLt < older.account.lastLt && newer.account.lastLt !== 0n
}

/**
 * Looks for the newest state that both providers have shown; each state has been the account's at some time after
 * the asking began. An account changes only by transactions, so that (lt, hash) of the last one names its state.
 * @returns undefined when one may merely lag: look again
 * @throws ContractsError ERR_CHAIN_DISAGREEMENT when both cannot be true
 */
export function agreed(
  first: Sighting[],
  second: Sighting[],
): { sighting: Sighting; seqno: number } | undefined {
  for (const a of first) {
    for (const b of second) {
      if (contradict(a, b)) throw disagreement(a.provider, b.provider, 'show different states of an account')
    }
  }
  const sighting = first.findLast((a) => second.some((b) => sameMoment(a, b)))
  const partner = second.findLast((b) => sighting && sameMoment(sighting, b))
  if (!sighting || !partner) return undefined
  // The lower block: a provider that invents numbers must not raise what is expected of the other.
  return { sighting, seqno: Math.min(sighting.seqno, partner.seqno) }
}

/** Two providers of which one must be wrong: there is no telling which. @param what they do, as a verb: `show …` */
export function disagreement(first: string, second: string, what: string): ContractsError {
  const message = `${first} and ${second} ${what}; neither is believed`
  return new ContractsError('ERR_CHAIN_DISAGREEMENT', message)
}

/**
 * Refuses a sighting that is not of now.
 * @param floor masterchain block that both providers have known before
 * @param nowMs this machine's time
 */
export function staleness(
  sighting: Sighting,
  floor: number,
  nowMs: number,
  maxSkewSeconds: number,
): ContractsError | undefined {
  const { provider, seqno, time } = sighting
  if (seqno < floor) {
    return new ContractsError(
      'ERR_CHAIN_STALE',
      `${provider}: shows block ${seqno}, after ${floor} was known`,
    )
  }
  const skew = Math.round(nowMs / 1000) - time
  if (Math.abs(skew) <= maxSkewSeconds) return undefined
  const side = skew > 0 ? 'behind' : 'ahead of'
  const message = `${provider}: ${Math.abs(skew)} s ${side} this machine's clock; one of the two is wrong`
  return new ContractsError('ERR_CHAIN_STALE', message)
}
