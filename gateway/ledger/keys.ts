import { createHash, randomBytes } from 'node:crypto'
import { toBase64Url } from '../../attest/bytes.ts'
import { LedgerError } from './errors.ts'
import type { ApiKey } from './types.ts'

const SECRET = /^sk-chry-[A-Za-z0-9_-]{43}$/

/** Makes the secret of a new API key: 256 random bits. */
export function newKeySecret(): string {
  return `sk-chry-${toBase64Url(randomBytes(32))}`
}

/** Whether a text has the form of a secret; whether it is one, only the file knows. */
export const isKeySecret = (text: string): boolean => SECRET.test(text)

/**
 * What is stored and looked up instead of the secret. One plain SHA-256 is enough for 256 random bits: nobody can
 * guess their way to them. A look-up by this hash tells by its time nothing of use about the secret.
 */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret, 'utf8').digest('hex')
}

/** Id of the account of a channel that its client signs. */
export const accountOf = (channel: string): string =>
  `chan_${createHash('sha256').update(channel).digest('hex').slice(0, 24)}`

/** A small cache of API keys by id and by hash, oldest out first, that never outlives a revocation. */
export class KeyCache {
  readonly #byHash = new Map<string, { key: ApiKey; until: number }>()
  readonly #byId = new Map<string, ApiKey>()
  readonly #revoked = new Set<string>()
  readonly #size: number

  constructor(size = 4096) {
    this.#size = size
  }

  /** @param now ms: a secret that was replaced finds nothing once its grace is over */
  byHash(hash: string, now: number): ApiKey | undefined {
    const found = this.#byHash.get(hash)
    return found && now < found.until ? found.key : undefined
  }

  byId(id: string): ApiKey | undefined {
    return this.#byId.get(id)
  }

  /**
   * Keeps a key that the database gave; the caller has seen that it is not revoked.
   *
   * @param secret what it was found by, and until when (ms) that finds it, if not for ever
   */
  put(key: ApiKey, secret?: { hash: string; until: number | undefined }): void {
    keep(this.#byId, key.id, key, this.#size)
    if (!secret) return
    keep(this.#byHash, secret.hash, { key, until: secret.until ?? Number.POSITIVE_INFINITY }, this.#size)
  }

  /** From now on the key is refused, also by answers of the database that are still on their way. */
  revoke(id: string): void {
    this.#revoked.add(id)
    this.drop(id)
  }

  /** Forgets what is kept of a key: its limits or its secret have changed. */
  drop(id: string): void {
    this.#byId.delete(id)
    for (const [hash, { key }] of this.#byHash) if (key.id === id) this.#byHash.delete(hash)
  }

  clear(): void {
    this.#byHash.clear()
    this.#byId.clear()
  }

  isRevoked(id: string): boolean {
    return this.#revoked.has(id)
  }
}

/** Look-ups of unknown secrets that the database works on at once, so that guesses hold up no commit. */
const MOST_ASKED = 8
/** Look-ups that may wait for their turn. */
const MOST_WAITING = 1024
/** Hashes that are remembered to belong to no key. */
const MOST_UNKNOWN = 4096

/** Asks the database for keys by the hash of their secret: few at a time, and not twice for one that it has not. */
export class KeyLookups {
  readonly #unknown = new Map<string, true>()
  readonly #waiting: (() => void)[] = []
  #asked = 0
  #generation = 0

  /** @throws LedgerError `ERR_LEDGER_BUSY` when too many wait */
  async find<T>(hash: string, ask: (hash: string) => Promise<T | undefined>): Promise<T | undefined> {
    if (this.#unknown.has(hash)) return undefined
    if (this.#asked >= MOST_ASKED) await this.#turn()
    else this.#asked += 1
    const generation = this.#generation
    try {
      const key = await ask(hash)
      if (!key && generation === this.#generation) keep(this.#unknown, hash, true, MOST_UNKNOWN)
      return key
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#asked -= 1
    }
  }

  /** A key was made: what was unknown may be known, also to answers that are still on their way. */
  forget(): void {
    this.#generation += 1
    this.#unknown.clear()
  }

  #turn(): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING)
      throw new LedgerError('ERR_LEDGER_BUSY', 'too many keys are being looked up')
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

function keep<T>(map: Map<string, T>, name: string, value: T, size: number): void {
  map.delete(name)
  map.set(name, value)
  if (map.size <= size) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
