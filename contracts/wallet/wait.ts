import type { Chain } from '../chain/types.ts'

/** Looks for what a message brings about. */
const LOOKS = 30

export interface WaitOptions {
  /** Waits between two looks at the chain; injected by tests. Default 1 s. */
  pause?: () => Promise<void>
}

/** Waits between two looks at a chain that is not ours: one second, unless told otherwise. */
export function pauseOf({ pause = oneSecond }: WaitOptions): Promise<void> {
  return pause()
}

/**
 * The turns of looking for what a message brings about, with a pause before each but the first. Whoever has seen it
 * leaves the loop; when the loop ends by itself, nothing was seen.
 *
 * @param most turns; without it 30, or one on a chain that carries messages out at once
 */
export async function* looks(
  chain: Chain,
  wait: WaitOptions,
  most = chain.instant === true ? 1 : LOOKS,
): AsyncGenerator<number> {
  for (let turn = 0; turn < most; turn++) {
    if (turn > 0) await pauseOf(wait)
    yield turn
  }
}

function oneSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000))
}
