/** Something that is made anew when its time is over. */
export class Renewed<T> {
  readonly #period: number
  #kept: { value: T; madeAt: number } | undefined

  /** @param period how long a value is kept, ms */
  constructor(period: number) {
    this.#period = period
  }

  /** The kept value, or one made now (ms). A clock that went back would make the kept one "not yet valid". */
  get(now: number, make: () => T): T {
    const kept = this.#kept
    if (kept !== undefined && now >= kept.madeAt && now < kept.madeAt + this.#period) return kept.value
    const value = make()
    this.#kept = { value, madeAt: now }
    return value
  }
}
