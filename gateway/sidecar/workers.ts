/** The enclaves whose receipts count: those whose evidence is accepted, and those that a person names by their key. */

import { fromBase64, toHex } from '../../attest/bytes.ts'
import { askUrl } from '../../attest/cli/remote.ts'
import { faultsAbout } from '../../attest/evidence/answer.ts'
import type { Policy } from '../../attest/policy/index.ts'
import type { TrustedSigner } from './invoice.ts'

/** A gateway makes evidence on demand and counts it: an unknown key does not make us ask more often than this, ms. */
const ASK_EVERY_MS = 2_000

/** Finds an enclave by its signing key, hex; undefined when nothing that is accepted speaks for it. */
export interface WorkerKeys {
  find(key: string): Promise<TrustedSigner | undefined>
}

export interface AskedWorkersOptions {
  /** Where to ask for evidence. */
  gateway: URL
  /** What it has to meet. */
  policy: Policy
  /** Keys (hex) that a person trusts without evidence. */
  pinned?: readonly string[]
  /** Wall clock, ms. */
  now: () => number
  /** Told, by its code only, when nobody could be asked. */
  onFailure?: (error: unknown) => void
}

/** Asks the gateway for the evidence of its workers, over a nonce of our own, whenever a new key turns up. */
export class AskedWorkers implements WorkerKeys {
  readonly #options: AskedWorkersOptions
  readonly #known = new Map<string, TrustedSigner>()
  #asking: Promise<void> | undefined
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(options: AskedWorkersOptions) {
    this.#options = options
    for (const key of options.pinned ?? []) this.#known.set(key, { key: Buffer.from(key, 'hex') })
  }

  async find(key: string): Promise<TrustedSigner | undefined> {
    if (!this.#known.has(key)) await this.ask()
    return this.#known.get(key)
  }

  /** Learns the workers that are there now. Never rejects: who could not be asked is not known. */
  ask(): Promise<void> {
    this.#asking ??= this.#ask()
      .catch((error: unknown) => this.#options.onFailure?.(error))
      .finally(() => {
        this.#asking = undefined
      })
    return this.#asking
  }

  async #ask(): Promise<void> {
    const { gateway, policy, now } = this.#options
    if (performance.now() - this.#askedAt < ASK_EVERY_MS) return
    this.#askedAt = performance.now()
    const { judged } = await askUrl(gateway.origin, { policy, now })
    for (const one of judged) {
      const { verdict, role } = one
      // A worker that stands under another's name, or is there twice, is not believed.
      if (role !== 'worker' || !verdict?.claims || faultsAbout(one, judged).length > 0) continue
      const key = fromBase64(verdict.claims.signingKey)
      this.#known.set(toHex(key), { key, proven: { tee: verdict.tee, models: verdict.claims.models } })
    }
  }
}
