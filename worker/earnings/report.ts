/** What a worker has earned, read from its file: beside a worker that runs, or when none does. */

import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { TokenCounts } from '../protocol/index.ts'
import { EarningsError } from './errors.ts'
import { type DayOfPay, type DayOfWork, toPay, toWork } from './history.ts'
import { requireVersion } from './schema.ts'
import { type ChannelAccount, toAccount } from './store.ts'
import { NO_TOKENS, plus } from './sums.ts'

/** What the rows of a report are. */
export type ReportBy = 'day' | 'model'

export interface ReportQuery {
  by: ReportBy
  /** First and last day, UTC, YYYY-MM-DD, both included. */
  from?: string | undefined
  to?: string | undefined
}

/** Sums. Amounts are nanotons. */
export interface ReportSums {
  requests: number
  /** In OpenAI's convention: prompt tokens include cached ones, completion tokens include reasoning. */
  tokens: TokenCounts
  /** Charges of receipts, of which `forgiven` was given up. */
  earned: bigint
  forgiven: bigint
  /** Promised by vouchers, and arrived; 0 in the row of a model: a voucher is for a channel, whatever the model. */
  vouchered: bigint
  settled: bigint
}

export interface ReportRow extends ReportSums {
  /** The day, or the model's id; empty for what came before, or what the file did not see. */
  name: string
}

export interface EarningsReport {
  by: ReportBy
  /** In order of their names. */
  rows: ReportRow[]
  /** Vouchers and settlements too. */
  total: ReportSums
  /** Every channel, as the worker saw it last; whatever the days asked for. */
  channels: ChannelAccount[]
}

/** What the file holds. */
export interface EarningsBooks {
  work: DayOfWork[]
  pay: DayOfPay[]
  channels: ChannelAccount[]
}

/**
 * Reads the file without changing it; a worker may be writing to it.
 * @throws EarningsError ERR_EARNINGS_ABSENT, ERR_EARNINGS_VERSION
 */
export function readBooks(file: string): EarningsBooks {
  if (!existsSync(file)) {
    throw new EarningsError(
      'ERR_EARNINGS_ABSENT',
      `${file} is not there: has a worker run on this data folder?`,
    )
  }
  const db = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    requireVersion(db, file)
    // One state of the file, not one for each table.
    db.exec('BEGIN')
    return {
      work: db.prepare('SELECT * FROM work ORDER BY day, model').all().map(toWork),
      pay: db.prepare('SELECT * FROM payments ORDER BY day, channel').all().map(toPay),
      channels: db.prepare("SELECT * FROM channels WHERE params <> '' ORDER BY address").all().map(toAccount),
    }
  } finally {
    db.close()
  }
}

/** Adds the books up by day or by model. */
export function makeReport(
  { work, pay, channels }: EarningsBooks,
  { by, from, to }: ReportQuery,
): EarningsReport {
  const asked = ({ day }: { day: string }) =>
    (from === undefined || day >= from) && (to === undefined || day <= to)
  const rows = new Map<string, ReportRow>()
  const total = emptySums()
  const row = (name: string): ReportRow => {
    const found = rows.get(name) ?? { name, ...emptySums() }
    rows.set(name, found)
    return found
  }
  for (const done of work.filter(asked)) {
    addWork(row(done[by]), done)
    addWork(total, done)
  }
  for (const paid of pay.filter(asked)) {
    if (by === 'day') addPay(row(paid.day), paid)
    addPay(total, paid)
  }
  const inOrder = [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return { by, rows: inOrder, total, channels }
}

function emptySums(): ReportSums {
  return { requests: 0, tokens: NO_TOKENS, earned: 0n, forgiven: 0n, vouchered: 0n, settled: 0n }
}

function addWork(sums: ReportSums, { requests, tokens, earned, forgiven }: DayOfWork): void {
  sums.requests += requests
  sums.tokens = plus(sums.tokens, tokens)
  sums.earned += earned
  sums.forgiven += forgiven
}

function addPay(sums: ReportSums, { vouchered, settled }: DayOfPay): void {
  sums.vouchered += vouchered
  sums.settled += settled
}
