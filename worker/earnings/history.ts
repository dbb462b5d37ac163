/** What was earned and paid on each day: sums only, nothing of a single request, a prompt or a client. */

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { TokenCounts } from '../protocol/index.ts'
import { NO_TOKENS, plus } from './sums.ts'

/** The work of one day on one model. Amounts are nanotons. */
export interface DayOfWork {
  /** UTC, YYYY-MM-DD; empty for what was earned before this file knew days. */
  day: string
  /** Empty for work that this file did not see, and for which a gateway paid. */
  model: string
  requests: number
  /** In OpenAI's convention: prompt tokens include cached ones, completion tokens include reasoning. */
  tokens: TokenCounts
  /** Charges of the receipts that were signed. */
  earned: bigint
  /** Of these, what was given up: parts of requests that a lost link cut short, which nobody paid. */
  forgiven: bigint
}

/** What came in on one channel on one day. Nanotons. */
export interface DayOfPay {
  day: string
  /** Raw address. */
  channel: string
  /** By how much the highest voucher rose. */
  vouchered: bigint
  /** What arrived on the payout address. */
  settled: bigint
}

/** The UTC day of a wall time in ms. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/**
 * The sums by day, in the earnings file. Every change is a part of the transaction around it.
 *
 * Exact token counts of a single request are the payer's business (receipts seal them), while whoever has the disk can
 * watch this file. So counts are added to it for `batch` requests at once; amounts, which receipts show anyway, at once.
 */
export class History {
  readonly #batch: number
  readonly #getWork: StatementSync
  readonly #putWork: StatementSync
  readonly #getPay: StatementSync
  readonly #putPay: StatementSync
  /** Tokens that are not in the file yet. */
  #waiting: Pick<DayOfWork, 'day' | 'model' | 'tokens'>[] = []
  #requests = 0

  constructor(db: DatabaseSync, batch: number) {
    this.#batch = batch
    this.#getWork = db.prepare('SELECT * FROM work WHERE day = ? AND model = ?')
    this.#putWork = db.prepare('INSERT OR REPLACE INTO work VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#getPay = db.prepare('SELECT * FROM payments WHERE day = ? AND channel = ?')
    this.#putPay = db.prepare('INSERT OR REPLACE INTO payments VALUES (?, ?, ?, ?)')
  }

  /** Adds work. `tokens` may wait for those of other requests. */
  addWork(day: string, model: string, change: Partial<Omit<DayOfWork, 'day' | 'model'>>): void {
    const { requests = 0, earned = 0n, forgiven = 0n, tokens } = change
    this.#requests += requests
    if (tokens) this.#waiting.push({ day, model, tokens })
    if (requests > 0 || earned !== 0n || forgiven !== 0n) {
      const row = this.#work(day, model)
      this.#write({
        ...row,
        requests: row.requests + requests,
        earned: row.earned + earned,
        forgiven: row.forgiven + forgiven,
      })
    }
    if (this.#requests >= this.#batch) this.addTokens()
  }

  /** Adds what a channel brought. */
  addPay(day: string, channel: string, { vouchered = 0n, settled = 0n }: Partial<DayOfPay>): void {
    const found = this.#getPay.get(day, channel)
    const row = found ? toPay(found) : { vouchered: 0n, settled: 0n }
    this.#putPay.run(day, channel, String(row.vouchered + vouchered), String(row.settled + settled))
  }

  /** Writes the tokens that wait, however few. */
  addTokens(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#requests = 0
    for (const { day, model, tokens } of waiting) {
      const row = this.#work(day, model)
      this.#write({ ...row, tokens: plus(row.tokens, tokens) })
    }
  }

  #work(day: string, model: string): DayOfWork {
    const row = this.#getWork.get(day, model)
    return row ? toWork(row) : { day, model, requests: 0, tokens: NO_TOKENS, earned: 0n, forgiven: 0n }
  }

  #write({ day, model, requests, tokens, earned, forgiven }: DayOfWork): void {
    const { promptTokens, cachedTokens, completionTokens, reasoningTokens } = tokens
    const counts = [requests, promptTokens, cachedTokens, completionTokens, reasoningTokens]
    this.#putWork.run(day, model, ...counts, String(earned), String(forgiven))
  }
}

/** A row of `work`. */
export function toWork(row: Record<string, unknown>): DayOfWork {
  return {
    day: String(row.day),
    model: String(row.model),
    requests: Number(row.requests),
    tokens: {
      promptTokens: Number(row.prompt),
      cachedTokens: Number(row.cached),
      completionTokens: Number(row.completion),
      reasoningTokens: Number(row.reasoning),
    },
    earned: BigInt(String(row.earned)),
    forgiven: BigInt(String(row.forgiven)),
  }
}

/** A row of `payments`. */
export function toPay(row: Record<string, unknown>): DayOfPay {
  return {
    day: String(row.day),
    channel: String(row.channel),
    vouchered: BigInt(String(row.vouchered)),
    settled: BigInt(String(row.settled)),
  }
}
