/** Sets of Unicode code points, as sorted, disjoint, non-adjacent inclusive ranges. */

export type CharRange = readonly [from: number, to: number]
export type CharSet = readonly CharRange[]

const LAST = 0x10ffff

/** Every code point that well-formed text can hold: all but the surrogates. */
export const ANY: CharSet = [
  [0, 0xd7ff],
  [0xe000, LAST],
]

/** The set of the given characters and ranges: `chars('_', ['a', 'z'])`. */
export function chars(...members: readonly (string | readonly [string, string])[]): CharSet {
  return normalise(
    members.map((member) => {
      const [from, to] = typeof member === 'string' ? [member, member] : member
      return [codePoint(from), codePoint(to)]
    }),
  )
}

/** Sorts and joins ranges that overlap or touch. */
export function normalise(ranges: readonly CharRange[]): CharSet {
  const joined: [number, number][] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1)
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}

export function union(...sets: readonly CharSet[]): CharSet {
  return normalise(sets.flat())
}

export function intersect(a: CharSet, b: CharSet): CharSet {
  const common: CharRange[] = []
  let i = 0
  let j = 0
  for (let x = a[0], y = b[0]; x !== undefined && y !== undefined; x = a[i], y = b[j]) {
    const from = Math.max(x[0], y[0])
    const to = Math.min(x[1], y[1])
    if (from <= to) common.push([from, to])
    if (x[1] < y[1]) i++
    else j++
  }
  return common
}

/** All characters but those of `set`. */
export function complement(set: CharSet): CharSet {
  const others: CharRange[] = []
  let next = 0
  for (const [from, to] of set) {
    if (next < from) others.push([next, from - 1])
    next = to + 1
  }
  if (next <= LAST) others.push([next, LAST])
  return intersect(others, ANY)
}

export function includes(set: CharSet, point: number): boolean {
  return set.some(([from, to]) => from <= point && point <= to)
}

export function equal(a: CharSet, b: CharSet): boolean {
  return a.length === b.length && a.every(([from, to], i) => b[i]?.[0] === from && b[i]?.[1] === to)
}

export function codePoint(char: string): number {
  return char.codePointAt(0) ?? 0
}
