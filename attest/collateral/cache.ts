/**
 * Keeps collateral between quotes: refreshed before it ends, one request at a time, old only if said aloud, and never
 * replaced by older.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { toHex, utf8 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { inDate, type Validity } from './check.ts'
import { CollateralError } from './errors.ts'
import { olderParts } from './older.ts'
import type { ObtainedCollateral, Subject } from './source.ts'

const HOUR = 3_600_000

export interface CacheOptions {
  /** Where answers outlive the process. What it holds is checked again when it is read. */
  store?: CollateralStore
  /** Age at which newer collateral is asked for, ms. Default 12 hours: lists of revoked platforms change any day. */
  refreshAfterMs?: number
  /** How long before the first of its parts ends newer collateral is asked for, ms. Default 24 hours. */
  refreshBeforeMs?: number
  /** How long after a refresh was due the old may be handed out when there is no newer, ms. Default 48 hours. */
  staleLimitMs?: number
  /** How long after a failed refresh the next one is tried, ms. Default one minute. */
  retryAfterMs?: number
  /** For how many platforms a source is asked at once. Default 8. */
  maxInFlight?: number
  /** Told when the store does not work; obtaining collateral goes on. */
  warn?: (message: string) => void
}

/** Something that keeps collateral by key (`[a-z0-9.]`, at most 64 characters). */
export interface CollateralStore {
  /** Undefined when there is none, or none that can be read. */
  read(key: string): Promise<ObtainedCollateral | undefined>
  write(key: string, entry: ObtainedCollateral): Promise<void>
}

/** Collateral that a source gave and that was checked. */
export interface Fetched {
  collateral: Collateral
  validity: Validity
}

/** What the cache is filled from. */
export interface Origin {
  fetch(subject: Subject): Promise<Fetched>
  /** Checks what a store gave back. Throws ChrysalisError. */
  check(collateral: Collateral, subject: Subject): Promise<Validity>
}

interface Kept {
  entry: ObtainedCollateral
  validity: Validity
  /** When the last refresh failed, ms, and why. */
  failed?: { at: number; because: string }
}

const MAX_KEPT = 64

export class CollateralCache {
  readonly #source: string
  readonly #origin: Origin
  readonly #now: () => number
  readonly #settings: Required<Omit<CacheOptions, 'store'>>
  readonly #store: CollateralStore | undefined
  readonly #kept = new Map<string, Kept>()
  readonly #flights = new Map<string, Promise<ObtainedCollateral>>()
  #fetching = 0

  /** @param source names where the collateral is from; part of the key, as two sources may disagree. */
  constructor(
    source: string,
    origin: Origin,
    { now, cache }: { now: () => number; cache?: CacheOptions | false },
  ) {
    const { store, ...settings } = cache || {}
    this.#source = source
    this.#origin = origin
    this.#now = now
    this.#store = store
    this.#settings = {
      refreshAfterMs: 12 * HOUR,
      refreshBeforeMs: 24 * HOUR,
      staleLimitMs: 48 * HOUR,
      retryAfterMs: 60_000,
      maxInFlight: 8,
      warn: () => {},
      ...settings,
    }
  }

  /** Collateral for this platform, never past its dates. Throws CollateralError. */
  async obtain(subject: Subject): Promise<ObtainedCollateral> {
    const key = keyOf(this.#source, subject)
    const kept = this.#kept.get(key)
    const now = this.#now()
    if (kept !== undefined && !this.#due(kept, now)) return kept.entry
    const stale = kept && this.#waiting(kept, now)
    if (stale !== undefined) return stale
    // Everyone who asks meanwhile waits for the one answer.
    const flight = this.#flights.get(key) ?? this.#start(key, subject)
    return flight
  }

  #start(key: string, subject: Subject): Promise<ObtainedCollateral> {
    const flight = this.#renew(key, subject).finally(() => this.#flights.delete(key))
    this.#flights.set(key, flight)
    return flight
  }

  async #renew(key: string, subject: Subject): Promise<ObtainedCollateral> {
    const kept = await this.#newest(key, subject)
    if (kept !== undefined && !this.#due(kept, this.#now())) return this.#remember(key, kept).entry
    try {
      const { collateral, validity } = await this.#fetch(subject)
      if (kept !== undefined) this.#requireNoOlder(collateral, kept)
      const entry = { collateral, source: this.#source, fetchedAt: this.#now() }
      this.#remember(key, { entry, validity })
      await this.#write(key, entry)
      return entry
    } catch (error) {
      if (!(error instanceof CollateralError) || kept === undefined) throw error
      const now = this.#now()
      const failed: Kept = { ...kept, failed: { at: now, because: error.message } }
      const stale = this.#stale(failed, now)
      if (stale === undefined) throw error
      this.#remember(key, failed)
      return stale
    }
  }

  /** Throws CollateralError when a part is older than what is kept, which may still be revoked or out of date in it. */
  #requireNoOlder(collateral: Collateral, { entry }: Kept): void {
    const { parts, lapsed } = olderParts(collateral, entry.collateral, this.#now())
    const problem = `${this.#source} gave older collateral than before: ${[...parts, ...lapsed].join(', ')}`
    if (parts.length === 0 && lapsed.length === 0) return
    if (parts.length === 0) {
      this.#settings.warn(`${problem}; it is taken, because what it is compared with has run out`)
      return
    }
    throw new CollateralError('ERR_COLLATERAL_ANSWER', problem)
  }

  async #fetch(subject: Subject): Promise<Fetched> {
    if (this.#fetching >= this.#settings.maxInFlight) {
      const problem = `collateral for ${this.#fetching} platforms is being fetched already: try again`
      throw new CollateralError('ERR_COLLATERAL_BUSY', problem)
    }
    this.#fetching++
    try {
      return await this.#origin.fetch(subject)
    } finally {
      this.#fetching--
    }
  }

  /** What memory holds, or the store if that is newer (from another process, or an earlier life). */
  async #newest(key: string, subject: Subject): Promise<Kept | undefined> {
    const kept = this.#kept.get(key)
    const stored = await this.#read(key)
    if (stored === undefined) return kept
    try {
      const validity = await this.#origin.check(stored.collateral, subject)
      if (kept !== undefined && !this.#replaces(stored, kept.entry)) return kept
      return { entry: { ...stored, source: this.#source }, validity }
    } catch (error) {
      if (!(error instanceof ChrysalisError)) throw error
      this.#settings.warn(`kept collateral is not used: ${error.message}`)
      return kept
    }
  }

  /** Whether no part of what is stored is older, and it was fetched later or has a newer part. */
  #replaces(stored: ObtainedCollateral, { collateral, fetchedAt }: ObtainedCollateral): boolean {
    const now = this.#now()
    const [older] = olderParts(stored.collateral, collateral, now).parts
    if (older === undefined)
      return stored.fetchedAt > fetchedAt || olderParts(collateral, stored.collateral, now).parts.length > 0
    if (stored.fetchedAt >= fetchedAt) this.#settings.warn(`kept collateral is not used: ${older}`)
    return false
  }

  #remember(key: string, kept: Kept): Kept {
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const oldest = this.#kept.keys().next()
    if (this.#kept.size > MAX_KEPT && oldest.value !== undefined) this.#kept.delete(oldest.value)
    return kept
  }

  #dueAt({ entry, validity }: Kept): number {
    const { refreshAfterMs, refreshBeforeMs } = this.#settings
    return Math.min(entry.fetchedAt + refreshAfterMs, validity.until - refreshBeforeMs)
  }

  #due(kept: Kept, now: number): boolean {
    const { fetchedAt } = kept.entry
    // A clock that went back may not prolong anything.
    if (now < fetchedAt || !inDate(kept.validity, now)) return true
    // What arrives with its end near is not asked for again at every quote.
    return now >= Math.max(this.#dueAt(kept), fetchedAt + this.#settings.retryAfterMs)
  }

  /** The old collateral with the reason, until the next try is due. */
  #waiting(kept: Kept, now: number): ObtainedCollateral | undefined {
    if (kept.failed === undefined) return undefined
    const soon = now >= kept.failed.at && now < kept.failed.at + this.#settings.retryAfterMs
    return soon ? this.#stale(kept, now) : undefined
  }

  #stale(kept: Kept, now: number): ObtainedCollateral | undefined {
    const until = Math.min(this.#dueAt(kept) + this.#settings.staleLimitMs, kept.validity.until)
    if (kept.failed === undefined || now > until || !inDate(kept.validity, now)) return undefined
    return { ...kept.entry, staleBecause: kept.failed.because }
  }

  async #read(key: string): Promise<ObtainedCollateral | undefined> {
    try {
      return await this.#store?.read(key)
    } catch (error) {
      this.#settings.warn(`kept collateral cannot be read: ${messageOf(error)}`)
      return undefined
    }
  }

  async #write(key: string, entry: ObtainedCollateral): Promise<void> {
    try {
      await this.#store?.write(key, entry)
    } catch (error) {
      this.#settings.warn(`collateral cannot be kept: ${messageOf(error)}`)
    }
  }
}

function keyOf(source: string, { fmspc, ca }: Subject): string {
  return `${fmspc}.${ca}.${toHex(sha256(utf8(source))).slice(0, 16)}`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown'
}
