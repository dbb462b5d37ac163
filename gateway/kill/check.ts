/** @module What has to hold after a trial: what clients saw against what they were billed, and all books against each other. */

import { numberOf, PRICE, PROMPT_TOKENS, type Seen } from './asked.ts'
import type { Books, EarnedRow, RequestRow } from './books.ts'
import { onceDefects, paymentDefects, voucherDefects } from './check-payments.ts'

/** A partial receipt is signed this often, in tokens (worker/enclave/receipts.ts): so much of a stream a worker can lose. */
const RECEIPT_TOKENS = 64
/** With the gateway goes also what it had not granted again: at most a window of frames, of one token each here. */
const WINDOW_TOKENS = 64

/** Everything that one trial left behind. */
export interface Aftermath {
  readonly seen: readonly Seen[]
  /** What came of each signed payment when it was sent once more after the restart. */
  readonly replays: readonly Seen[]
  /** Address of each channel that a client signs on, and the highest ceiling that it ever signed. */
  readonly signed: ReadonlyMap<string, bigint>
  /** What the ledger reserves for request number 0. */
  readonly ofNumber0: bigint
  /** The ledger before the trial and after it. */
  readonly before: Books
  readonly after: Books
  readonly earnings: { readonly waiting: number; readonly channels: readonly EarnedRow[] }
  readonly difference: string | undefined
  /** Unix ms at which the killed process was gone. */
  readonly killedAt: number
  readonly gatewayKilled: boolean
  /** Ends that nobody asked for, and what the processes logged as errors. */
  readonly faults: readonly string[]
}

/** What was found, as sentences, and what was counted. */
export interface Verdict {
  readonly defects: string[]
  readonly counts: Counts
}

/** Sums over requests. */
export type Counts = { [key in (typeof COUNTED)[number]]: number }

/**
 * `requests`: rows of the ledger. `acknowledged`: charges that a client was told of by the end of its answer. `cut`: answers
 * that a kill cut, with the tokens of them that arrived and that were billed. `untold`: charges that were committed just
 * before the kill, so that their client did not get the end. `released`: let go without a charge. `signed`: paid for by a
 * signature of the client. `replayed`: payments that were sent once more after the restart, and refused. `late`: such as had
 * not been answered before, and were taken then.
 */
export const COUNTED = [
  'requests',
  'acknowledged',
  'cut',
  'cutTokens',
  'cutBilled',
  'untold',
  'released',
  'signed',
  'replayed',
  'late',
] as const

export function noCounts(): Counts {
  return Object.fromEntries(COUNTED.map((key) => [key, 0])) as Counts
}

export function check(aftermath: Aftermath): Verdict {
  const { before, after, ofNumber0 } = aftermath
  const defects: string[] = [...aftermath.faults]
  const rows = [...after.requests.values()].filter(({ requestId }) => !before.requests.has(requestId))
  const byNumber = new Map<number, RequestRow>()
  for (const row of rows) {
    const number = numberOf(row.maxCharge, ofNumber0)
    if (byNumber.has(number)) defects.push(`two reservations for the request number ${number}`)
    byNumber.set(number, row)
    defects.push(...rowDefects(row))
  }
  const counts = { ...noCounts(), requests: rows.length }
  const once = onceDefects(aftermath, counts)
  defects.push(...once.defects)
  for (const seen of once.seen) {
    const row = byNumber.get(seen.asked.number)
    byNumber.delete(seen.asked.number)
    defects.push(
      ...[...billDefects(seen, row, aftermath, counts), ...paymentDefects(seen, row)].map(
        (text) => `${describe(seen, row)}: ${text}`,
      ),
    )
    if (row && seen.payment) counts.signed += 1
  }
  for (const { requestId } of byNumber.values()) defects.push(`${requestId}: nobody asked for it`)
  defects.push(...lostDefects(before, after), ...bookDefects(aftermath), ...voucherDefects(aftermath))
  return { defects, counts }
}

/** Tokens of the answer that a row bills; the prompt is billed with the first of them. */
function billedTokens({ clientCharge }: RequestRow): number {
  return clientCharge === 0n ? 0 : Number(clientCharge) / PRICE.client - PROMPT_TOKENS
}

function rowDefects({ requestId, state, charges, clientCharge, workerCharge }: RequestRow): string[] {
  const defects: string[] = []
  if (state === 'open') defects.push(`${requestId}: still open`)
  if (charges !== (state === 'charged' ? 1 : 0))
    defects.push(`${requestId}: ${state} with ${charges} charges`)
  if (clientCharge * BigInt(PRICE.worker) !== workerCharge * BigInt(PRICE.client))
    defects.push(`${requestId}: client charged ${clientCharge}, worker paid ${workerCharge}`)
  return defects
}

/** Holds one bill against what its client saw. */
function billDefects(
  seen: Seen,
  row: RequestRow | undefined,
  aftermath: Aftermath,
  counts: Counts,
): string[] {
  const { asked, end, tokens } = seen
  const billed = row ? billedTokens(row) : 0
  if (row?.state === 'released') counts.released += 1
  switch (end) {
    case 'done':
      counts.acknowledged += 1
      if (tokens !== asked.script.tokens) return ['the answer is not whole, and ends well']
      return billed === tokens ? [] : ['acknowledged, and billed otherwise']
    case 'refused':
      return billed === 0 ? [] : ['refused, and billed']
    case 'left':
      // What was under way to a client that hung up counts as delivered.
      return billed <= asked.script.tokens
        ? shortDefects(seen, row, billed, aftermath)
        : ['left, and billed for more']
    case 'error':
    case 'cut':
      counts.cut += 1
      counts.cutTokens += tokens
      counts.cutBilled += billed
      return cutDefects(seen, row, billed, aftermath, counts)
  }
}

function cutDefects(
  seen: Seen,
  row: RequestRow | undefined,
  billed: number,
  aftermath: Aftermath,
  counts: Counts,
): string[] {
  const { asked, tokens, requestId } = seen
  if (!row) return requestId !== undefined && tokens > 0 ? ['shown, and not in the ledger'] : []
  // Committed, and the process died before it could say so: nobody can tell this from an end that was told.
  if (billed === asked.script.tokens && tokens < billed && row.endedAt <= aftermath.killedAt) {
    counts.untold += 1
    return []
  }
  if (billed > tokens)
    return [`billed for more than arrived${row.clientCharge > 0n && tokens === 0 ? ' (nothing)' : ''}`]
  return asked.stream ? shortDefects(seen, row, billed, aftermath) : []
}

/** A worker may lose so much of a stream and no more. */
function shortDefects(
  { tokens }: Seen,
  row: RequestRow | undefined,
  billed: number,
  { gatewayKilled }: Aftermath,
): string[] {
  const losable = RECEIPT_TOKENS + (gatewayKilled ? WINDOW_TOKENS : 0)
  const short = tokens - billed > losable && row?.reason !== 'worker_never_returned'
  return short ? ['billed for less than its receipts cover'] : []
}

function describe({ asked, end, tokens, said }: Seen, row: RequestRow | undefined): string {
  const what = `${asked.stream ? 'stream' : 'whole answer'} of ${asked.script.tokens} tokens every ${asked.script.everyMs} ms`
  const bill = row
    ? `${row.state} ${row.reason ?? ''} ${row.clientCharge} (${billedTokens(row)} tokens)`
    : 'no row'
  return `${what}, ${end}${said ? ` (${said})` : ''} after ${tokens}, ${bill}`
}

/** Nothing that the ledger had before is gone or otherwise. */
function lostDefects(before: Books, after: Books): string[] {
  const defects: string[] = []
  for (const [id, then] of before.requests) {
    const now = after.requests.get(id)
    if (!now) defects.push(`${id}: lost from the ledger`)
    else if (then.state !== 'open' && (then.state !== now.state || then.clientCharge !== now.clientCharge))
      defects.push(`${id}: was ${then.state} ${then.clientCharge}, is ${now.state} ${now.clientCharge}`)
  }
  for (const then of before.channels) {
    const now = after.channels.find(({ id }) => id === then.id)
    if (!now || now.ceiling < then.ceiling || now.charged < then.charged)
      defects.push(
        `channel ${then.id}: was ${then.charged} of ${then.ceiling}, is ${now?.charged} of ${now?.ceiling}`,
      )
  }
  return defects
}

/** The ledger against itself, against the worker's file and against the chain. */
function bookDefects({ after, earnings, difference }: Aftermath): string[] {
  const defects: string[] = [...after.faults]
  if (difference !== '0') defects.push(`the balances differ by ${difference}`)
  if (earnings.waiting > 0) defects.push(`${earnings.waiting} receipts still wait at the worker`)
  for (const { channel, earned, ceiling, forgiven } of earnings.channels) {
    const ours = after.channels.find(({ id }) => id === channel)
    const sums = `gateway ${ours?.charged} with voucher ${ours?.ceiling}, worker ${earned} with voucher ${ceiling}`
    if (ours?.ceiling !== ceiling || ours.charged !== ceiling)
      defects.push(`the vouchers of a worker's channel differ: ${sums}`)
    else if (earned !== ceiling) defects.push(`the worker's books differ: ${sums}, ${forgiven} forgiven`)
  }
  return defects
}
