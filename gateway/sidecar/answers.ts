/** What the gateway's answers about the channel say, and what is said about them. */

import { printable } from '../../attest/inspect/text.ts'
import type { OwnAnswer, Totals } from './client.ts'
import { SidecarError } from './errors.ts'
import type { Invoice } from './invoice.ts'
import type { PaidRequest } from './state-file.ts'

/** Receipts of one page. */
export const PAGE = 100

interface Page {
  data: Invoice[]
  more: boolean
}

/** One page of the gateway's list. @throws SidecarError ERR_GATEWAY */
export function pageOf({ json }: OwnAnswer): Page {
  const { data, has_more: more } = (json ?? {}) as { data?: unknown; has_more?: unknown }
  if (!Array.isArray(data) || data.length > PAGE || typeof more !== 'boolean')
    throw new SidecarError('ERR_GATEWAY', 'the gateway’s list of receipts cannot be read')
  return { data: data.map((each) => (each ?? {}) as Invoice), more }
}

/** Whether the gateway has no books of the channel, and does not take it on either. */
export function isUnknown({ status, json }: OwnAnswer): boolean {
  const { error } = (json ?? {}) as { error?: { code?: unknown } }
  const code = String(error?.code)
  return status === 404 || (status === 402 && ['payment_required', 'channel_refused'].includes(code))
}

/** An answer with what was asked for, and totals beside it. @throws SidecarError ERR_GATEWAY */
export function demand(answer: OwnAnswer): OwnAnswer & { totals: Totals } {
  const { status, totals } = answer
  if (status === 200 && totals) return { ...answer, totals }
  const { error } = (answer.json ?? {}) as { error?: { message?: unknown } }
  const why = typeof error?.message === 'string' ? `: ${printable(error.message, 300)}` : ''
  const what = status === 200 ? 'says nothing of the channel' : `answers ${status}`
  throw new SidecarError('ERR_GATEWAY', `the gateway ${what}, asked about the channel${why}`)
}

/** The gateway owes a receipt. */
export function withheld({ requestId }: PaidRequest): SidecarError {
  return new SidecarError(
    'ERR_RECEIPT_WITHHELD',
    `receipt ${requestId}: the gateway answered the request and does not show its receipt`,
    { evidence: { requestId } },
  )
}

/** The gateway shows a voucher that this channel's key never signed. */
export function invented(voucher: NonNullable<Totals['voucher']>): SidecarError {
  return new SidecarError(
    'ERR_VOUCHER_INVENTED',
    `the gateway shows a voucher for ${voucher.signedMaxClaimable} nanotons that is not signed with this channel’s key`,
    { evidence: { voucher } },
  )
}
