/** What a client needs beside a receipt to recompute its charge: the price list, and the token counts. */

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encodeQuote, type Quote, quoteDigest } from '../worker/protocol/index.ts'

/** Quotes that are kept. They change with prices, and with what workers ask. */
const MOST_QUOTES = 4096
/** Requests whose counts are kept. */
const MOST_COUNTS = 16_384

/** The counts that a receipt commits to, and what opens the commitment: for whoever paid alone. */
export interface OpenedCounts {
  details: Uint8Array
  blind: Uint8Array
}

/**
 * Receipts name their quote by its digest. Every quote that a worker was given is kept in a file of that name, so that
 * receipts can be checked after prices have changed. Counts are in memory only: they were sent to the client once, and
 * the oldest are forgotten first.
 */
export class ChargeProofs {
  readonly #dir: string | undefined
  readonly #quotes = new Map<string, Uint8Array>()
  readonly #counts = new Map<string, OpenedCounts>()

  /** @param dir folder of the quotes; absent: in memory only */
  constructor(dir?: string) {
    this.#dir = dir
    if (dir === undefined) return
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    for (const digest of readdirSync(dir)
      .filter((name) => /^[0-9a-f]{64}$/.test(name))
      .sort(byAge(dir))) {
      const bytes = new Uint8Array(readFileSync(join(dir, digest)))
      // Half a file of a crash is no quote of that name.
      if (quoteDigest(bytes) === digest) this.#quotes.set(digest, bytes)
    }
  }

  /** Keeps the quotes that a worker is about to be given. */
  keep(quotes: readonly Quote[]): void {
    for (const quote of quotes) {
      const bytes = encodeQuote(quote)
      const digest = quoteDigest(bytes)
      if (this.#quotes.has(digest)) continue
      const [oldest] = this.#quotes.keys()
      if (oldest !== undefined && this.#quotes.size >= MOST_QUOTES) this.#forget(oldest)
      this.#quotes.set(digest, bytes)
      if (this.#dir !== undefined) writeFileSync(join(this.#dir, digest), bytes, { mode: 0o600 })
    }
  }

  /** Keeps the counts of a request for a while. */
  note(requestId: string, counts: OpenedCounts): void {
    const [oldest] = this.#counts.keys()
    if (oldest !== undefined && this.#counts.size >= MOST_COUNTS) this.#counts.delete(oldest)
    this.#counts.set(requestId, counts)
  }

  quote(digest: string): Uint8Array | undefined {
    return this.#quotes.get(digest)
  }

  counts(requestId: string): OpenedCounts | undefined {
    return this.#counts.get(requestId)
  }

  #forget(digest: string): void {
    this.#quotes.delete(digest)
    if (this.#dir !== undefined) rmSync(join(this.#dir, digest), { force: true })
  }
}

function byAge(dir: string): (a: string, b: string) => number {
  const age = (name: string) => statSync(join(dir, name)).mtimeMs
  return (a, b) => age(a) - age(b)
}
