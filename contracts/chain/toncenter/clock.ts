/** Time as the adapter uses it; tests inject one that they move. */
export interface Clock {
  /** The machine's time, Unix milliseconds; someone may set it at any moment. */
  wall(): number
  /** Milliseconds since some moment; only ever grows. For pauses and deadlines. */
  now(): number
  /** Resolves after `ms` milliseconds. */
  sleep(ms: number): Promise<void>
  /** A signal that aborts after `ms` milliseconds. */
  timeout(ms: number): AbortSignal
  /** From 0 up to 1, for jitter. */
  random(): number
}

/** The machine's own clock. */
export const systemClock: Clock = {
  wall: Date.now,
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  timeout: (ms) => AbortSignal.timeout(ms),
  random: Math.random,
}

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 8000

/**
 * How long to wait after the `attempt`th failure in a row (from 0): twice as long each time, up to 8 s, of which
 * chance decides one half, so that many who failed together do not come back together.
 * @returns milliseconds
 */
export function backOff(attempt: number, random: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt)
  return (longest * (1 + random)) / 2
}
