import type { DispatchResponse } from '../../dispatch/index.ts'
import { keyReused, malformedKey, replayUnavailable } from './errors.ts'
import { SharedRun } from './shared-run.ts'

export interface IdempotencyOptions {
  /** How long a whole answer is kept, in ms; 0 shares only what still runs. */
  keepMs: number
  after: (ms: number, fn: () => void) => () => void
  /** Bytes of all answers together. */
  maxBytes?: number
  /** Answers that are kept, those that still run aside. */
  maxEntries?: number
}

/** What makes two requests the same one. */
export interface IdempotentRequest {
  /** Id of the API key: another key's requests are never the same. */
  account: string
  /** The header's value. */
  key: string
  /** Digest of path and body. */
  fingerprint: string
  /** Id of the execution, if this begins one. */
  requestId: string
}

interface Entry {
  readonly name: string
  readonly account: string
  readonly fingerprint: string
  readonly requestId: string
  readonly run: SharedRun
  bytes: number
  whole: boolean
  forget: () => void
}

/**
 * Executions by Idempotency-Key, in memory only: an answer is plaintext, and nothing of it is ever written down. Bounded
 * in bytes, number and age; when there is no room, the oldest answer of the account that holds the most makes it. An
 * execution that failed is forgotten at once, since what is asked for is an answer.
 */
export class IdempotencyStore {
  readonly #options: Required<IdempotencyOptions>
  /** In the order in which they were begun. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  constructor(options: IdempotencyOptions) {
    this.#options = { maxBytes: 64 * 1024 * 1024, maxEntries: 4096, ...options }
  }

  /** Executions that run or are kept. */
  get size(): number {
    return this.#entries.size
  }

  /** Bytes of answers that are held. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * The one execution of this request, begun now if there is none.
   *
   * @returns it, the id that its receipt has, and whether it was there before
   * @throws ApiError 400 for a malformed key, 409 for one of another request or of an answer that is no longer whole
   */
  run(
    request: IdempotentRequest,
    start: (signal: AbortSignal) => Promise<DispatchResponse>,
  ): { run: SharedRun; requestId: string; replayed: boolean } {
    if (!/^[\x21-\x7e]{1,255}$/.test(request.key)) throw malformedKey()
    const name = `${request.account} ${request.key}`
    const known = this.#entries.get(name)
    if (!known) return { ...this.#begin(name, request, start), replayed: false }
    if (known.fingerprint !== request.fingerprint) throw keyReused()
    if (!known.run.replayable) throw replayUnavailable()
    return { run: known.run, requestId: known.requestId, replayed: true }
  }

  #begin(
    name: string,
    { account, fingerprint, requestId }: IdempotentRequest,
    start: (signal: AbortSignal) => Promise<DispatchResponse>,
  ): Entry {
    const run = new SharedRun({
      // Cancelled: whoever comes from now on begins anew.
      start: (signal) => {
        signal.addEventListener('abort', () => this.#remove(entry))
        return start(signal)
      },
      onEnd: (whole) => this.#ended(entry, whole),
      onGrow: (bytes) => this.#grown(entry, bytes),
    })
    const entry: Entry = {
      name,
      account,
      fingerprint,
      requestId,
      run,
      bytes: 0,
      whole: false,
      forget: () => {},
    }
    this.#entries.set(name, entry)
    return entry
  }

  #ended(entry: Entry, whole: boolean): void {
    const { keepMs, maxEntries, after } = this.#options
    if (this.#entries.get(entry.name) !== entry) return
    if (!whole || keepMs === 0) {
      this.#remove(entry)
      return
    }
    entry.whole = true
    entry.forget = after(keepMs, () => this.#remove(entry))
    while (this.#entries.size > maxEntries && this.#evict([...this.#entries.values()]));
  }

  #grown(entry: Entry, bytes: number): void {
    if (this.#entries.get(entry.name) !== entry) return
    entry.bytes += bytes
    this.#bytes += bytes
    while (this.#bytes > this.#options.maxBytes && this.#makeRoom());
  }

  /**
   * Whoever holds the most makes room, so that an account's answers are never forgotten for another's: by its oldest
   * whole answer, else by the beginning of the longest one that still runs. False when there is nothing to let go.
   */
  #makeRoom(): boolean {
    const held = this.#heaviest([...this.#entries.values()])
    if (this.#evict(held)) return true
    const longest = held.toSorted((a, b) => b.bytes - a.bytes)[0]
    const freed = longest?.run.drop(this.#bytes - this.#options.maxBytes) ?? 0
    if (longest) this.#shrink(longest, freed)
    return freed > 0
  }

  /** Forgets the oldest whole answer of whoever has the most bytes of them; false when there is none. */
  #evict(entries: readonly Entry[]): boolean {
    const [victim] = this.#heaviest(entries.filter((entry) => entry.whole))
    if (victim) this.#remove(victim)
    return victim !== undefined
  }

  /** The entries of the account that has the most bytes of these, in the order in which they were begun. */
  #heaviest(entries: readonly Entry[]): Entry[] {
    const held = new Map<string, number>()
    for (const { account, bytes } of entries) held.set(account, (held.get(account) ?? 0) + bytes)
    const most = Math.max(...held.values())
    const heaviest = entries.find(({ account }) => held.get(account) === most)?.account
    return entries.filter(({ account }) => account === heaviest)
  }

  #shrink(entry: Entry, bytes: number): void {
    entry.bytes -= bytes
    this.#bytes -= bytes
  }

  /** Those who listen still get the rest. */
  #remove(entry: Entry): void {
    if (this.#entries.get(entry.name) !== entry) return
    this.#entries.delete(entry.name)
    entry.forget()
    this.#shrink(entry, entry.bytes)
  }
}
