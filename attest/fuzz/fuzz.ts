/** Throws bad bytes at one parser: it may take them, or refuse them with a typed error; nothing else. */

import { toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { generator, mutate } from './mutate.ts'

/** A parser and the good inputs that bad ones are made of. */
export interface Target {
  /** What it reads, for people. */
  readonly reads: string
  seeds(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>
  parse(bytes: Uint8Array): unknown
}

/** An input that did what none may do. */
export interface Crash {
  /** Hex. */
  input: string
  what: string
}

export interface FuzzResult {
  inputs: number
  /** Inputs that the parser took. */
  taken: number
  /** The longest that one input took, ms. */
  slowest: number
  crashes: Crash[]
}

interface FuzzLimits {
  seed: number
  /** Stop after so many inputs, */ inputs?: number
  /** or when this says so. */ over?: () => boolean
  /** An input that takes longer is reported as a hang, ms. */ slow: number
}

const MAX_CRASHES = 10

/** Fuzzes until a limit is reached or ten inputs crashed. */
export async function fuzz(target: Target, limits: FuzzLimits): Promise<FuzzResult> {
  const random = generator(limits.seed)
  const seeds = await target.seeds()
  const result: FuzzResult = { inputs: 0, taken: 0, slowest: 0, crashes: [] }
  for (const seed of seeds) await attempt(target, seed, limits.slow, result)
  if (result.taken < seeds.length && result.crashes.length === 0)
    result.crashes.push({ input: '', what: 'a good input was refused: the target is broken' })
  while (result.crashes.length < MAX_CRASHES && !(limits.over?.() ?? false)) {
    if (limits.inputs !== undefined && result.inputs >= limits.inputs) break
    await attempt(target, mutate(seeds, random), limits.slow, result)
  }
  return result
}

async function attempt(target: Target, bytes: Uint8Array, slow: number, result: FuzzResult): Promise<void> {
  result.inputs++
  let took = await once(target, bytes, result)
  // A busy machine is no hang: only an input that is slow every time is.
  for (let again = 0; again < 3 && took > slow; again++)
    took = Math.min(took, await once(target, bytes, { ...result }))
  if (took > result.slowest) result.slowest = took
  if (took > slow) result.crashes.push({ input: toHex(bytes), what: `took ${took.toFixed(0)} ms` })
}

/** Parses once; returns how long that took, ms. */
async function once(target: Target, bytes: Uint8Array, result: FuzzResult): Promise<number> {
  const started = performance.now()
  try {
    const value = target.parse(bytes)
    // Most parsers are synchronous, and a turn of the event loop costs more than they do.
    if (value instanceof Promise) await value
    result.taken++
  } catch (error) {
    if (!(error instanceof ChrysalisError)) result.crashes.push({ input: toHex(bytes), what: String(error) })
  }
  return performance.now() - started
}
