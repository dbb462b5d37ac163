import { fromHex } from '../../../attest/bytes.ts'
import {
  type ReceiptBody,
  ReceiptError,
  receiptDigest,
  verifyReceipt,
} from '../../../attest/receipt/index.ts'
import { same, type Tell } from './differences.ts'
import type { RequestRow } from './pages.ts'

/** Checks a request against its receipt, its entries and its vouchers. */
export function checkRequest(row: RequestRow, tell: Tell): void {
  const about = `request ${row.requestId}`
  if (row.keyChannel === null) tell(about, `its API key ${row.key} is not in the ledger`)
  // Keys may move to another channel; the account of a channel stays with it.
  else if (row.key.startsWith('chan_'))
    same(tell, about, 'the channel of its account', row.keyChannel, row.channel)
  if (row.state === 'charged') checkCharged(row, about, tell)
  else checkUncharged(row, about, tell)
}

function checkUncharged(row: RequestRow, about: string, tell: Tell): void {
  const { state, reason, endedAt } = row
  const left = Object.entries({
    'a receipt': row.payload,
    'an entry of a charge': row.chargeEntry.channel,
    'an entry of an earning': row.earnEntry.channel,
    'a client charge': row.clientCharge,
    'a worker charge': row.workerCharge,
    'a worker’s channel': row.workerChannel,
    'a client ceiling': row.clientCeiling,
    'a worker ceiling': row.workerCeiling,
    'an amount owed': row.workerOwed,
  }).filter(([, value]) => value !== null)
  for (const [what] of left) tell(about, `is ${state} and has ${what}`)
  const ended = state === 'released'
  if ((reason !== null) !== ended) tell(about, `is ${state} and has ${ended ? 'no' : 'a'} reason`)
  if ((endedAt !== null) !== ended) tell(about, `is ${state} and has ${ended ? 'no' : 'an'} end`)
}

function checkCharged(row: RequestRow, about: string, tell: Tell): void {
  const { clientCharge, workerCharge, chargeEntry, earnEntry } = row
  if (row.endedAt === null) tell(about, 'is charged and has no end')
  if (row.reason !== null) tell(about, 'is charged and has a reason')
  if (clientCharge === null || clientCharge > row.maxCharge) {
    tell(about, `is charged ${clientCharge}, and ${row.maxCharge} were reserved`)
  }
  same(tell, about, 'the amount of its charge entry', chargeEntry.amount, clientCharge)
  same(tell, about, 'the channel of its charge entry', chargeEntry.channel, row.channel)
  same(tell, about, 'the amount of its earning entry', earnEntry.amount, workerCharge)
  same(tell, about, 'the channel of its earning entry', earnEntry.channel, row.workerChannel)
  if (row.clientCeiling !== 0n && row.clientVoucher === null) {
    tell(about, `there is no voucher of channel ${row.channel} over ${row.clientCeiling}`)
  }
  if (row.workerCeiling !== 0n && row.workerVoucher === null) {
    tell(about, `there is no voucher of channel ${row.workerChannel} over ${row.workerCeiling}`)
  }
  if (row.workerOwed === null || row.workerOwed < 0n) tell(about, `owes ${row.workerOwed}`)
  const body = readReceipt(row, about, tell)
  if (!body) return
  same(tell, about, 'the request of its receipt', body.requestId, row.requestId)
  same(tell, about, 'its client charge', clientCharge, BigInt(body.clientCharge))
  same(tell, about, 'its worker charge', workerCharge, BigInt(body.workerCharge))
}

/** The receipt, if the worker that the request names has signed it. */
function readReceipt(row: RequestRow, about: string, tell: Tell): ReceiptBody | undefined {
  const { payload, signature, digest, workerId, workerChannel } = row
  if (payload === null || signature === null) {
    tell(about, 'is charged and has no receipt')
    return undefined
  }
  // Written by gateway/dispatch: the key that signs, and the channel that pays for it.
  const [, signingKey, paidOn] = /^([0-9a-f]{64})(?:\/(.+))?$/.exec(workerId) ?? []
  if (signingKey === undefined) {
    tell(about, 'its worker is not named by a signing key')
    return undefined
  }
  if (paidOn !== undefined) same(tell, about, 'the channel that its worker is paid on', workerChannel, paidOn)
  try {
    const body = verifyReceipt({ payload, signature }, fromHex(signingKey))
    same(tell, about, 'the digest of its receipt', digest, receiptDigest({ payload, signature }))
    return body
  } catch (error) {
    tell(about, error instanceof ReceiptError ? error.message : 'receipt: cannot be read')
    return undefined
  }
}
