/** One epoch: a key pair that lives for minutes, what it has accepted, and the claims that name it. */

import { equalBytes, toHex } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import { ChrysalisError } from '../errors.ts'
import { Decapsulations } from './decapsulations.ts'
import type { Exporter, KemKeyPair } from './kem.ts'
import { type ReplayLimits, ReplaySet, type UsedRequests } from './replay.ts'

/** Bytes of an epoch id. */
export const EPOCH_ID_BYTES = 16

/** epoch.id = SHA-256(publicKey)[0:16]. */
export function epochId(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(publicKey).slice(0, EPOCH_ID_BYTES)
}

/** An epoch as its owner holds it. The private key never leaves this object. */
export class Epoch {
  /** 32 hex digits. */
  readonly id: string
  /** X-Wing public key, 1216 bytes. */
  readonly publicKey: Uint8Array
  /** Wall time in ms, for the claims. */
  readonly notBefore: number
  /** Wall time in ms, for the claims. */
  readonly notAfter: number
  readonly replay: ReplaySet
  /** Shared by all epochs of one EpochKeys. */
  readonly usedRequests: UsedRequests
  #keyPair: KemKeyPair | undefined
  readonly #decapsulations = new Decapsulations()
  #claimsDigest: Uint8Array | undefined

  constructor(options: {
    keyPair: KemKeyPair
    notBefore: number
    notAfter: number
    replay?: ReplayLimits
    usedRequests: UsedRequests
  }) {
    this.#keyPair = options.keyPair
    this.publicKey = options.keyPair.publicKey
    this.id = toHex(epochId(this.publicKey))
    this.notBefore = options.notBefore
    this.notAfter = options.notAfter
    this.replay = new ReplaySet(options.replay)
    this.usedRequests = options.usedRequests
  }

  /**
   * Names the claims of this epoch (32 bytes). Nothing is opened before; a second, different digest is refused,
   * since the claims are fixed for one epoch.
   */
  bindClaims(digest: Uint8Array): void {
    if (digest.length !== 32) throw new ChrysalisError('ERR_CLAIMS_DIGEST', 'claimsDigest is 32 bytes')
    if (this.#claimsDigest !== undefined && !equalBytes(this.#claimsDigest, digest)) {
      throw new ChrysalisError(
        'ERR_EPOCH_BOUND',
        'the epoch already has other claims: make a new epoch for new claims',
      )
    }
    this.#claimsDigest = digest.slice()
  }

  /** Digest of the claims, once they are made. */
  get claimsDigest(): Uint8Array | undefined {
    return this.#claimsDigest
  }

  get erased(): boolean {
    return this.#keyPair === undefined
  }

  /** SetupBaseR with this epoch's key, or what it gave for these bytes before. Rejects once the key is erased, and on an invalid encapsulation. */
  async setup(enc: Uint8Array, info: Uint8Array): Promise<Exporter> {
    const keyPair = this.#keyPair
    if (keyPair === undefined) throw new ChrysalisError('ERR_EPOCH_ERASED', 'the epoch key is erased')
    return this.#decapsulations.of(enc, info, () => keyPair.setup(enc, info))
  }

  /** Drops the key and the replay set. Streams that are running hold their own keys and go on. */
  erase(): void {
    this.#keyPair = undefined
    this.#decapsulations.clear()
    this.replay.erase()
  }
}
