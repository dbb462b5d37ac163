import { randomBytes } from 'node:crypto'
import { toHex } from '../../attest/bytes.ts'
import type { Book } from './book.ts'
import type { Committer } from './committer.ts'
import { LedgerError } from './errors.ts'
import { checkCount, checkId, checkLimits, checkText } from './input.ts'
import { accountOf, hashOfSecret, isKeySecret, KeyCache, KeyLookups, newKeySecret } from './keys.ts'
import type { ApiKey, KeyLimits } from './types.ts'
import type { FoundKey } from './wire.ts'

/** A replaced secret works for at most 30 days. */
const MOST_GRACE_MS = 30 * 86_400_000

/** An API key with its secret, which is given once and never again: only its SHA-256 is stored. */
export interface KeyWithSecret {
  key: ApiKey
  secret: string
}

/** The ledger's API keys, and the accounts that stand for keys where clients sign. What changes them is durable when resolved. */
export class ApiKeys {
  readonly #book: Book
  readonly #committer: Committer
  readonly #now: () => number
  readonly #cache = new KeyCache()
  readonly #lookups = new KeyLookups()
  #latest = 0

  /** @param now wall clock in ms, the ledger's */
  constructor(book: Book, committer: Committer, now: () => number) {
    this.#book = book
    this.#committer = committer
    this.#now = now
  }

  /**
   * Makes a key.
   *
   * @param options.secret a secret of `newKeySecret` that the caller has already kept; with one that is known, the
   *   key that it belongs to is given
   */
  async create(options: {
    name: string
    channel: string
    limits?: KeyLimits
    secret?: string
  }): Promise<KeyWithSecret> {
    const { name, channel, limits = {}, secret = newKeySecret() } = options
    checkText('name', name, 200)
    checkLimits(limits)
    checkSecret(secret)
    const id = `key_${toHex(randomBytes(12))}`
    const hash = hashOfSecret(secret)
    const command = { do: 'createKey', id, hash, name, channel, limits } as const
    const key = (await this.#committer.command(command)) as ApiKey
    this.#lookups.forget()
    return { key, secret }
  }

  /**
   * The key of a secret, if it exists and is not revoked. Limits, expiry too, are enforced by `Ledger.reserve`.
   *
   * @throws LedgerError `ERR_LEDGER_BUSY` when too many unknown secrets are being looked up
   */
  async find(secret: string): Promise<ApiKey | undefined> {
    if (!isKeySecret(secret)) return undefined
    const hash = hashOfSecret(secret)
    const now = this.#clock()
    const cached = this.#cache.byHash(hash, now)
    if (cached) return cached
    const found = await this.#lookups.find(
      hash,
      async () => (await this.#committer.query({ ask: 'keyByHash', hash, now })) as FoundKey | undefined,
    )
    return this.#keep(found?.key, { hash, until: found?.until })
  }

  /** A key that is kept in memory, at once: a reservation does not wait for what is known. */
  cached(id: string): ApiKey | undefined {
    return this.#cache.byId(id)
  }

  /** Reads a key into memory; undefined for one that is unknown or revoked. */
  async load(id: string): Promise<ApiKey | undefined> {
    return this.#keep(await this.#read(id))
  }

  /** Whether a key was revoked by this process; its answer holds from the call of `revoke` on. */
  isRevoked(id: string): boolean {
    return this.#cache.isRevoked(id)
  }

  /**
   * The account of a channel that its client signs: what stands for an API key in reservations, limits and receipts.
   * No secret finds it.
   *
   * @throws LedgerError `ERR_UNKNOWN_CHANNEL`, also for a channel that the gateway signs
   */
  async accountOf(channel: string): Promise<ApiKey> {
    const id = accountOf(channel)
    const known = this.#cache.byId(id)
    if (known) return known
    const key = (await this.#committer.command({ do: 'channelKey', id, channel })) as ApiKey
    if (key.revokedAt === null) this.#cache.put(key)
    return key
  }

  /**
   * Gives a key a new secret; id, limits and what is spent today stay. The old secret works for `graceMs` more, then
   * never again.
   *
   * @param options.secret a secret of `newKeySecret` that the caller has already kept
   * @throws LedgerError `ERR_UNKNOWN_KEY`, `ERR_KEY_REVOKED`
   */
  async rotate(
    id: string,
    { graceMs, secret = newKeySecret() }: { graceMs: number; secret?: string },
  ): Promise<KeyWithSecret> {
    checkCount('graceMs', graceMs, MOST_GRACE_MS, 0)
    checkSecret(secret)
    const hash = hashOfSecret(secret)
    const until = this.#clock() + graceMs
    const key = (await this.#committer.command({ do: 'rotateKey', id, hash, until })) as ApiKey
    this.#cache.drop(id)
    this.#lookups.forget()
    return { key, secret }
  }

  /** Puts these limits in the place of the ones that a key had. @throws LedgerError `ERR_UNKNOWN_KEY` */
  async setLimits(id: string, limits: KeyLimits): Promise<ApiKey> {
    checkLimits(limits)
    const key = (await this.#committer.command({ do: 'keyLimits', id, limits })) as ApiKey
    this.#cache.drop(id)
    return key
  }

  /** Revokes a key for good: from the call on it finds nothing and reserves nothing. @throws LedgerError `ERR_UNKNOWN_KEY` */
  async revoke(id: string): Promise<ApiKey> {
    this.#cache.revoke(id)
    return (await this.#committer.command({ do: 'revokeKey', id })) as ApiKey
  }

  /** From now on the keys of one client channel draw on another, as when a closed one was replaced. */
  async move(from: string, to: string): Promise<void> {
    await this.#committer.command({ do: 'moveKeys', from, to })
    this.#cache.clear()
  }

  /** A key by its id, revoked ones too. */
  async byId(id: string): Promise<ApiKey | undefined> {
    checkId('id', id)
    return await this.#read(id)
  }

  /** All keys, revoked ones too, oldest first. */
  async list(): Promise<ApiKey[]> {
    return (await this.#committer.query({ ask: 'keys' })) as ApiKey[]
  }

  /** Nanotons charged and held for a key's requests that began on this UTC day. */
  spentToday(id: string): bigint {
    return this.#book.spentToday(id, this.#now())
  }

  async #read(id: string): Promise<ApiKey | undefined> {
    return (await this.#committer.query({ ask: 'keyById', id })) as ApiKey | undefined
  }

  #keep(key: ApiKey | undefined, secret?: { hash: string; until: number | undefined }): ApiKey | undefined {
    if (!key || key.revokedAt !== null || this.#cache.isRevoked(key.id)) return undefined
    this.#cache.put(key, secret)
    return key
  }

  /** Ms; a clock that is set back gives no replaced secret its time again. */
  #clock(): number {
    this.#latest = Math.max(this.#latest, this.#now())
    return this.#latest
  }
}

function checkSecret(secret: string): void {
  if (!isKeySecret(secret)) throw new LedgerError('ERR_LEDGER_INPUT', 'secret: not of the form sk-chry-…')
}
