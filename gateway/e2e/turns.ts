/** One turn of the event loop: what has arrived at a socket is read. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Lets the event loop turn until it is so. The test's own time limit is the only one. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn()
}

/** Turns without any change after which a thing counts as standing still. */
const STILL = 1_000

/** Lets the event loop turn until the count stands still; returns where it stands. */
export async function standstill(count: () => number): Promise<number> {
  let last = count()
  for (let turns = 0; turns < STILL; turns++) {
    await turn()
    const now = count()
    if (now === last) continue
    last = now
    turns = 0
  }
  return last
}
