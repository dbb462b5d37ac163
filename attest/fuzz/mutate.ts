/** Makes bad inputs out of good ones. */

import { concat, utf8 } from '../bytes.ts'

/** Whole numbers from 0 to `below`, from the seed alone. */
export type Random = (below: number) => number

/** Numbers for one run, never for a secret (splitmix32). */
export function generator(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) % below
  }
}

const BYTES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x22, 0x2c, 0x30, 0x5b, 0x5c, 0x7b, 0x7d]
const TOKENS = [
  'null',
  '-1',
  '1e999',
  '""',
  '{}',
  '[]',
  '[[[[',
  '\\u0000',
  '"__proto__"',
  '<!DOCTYPE',
  '&a;',
  '\u{1f980}',
]
const MAX = 64 * 1024

type Step = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

const STEPS: readonly Step[] = [
  (bytes, random) => setAt(bytes, random(bytes.length), (old) => old ^ (1 << random(8))),
  (bytes, random) => setAt(bytes, random(bytes.length), () => random(256)),
  (bytes, random) => setAt(bytes, random(bytes.length), () => BYTES[random(BYTES.length)] ?? 0),
  (bytes, random) => setAt(bytes, random(bytes.length), (old) => old + 1),
  (bytes, random) => setAt(bytes, random(bytes.length), (old) => old - 1),
  // Lengths are two or four bytes: all ones, or off by a power of two.
  (bytes, random) => setRun(bytes, random(bytes.length), 1 + random(4), random(2) === 0 ? 0xff : 0),
  (bytes, random) => bytes.slice(0, random(bytes.length + 1)),
  (bytes, random) => bytes.slice(random(bytes.length + 1)),
  (bytes, random) => splice(bytes, random(bytes.length), random(16), new Uint8Array()),
  (bytes, random) =>
    splice(
      bytes,
      random(bytes.length),
      0,
      Uint8Array.from({ length: random(16) }, () => random(256)),
    ),
  (bytes, random) => {
    const from = random(bytes.length)
    return splice(bytes, random(bytes.length), 0, bytes.subarray(from, from + random(64)))
  },
  (bytes, random, other) => {
    const from = random(other.length + 1)
    return splice(bytes, random(bytes.length), random(64), other.subarray(from, from + random(256)))
  },
  (bytes, random) =>
    splice(bytes, random(bytes.length), random(8), utf8(TOKENS[random(TOKENS.length)] ?? '')),
  (bytes, random) => splice(bytes, bytes.length, 0, new Uint8Array(random(64)).fill(random(2) * 0xff)),
]

/** One to eight changes of a seed; now and then bytes without any sense. */
export function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const pick = (): Uint8Array => seeds[random(seeds.length)] ?? new Uint8Array()
  if (random(64) === 0) return Uint8Array.from({ length: random(512) }, () => random(256))
  let bytes = pick()
  for (let steps = 1 + random(8); steps > 0; steps--) {
    if (bytes.length === 0) return bytes
    bytes = STEPS[random(STEPS.length)]?.(bytes, random, pick()) ?? bytes
  }
  return bytes.length > MAX ? bytes.slice(0, MAX) : bytes
}

function setAt(bytes: Uint8Array, at: number, change: (old: number) => number): Uint8Array {
  return bytes.with(at, change(bytes[at] ?? 0))
}

function setRun(bytes: Uint8Array, at: number, length: number, value: number): Uint8Array {
  return Uint8Array.from(bytes).fill(value, at, at + length)
}

function splice(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  return concat(bytes.subarray(0, at), insert, bytes.subarray(at + remove))
}
