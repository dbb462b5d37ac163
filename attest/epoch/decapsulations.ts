import { toHex } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import type { Exporter } from './kem.ts'

/** Encapsulations whose exporters are kept for one epoch: live sessions of senders. The oldest used goes first. */
export const MOST_DECAPSULATIONS = 1024

/**
 * What an epoch's key made of the encapsulations of late, so that a sender's session is decapsulated once. It lives and
 * dies with the key: nothing in here says more than the key itself would.
 */
export class Decapsulations {
  readonly #kept = new Map<string, Promise<Exporter>>()
  readonly #most: number

  constructor(most: number = MOST_DECAPSULATIONS) {
    this.#most = most
  }

  /** The exporter of `enc` under `info`; `make` is called when it is not at hand. What failed is not kept. */
  of(enc: Uint8Array, info: Uint8Array, make: () => Promise<Exporter>): Promise<Exporter> {
    const name = toHex(sha256(enc, info))
    const known = this.#kept.get(name)
    const exporter = known ?? make()
    // Set anew, so that the order of the map is that of their last use.
    this.#kept.delete(name)
    this.#kept.set(name, exporter)
    if (known === undefined) this.#watch(name, exporter)
    return exporter
  }

  clear(): void {
    this.#kept.clear()
  }

  #watch(name: string, exporter: Promise<Exporter>): void {
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined && this.#kept.size > this.#most) this.#kept.delete(oldest)
    exporter.catch(() => {
      if (this.#kept.get(name) === exporter) this.#kept.delete(name)
    })
  }
}
