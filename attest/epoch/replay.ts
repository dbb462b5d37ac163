/**
 * What one epoch has already accepted (DESIGN section 4, "Replay"). Entries live as long as the epoch's key and
 * are never evicted: a full set refuses. Only the stored response bytes are bounded by dropping the oldest.
 */

import { toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'

/** One accepted request and, while room lasts, the ciphertext that answered it. */
export class ReplayEntry {
  readonly requestHash: Uint8Array
  #chunks: Uint8Array[] | undefined = []
  #bytes = 0
  #complete = false
  readonly #store: ResponseStore

  constructor(requestHash: Uint8Array, store: ResponseStore) {
    this.requestHash = requestHash
    this.#store = store
  }

  /** Keeps one wire unit of the response. */
  record(chunk: Uint8Array): void {
    if (this.#chunks === undefined || this.#complete) return
    if (!this.#store.reserve(this, this.#bytes, chunk.length)) {
      this.drop()
      return
    }
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  /** Marks the response as whole, so that a repeat may have it. */
  finish(): void {
    this.#complete = true
  }

  /** Marks the response as given up: there is nothing to repeat. */
  abandon(): void {
    this.#complete = true
    this.drop()
  }

  /** Forgets the stored bytes, never the entry. */
  drop(): void {
    this.#store.release(this, this.#bytes)
    this.#chunks = undefined
    this.#bytes = 0
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The whole stored response, `undefined` when it is still running or was not kept. */
  get response(): readonly Uint8Array[] | undefined {
    return this.#complete ? this.#chunks : undefined
  }

  /** Whether the response is still being made. */
  get running(): boolean {
    return !this.#complete
  }
}

/** Byte budget shared by the entries of one set; the oldest response goes first. */
class ResponseStore {
  readonly #limit: number
  readonly #perResponse: number
  readonly #entries = new Set<ReplayEntry>()
  #used = 0

  constructor(limit: number, perResponse: number) {
    this.#limit = limit
    this.#perResponse = Math.min(perResponse, limit)
  }

  reserve(entry: ReplayEntry, held: number, more: number): boolean {
    if (held + more > this.#perResponse) return false
    this.#entries.add(entry)
    for (const oldest of this.#entries) {
      if (this.#used + more <= this.#limit) break
      if (oldest !== entry) oldest.drop()
    }
    if (this.#used + more > this.#limit) return false
    this.#used += more
    return true
  }

  release(entry: ReplayEntry, bytes: number): void {
    if (this.#entries.delete(entry)) this.#used -= bytes
  }
}

/** Bounds of one epoch's replay set. */
export interface ReplayLimits {
  /** Requests that one epoch accepts; beyond it every new request is refused. */
  readonly capacity: number
  /** Bytes of stored responses in all. */
  readonly storeBytes: number
  /** Bytes of one stored response; a longer one is not kept. */
  readonly responseBytes: number
}

export const DEFAULT_REPLAY_LIMITS: ReplayLimits = {
  capacity: 262_144,
  storeBytes: 32 * 1024 * 1024,
  responseBytes: 1024 * 1024,
}

/** The replay set of one epoch, keyed by SHA-256(enc || h). */
export class ReplaySet {
  readonly #capacity: number
  readonly #store: ResponseStore
  readonly #entries = new Map<string, ReplayEntry>()
  #erased = false

  constructor(limits: ReplayLimits = DEFAULT_REPLAY_LIMITS) {
    this.#capacity = limits.capacity
    this.#store = new ResponseStore(limits.storeBytes, limits.responseBytes)
  }

  get size(): number {
    return this.#entries.size
  }

  /** Whether no further request fits; true for good once erased. */
  get full(): boolean {
    return this.#erased || this.#entries.size >= this.#capacity
  }

  find(key: Uint8Array): ReplayEntry | undefined {
    return this.#entries.get(toHex(key))
  }

  /** Adds an entry that is not there yet; the caller has looked and knows that there is room. */
  insert(key: Uint8Array, requestHash: Uint8Array): ReplayEntry {
    if (this.full) throw new ChrysalisError('ERR_REPLAY_SET', 'the replay set is full')
    const name = toHex(key)
    if (this.#entries.has(name)) throw new ChrysalisError('ERR_REPLAY_SET', 'the replay key is already there')
    const entry = new ReplayEntry(requestHash, this.#store)
    this.#entries.set(name, entry)
    return entry
  }

  /** Forgets everything and accepts nothing more. Running responses go on without being kept. */
  erase(): void {
    this.#erased = true
    for (const entry of this.#entries.values()) entry.drop()
    this.#entries.clear()
  }
}

/**
 * The (payer key, requestId) pairs used of late, over all epochs: an identifier buys one execution, also when its
 * second seal comes in the next epoch. Kept for a fixed time on the monotonic clock; a full set refuses.
 */
export class UsedRequests {
  readonly #capacity: number
  readonly #keepMs: number
  readonly #monotonic: () => number
  readonly #until = new Map<string, number>()

  constructor(options: { capacity: number; keepMs: number; monotonic: () => number }) {
    this.#capacity = options.capacity
    this.#keepMs = options.keepMs
    this.#monotonic = options.monotonic
  }

  /** Whether the pair was used within the keeping time. */
  has(payer: string, requestId: string): boolean {
    this.#prune()
    return this.#until.has(pairKey(payer, requestId))
  }

  get full(): boolean {
    this.#prune()
    return this.#until.size >= this.#capacity
  }

  add(payer: string, requestId: string): void {
    this.#until.set(pairKey(payer, requestId), this.#monotonic() + this.#keepMs)
  }

  clear(): void {
    this.#until.clear()
  }

  // Insertion order is expiry order, since the keeping time is fixed.
  #prune(): void {
    const now = this.#monotonic()
    for (const [key, until] of this.#until) {
      if (until > now) return
      this.#until.delete(key)
    }
  }
}

function pairKey(payer: string, requestId: string): string {
  return `${payer} ${requestId}`
}
