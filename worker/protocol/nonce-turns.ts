/** Evidence over strangers' nonces, at which a TEE works for a while. */

import { toHex } from '../../attest/bytes.ts'
import type { EvidenceBundle } from '../../attest/evidence/index.ts'
import type { ApiError } from './errors.ts'

export interface NonceTurnsOptions {
  make(nonce: Uint8Array): Promise<EvidenceBundle>
  /** Nonces that may wait behind the one that is being made. */
  mostWaiting: number
  /** Of these, with the one being made, from one caller; all of them when absent. */
  mostOfOne?: number
  /** For whoever has to come back later. */
  busy(): ApiError
}

interface Turn {
  readonly bundle: Promise<EvidenceBundle>
  /** Of whoever asked first. */
  readonly caller: string
}

/** One nonce at a time, the same nonce once, a few in a row. */
export class NonceTurns {
  readonly #options: NonceTurnsOptions
  /** The nonce that is being made, and those that wait, by their hex. */
  readonly #turns = new Map<string, Turn>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: NonceTurnsOptions) {
    this.#options = options
  }

  /** @throws ApiError `busy` when this caller, or anybody, has to come back later */
  demandRoom(nonce: Uint8Array, caller: string): void {
    if (this.#turns.has(toHex(nonce))) return
    const { mostWaiting, mostOfOne = Number.POSITIVE_INFINITY, busy } = this.#options
    const own = [...this.#turns.values()].filter((turn) => turn.caller === caller)
    if (own.length < mostOfOne && this.#turns.size <= mostWaiting) return
    throw busy()
  }

  /** Evidence over this nonce (32 bytes), once it is its turn. @throws ApiError as demandRoom does */
  evidence(nonce: Uint8Array, caller: string): Promise<EvidenceBundle> {
    this.demandRoom(nonce, caller)
    const name = toHex(nonce)
    const turn = this.#turns.get(name)
    if (turn) return turn.bundle
    const bundle = this.#last.then(() => this.#options.make(nonce)).finally(() => this.#turns.delete(name))
    this.#last = bundle.catch(() => {})
    this.#turns.set(name, { bundle, caller })
    return bundle
  }
}
