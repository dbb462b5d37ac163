/** @module What has to hold of payments that clients sign themselves. */

import type { Seen } from './asked.ts'
import type { RequestRow } from './books.ts'
import type { Aftermath, Counts } from './check.ts'

/** Codes by which a payment that was used is refused. */
const USED = ['payment_replayed', 'request_id_conflict']
/** Refusals of the payment itself; these clients sign all that is asked for, and nothing twice. */
const NOT_TAKEN =
  /^(payment_|channel_|stale_ceiling|price_above_amount|insufficient_quota|request_id_conflict)/

/**
 * Holds what came of captured payments against what their clients saw. A payment that was answered in any way is refused
 * for good. One that was not may never have arrived: when it is taken now that is its first time, and what came of it
 * stands in the place of what its client saw.
 */
export function onceDefects(
  { seen, replays }: Pick<Aftermath, 'seen' | 'replays'>,
  counts: Counts,
): { seen: Seen[]; defects: string[] } {
  const defects: string[] = []
  const again = new Map(replays.map((replay) => [replay.asked.number, replay]))
  const standing = seen.map((first) => {
    const replay = again.get(first.asked.number)
    if (!replay) return first
    if (replay.end === 'refused' && USED.includes(replay.said ?? '')) {
      counts.replayed += 1
      return first
    }
    if (first.requestId === undefined) {
      counts.late += 1
      return replay
    }
    const came = `${first.end} (${first.said}), then ${replay.end} (${replay.said}) with ${replay.tokens} tokens`
    defects.push(`request number ${first.asked.number}, ${came}: its payment was taken twice`)
    return first
  })
  return { seen: standing, defects }
}

/** Holds one paid request against what its client signed. */
export function paymentDefects({ payment, end, said, voucher }: Seen, row: RequestRow | undefined): string[] {
  if (!payment) return []
  const defects: string[] = []
  if (row && row.requestId !== payment.requestId)
    defects.push('the ledger knows it by another id than its own')
  if (row && row.clientCharge > payment.amount)
    defects.push(`charged for more than the ${payment.amount} signed`)
  if (payment.stingy && row) defects.push('more was held than was signed')
  if (payment.stingy && end === 'refused' && said === 'price_above_amount') return defects
  if (end === 'refused' && NOT_TAKEN.test(said ?? '')) defects.push('its payment was not taken')
  if (end !== 'refused' && voucher !== undefined && voucher < payment.ceiling)
    defects.push(`served, and its voucher over ${payment.ceiling} is not kept`)
  return defects
}

/** No voucher that a client was told of is lost, none is made up, and nothing is charged beyond one. */
export function voucherDefects({ seen, replays, signed, after }: Aftermath): string[] {
  return [...signed].flatMap(([id, highest]) => {
    const channel = after.channels.find((each) => each.id === id)
    if (!channel) return [`channel ${id}: paid on, and not in the ledger`]
    const { ceiling, charged } = channel
    const lost = [...seen, ...replays].find(
      ({ payment, voucher }) => payment?.channel === id && voucher !== undefined && voucher > ceiling,
    )
    return [
      ...(lost ? [`channel ${id}: the gateway said it had ${lost.voucher}, and has ${ceiling}`] : []),
      ...(ceiling > highest ? [`channel ${id}: voucher over ${ceiling}, and ${highest} were signed`] : []),
      ...(charged > ceiling ? [`channel ${id}: ${charged} charged under a voucher over ${ceiling}`] : []),
    ]
  })
}
