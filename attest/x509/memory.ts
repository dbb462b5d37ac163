/**
 * Remembers what is dear to work out and cannot change: the parse of a given text, and that one key signed one
 * object. Only successes are kept, dates and revocation never are, and everything is bounded.
 */

/** A map of bounded size that drops what was used longest ago. */
export class Bounded<T> {
  readonly #entries = new Map<string, T>()
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  /** The value for this key, made now if it is not remembered. What `make` throws is not remembered. */
  get(key: string, make: () => T): T {
    const known = this.#entries.get(key)
    const value = known ?? make()
    this.#entries.delete(key)
    this.#entries.set(key, value)
    const oldest = this.#entries.keys().next()
    if (this.#entries.size > this.#max && oldest.value !== undefined) this.#entries.delete(oldest.value)
    return value
  }

  /** Drops what is remembered under this key. */
  forget(key: string): void {
    this.#entries.delete(key)
  }
}

const proven = new WeakMap<object, WeakMap<object, Promise<void>>>()

/**
 * Runs a check of `subject` by `signer` unless the same two objects passed it before. Whoever asks while it runs waits
 * for the same run. What fails is forgotten.
 */
export function proveOnce(subject: object, signer: object, check: () => Promise<void>): Promise<void> {
  const by = proven.get(subject) ?? new WeakMap<object, Promise<void>>()
  const known = by.get(signer)
  if (known !== undefined) return known
  const proof = check()
  by.set(signer, proof)
  proven.set(subject, by)
  proof.catch(() => by.delete(signer))
  return proof
}

/**
 * Waits for checks that run side by side. Throws what the first of them in order threw, whichever was quicker, so that
 * the same evidence is always refused for the same reason.
 */
export async function allProven(checks: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(checks)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}
