/** Time, injected: production takes it from Node, tests move it by hand. */

export interface Clock {
  /** Wall time in milliseconds. */
  now(): number
  /** Calls `fn` once after `ms` milliseconds; the returned function takes the call back. */
  after(ms: number, fn: () => void): () => void
}

/** Node's clock. Its timers do not keep a process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), 0x7fffffff))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
