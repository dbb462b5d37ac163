/** Flips bytes and counts what a verdict does not notice. */

import { generator } from '../fuzz/mutate.ts'
import { accepted } from '../policy/factors.ts'
import { platform } from '../policy/presets.ts'
import { verifyQuote } from '../tdx/verify.ts'
import type { Target } from './targets.ts'

/** One low bit, the top bit, all bits. */
export const MASKS = [0x01, 0x80, 0xff] as const

const policy = platform()

/** Whether the preset `platform` accepts. What throws is a defect and is passed on. */
export async function accepts({
  quote,
  collateral,
  now,
}: {
  quote: Uint8Array
  collateral: unknown
  now: number
}): Promise<boolean> {
  const { factors } = await verifyQuote(quote, collateral, { policy, now })
  return accepted(factors, policy.skip)
}

/** A position and a mask. */
type Flip = readonly [at: number, mask: number]

/** Judges every flip; returns those that were accepted. A few run at a time: signatures are verified off this thread. */
export async function undetected(target: Target, flips: readonly Flip[]): Promise<Flip[]> {
  const { bytes, pair, put } = target
  const missed: Flip[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let flip = flips[next++]; flip !== undefined; flip = flips[next++]) {
      const [at, mask] = flip
      const changed = bytes.with(at, (bytes[at] ?? 0) ^ mask)
      if (await accepts({ ...put(changed), now: pair.now })) missed.push(flip)
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return missed
}

/** Every byte with every mask. */
export function everyFlip({ bytes }: Target): Flip[] {
  return [...bytes.keys()].flatMap((at) => MASKS.map((mask) => [at, mask] as const))
}

/** Every structural byte with each mask in turn, and about one in `oneIn` of the rest. */
export function someFlips({ bytes, structure }: Target, oneIn: number, seed: number): Flip[] {
  const random = generator(seed)
  const flips: Flip[] = []
  for (const at of bytes.keys()) {
    const chosen = structure.has(at) || random(oneIn) === 0
    if (chosen) flips.push([at, MASKS[at % MASKS.length] ?? 1])
  }
  return flips
}
