import type { Clock } from '../clock.ts'

interface Timer {
  at: number
  fn: () => void
}

/** A clock that stands still until a test moves it; both its times move together. */
export class ManualClock implements Clock {
  readonly #start: number
  #passed = 0
  readonly #timers = new Set<Timer>()
  #watchers: (() => void)[] = []

  constructor(start = 1_800_000_000_000) {
    this.#start = start
  }

  readonly now = (): number => this.#start + this.#passed

  readonly monotonic = (): number => this.#passed

  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#passed + Math.max(0, ms), fn }
    this.#timers.add(timer)
    for (const watch of this.#watchers) watch()
    return () => void this.#timers.delete(timer)
  }

  /** Resolves once a timer of at most `ms` from now is set. */
  async timerWithin(ms: number): Promise<void> {
    while (![...this.#timers].some((timer) => timer.at <= this.#passed + ms)) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve))
      this.#watchers = []
    }
  }

  /** Moves time on, running what falls due in order, each at its own time. */
  advance(ms: number): void {
    const end = this.#passed + ms
    for (;;) {
      let next: Timer | undefined
      for (const timer of this.#timers) if (timer.at <= end && (!next || timer.at < next.at)) next = timer
      if (!next) break
      this.#timers.delete(next)
      this.#passed = Math.max(this.#passed, next.at)
      next.fn()
    }
    this.#passed = end
  }
}
