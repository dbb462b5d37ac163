/** Flips bytes and counts what a verdict does not notice. */

import { accepted } from '../policy/factors.ts'
import { platform } from '../policy/presets.ts'
import { verifyQuote } from '../tdx/verify.ts'
import type { Pair, Target } from './targets.ts'

/** One low bit, the top bit, all bits. */
export const MASKS = [0x01, 0x80, 0xff] as const

const policy = platform()

/** Whether the preset `platform` accepts. What throws is a defect and is passed on. */
export async function accepts(
  { quote, collateral }: { quote: Uint8Array; collateral: unknown },
  now: number,
): Promise<boolean> {
  const { factors } = await verifyQuote(quote, collateral, { policy, now })
  return accepted(factors, policy.skip)
}

/** A position and a mask. */
export type Flip = readonly [at: number, mask: number]

/** Judges every flip; returns those that were accepted. A few run at a time: signatures are verified off this thread. */
export async function undetected(target: Target, flips: readonly Flip[]): Promise<Flip[]> {
  const { bytes, pair, put } = target
  const missed: Flip[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let flip = flips[next++]; flip !== undefined; flip = flips[next++]) {
      const [at, mask] = flip
      const changed = bytes.with(at, (bytes[at] ?? 0) ^ mask)
      if (await accepts(put(changed), pair.now)) missed.push(flip)
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return missed
}

/** Every byte with every mask. */
export function everyFlip({ bytes }: Target): Flip[] {
  return [...bytes.keys()].flatMap((at) => MASKS.map((mask) => [at, mask] as const))
}

/** Every structural byte with each mask in turn, and a share of the rest. */
export function someFlips({ bytes, structure }: Target, share: number, seed: number): Flip[] {
  const random = generator(seed)
  const flips: Flip[] = []
  for (const at of bytes.keys()) {
    const chosen = structure.has(at) || random() < share
    if (chosen) flips.push([at, MASKS[at % MASKS.length] ?? 1])
  }
  return flips
}

/** Whether a pair is accepted untouched: a flip of what is refused anyway would prove nothing. */
export function acceptsPair({ quote, collateral, now }: Pair): Promise<boolean> {
  return accepts({ quote, collateral }, now)
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32: public domain, Tommy Ettinger). */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
