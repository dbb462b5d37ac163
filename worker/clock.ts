/** Time, injected: production takes it from Node, tests move it by hand. */

export interface Clock {
  /** Wall time in ms: for dates that others read. */
  now(): number
  /** Monotonic time in ms: for lengths of time. */
  monotonic(): number
  /** Calls `fn` once after `ms`; the result cancels it. */
  after(ms: number, fn: () => void): () => void
}

/** Node's clocks; its timers do not keep a process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(ms, 0), 0x7fffffff))
    timer.unref()
    return () => clearTimeout(timer)
  },
}
