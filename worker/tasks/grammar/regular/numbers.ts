/** Numbers as languages: the texts of all numbers within bounds, decided digit by digit. */

import type { Budget } from '../limits.ts'
import { type Automaton, both, type Edge, trim } from './automaton.ts'
import { chars } from './charset.ts'
import { automaton, inOrder, literal, maybe, oneOf, type Regular, repeated, set } from './regular.ts'

/** What a number must satisfy. */
export interface NumberLimits {
  readonly integer: boolean
  readonly min?: Bound
  readonly max?: Bound
  readonly multiples: readonly number[]
}

export interface Bound {
  readonly value: number
  readonly exclusive: boolean
}

/** Digits before and behind the point of a number that nothing else bounds: as many as JSON.stringify writes. */
export const MAX_DIGITS = 21
export const MAX_PLACES = 25
/** Significant digits that a double keeps. Where a bound is, more could round to the wrong side of it. */
const EXACT_DIGITS = 15
/** The largest numerator of `multipleOf` (written as a fraction over a power of ten). */
export const MAX_MULTIPLE = 1000

const INFINITY = Number.POSITIVE_INFINITY
const DIGIT = set(chars(['0', '9']))
const ZERO = literal('0')
const MINUS = literal('-')
const NOTHING = oneOf()

/**
 * The texts of the numbers within `limits`. Without bounds and multiples: every JSON number that does not become
 * Infinity, with exponents; else plain decimals of at most 15 significant digits near a bound.
 */
export function numberAutomaton(limits: NumberLimits, budget: Budget): Automaton {
  const { integer, min, max, multiples } = limits
  const plain = integer ? integers(multiples) : isFree(limits) ? anyNumber() : decimals(limits)
  let texts = automaton(plain, budget)
  if (min !== undefined) texts = both(texts, automaton(atLeast(min), budget), budget)
  if (max !== undefined) texts = both(texts, automaton(negated(atLeast(negate(max))), budget), budget)
  for (const multiple of multiples) texts = both(texts, multiplesOf(multiple), budget)
  return texts
}

/** Whether nothing limits a number but its type. */
export function isFree({ min, max, multiples }: NumberLimits): boolean {
  return min === undefined && max === undefined && multiples.length === 0
}

/** Whether a number is within limits, by arithmetic. */
export function isWithin(value: number, { integer, min, max, multiples }: NumberLimits): boolean {
  if (integer && !Number.isInteger(value)) return false
  if (min !== undefined && (value < min.value || (min.exclusive && value === min.value))) return false
  if (max !== undefined && (value > max.value || (max.exclusive && value === max.value))) return false
  return multiples.every((multiple) => {
    const { numerator, decimals: places } = asFraction(multiple)
    const scaled = asFraction(value)
    const shift = Math.max(places, scaled.decimals)
    const dividend = scaled.numerator * 10n ** BigInt(shift - scaled.decimals)
    return dividend % (numerator * 10n ** BigInt(shift - places)) === 0n
  })
}

function anyNumber(): Regular {
  // 21 digits and an exponent of 279 stay below the largest double.
  const upTo279 = oneOf(
    inOrder(DIGIT, maybe(DIGIT)),
    inOrder(literal('1'), DIGIT, DIGIT),
    inOrder(literal('2'), set(chars(['0', '7'])), DIGIT),
  )
  const sign = maybe(literal('+'))
  const exponent = oneOf(inOrder(MINUS, repeated(DIGIT, 1, 3)), inOrder(sign, upTo279))
  return inOrder(
    maybe(MINUS),
    whole(MAX_DIGITS),
    maybe(fraction(MAX_PLACES)),
    maybe(inOrder(set(chars('e', 'E')), exponent)),
  )
}

function integers(multiples: readonly number[]): Regular {
  const digits = multiples.length > 0 ? EXACT_DIGITS : MAX_DIGITS
  return oneOf(ZERO, inOrder(maybe(MINUS), positive(digits)))
}

function decimals({ min, max }: NumberLimits): Regular {
  const bounds = [min, max].flatMap((bound) =>
    bound === undefined ? [] : [plainDecimal(Math.abs(bound.value))],
  )
  const used = Math.max(1, ...bounds.map(([digits]) => digits.length))
  const places = Math.max(0, EXACT_DIGITS - used)
  const tail = places === 0 ? [] : [maybe(fraction(places))]
  return inOrder(maybe(MINUS), whole(EXACT_DIGITS), ...tail)
}

function positive(digits: number): Regular {
  return inOrder(set(chars(['1', '9'])), repeated(DIGIT, 0, digits - 1))
}

function whole(digits: number): Regular {
  return oneOf(ZERO, positive(digits))
}

function fraction(places: number): Regular {
  return inOrder(literal('.'), repeated(DIGIT, 1, places))
}

/** Plain decimals (of any length, with or without a sign) from `bound` on. */
function atLeast({ value, exclusive }: Bound): Regular {
  const [digits, places] = plainDecimal(Math.abs(value))
  if (value > 0 || (value === 0 && exclusive)) return magnitudeAtLeast(digits, places, exclusive)
  const negative = value === 0 ? zeros() : magnitudeAtMost(digits, places, exclusive)
  return oneOf(magnitudeAtLeast('0', '', false), inOrder(MINUS, negative))
}

/** Zero, with any number of zeros behind its point. */
function zeros(): Regular {
  return inOrder(ZERO, maybe(inOrder(literal('.'), repeated(ZERO, 1, INFINITY))))
}

function negate({ value, exclusive }: Bound): Bound {
  return { value: -value, exclusive }
}

/** The same numbers with the other sign. */
function negated(regular: Regular): Regular {
  // Built by `atLeast` only: a choice of unsigned magnitudes and ones behind a minus sign.
  if (regular.kind === 'sequence' && regular.items[0] === MINUS) return inOrder(...regular.items.slice(1))
  if (
    regular.kind === 'choice' &&
    regular.items.some((item) => item.kind === 'sequence' && item.items[0] === MINUS)
  ) {
    return oneOf(...regular.items.map(negated))
  }
  return inOrder(MINUS, regular)
}

const ANY_FRACTION = maybe(inOrder(literal('.'), repeated(DIGIT, 1, INFINITY)))

function magnitudeAtLeast(digits: string, places: string, exclusive: boolean): Regular {
  const longer = inOrder(set(chars(['1', '9'])), repeated(DIGIT, digits.length, INFINITY), ANY_FRACTION)
  const sameLength = sameOrAbove(digits, inOrder(ANY_FRACTION), fractionAtLeast(places, exclusive))
  return oneOf(longer, sameLength)
}

function magnitudeAtMost(digits: string, places: string, exclusive: boolean): Regular {
  const shorter = digits.length > 1 ? inOrder(whole(digits.length - 1), ANY_FRACTION) : NOTHING
  return oneOf(shorter, sameOrBelow(digits, inOrder(ANY_FRACTION), fractionAtMost(places, exclusive)))
}

/** Digit strings of the length of `digits`: greater ones go on to `above`, the same one to `equal`. */
function sameOrAbove(digits: string, above: Regular, equal: Regular): Regular {
  const [first = '', rest] = [digits[0], digits.slice(1)]
  if (first === '') return equal
  const greater = inOrder(digitsFrom(Number(first) + 1, 9), repeated(DIGIT, rest.length, rest.length), above)
  return oneOf(greater, inOrder(literal(first), sameOrAbove(rest, above, equal)))
}

function sameOrBelow(digits: string, below: Regular, equal: Regular, first = true): Regular {
  const [digit = '', rest] = [digits[0], digits.slice(1)]
  if (digit === '') return equal
  // A number of several digits does not begin with a zero.
  const low = first && rest !== '' ? 1 : 0
  const smaller = inOrder(
    digitsFrom(low, Number(digit) - 1),
    repeated(DIGIT, rest.length, rest.length),
    below,
  )
  return oneOf(smaller, inOrder(literal(digit), sameOrBelow(rest, below, equal, false)))
}

function fractionAtLeast(places: string, exclusive: boolean): Regular {
  const tail = placesAtLeast(places, exclusive)
  const dotted = inOrder(literal('.'), tail)
  return places === '' && !exclusive ? maybe(dotted) : dotted
}

/** Digits behind a point (at least one where it matters) that say at least `.places`. */
function placesAtLeast(places: string, exclusive: boolean): Regular {
  const anyDigits = repeated(DIGIT, 0, INFINITY)
  const first = places[0]
  if (first === undefined) {
    if (!exclusive) return anyDigits
    return inOrder(repeated(ZERO, 0, INFINITY), digitsFrom(1, 9), anyDigits)
  }
  return oneOf(
    inOrder(digitsFrom(Number(first) + 1, 9), anyDigits),
    inOrder(literal(first), placesAtLeast(places.slice(1), exclusive)),
  )
}

function fractionAtMost(places: string, exclusive: boolean): Regular {
  const dotted = inOrder(literal('.'), placesAtMost(places, exclusive))
  return places === '' && exclusive ? NOTHING : maybe(dotted)
}

function placesAtMost(places: string, exclusive: boolean): Regular {
  const first = places[0]
  if (first === undefined) return exclusive ? NOTHING : repeated(ZERO, 0, INFINITY)
  return oneOf(
    inOrder(),
    inOrder(digitsFrom(0, Number(first) - 1), repeated(DIGIT, 0, INFINITY)),
    inOrder(literal(first), placesAtMost(places.slice(1), exclusive)),
  )
}

function digitsFrom(low: number, high: number): Regular {
  return low > high ? NOTHING : set(chars([String(low), String(high)]))
}

/** Plain decimals that `multiple` divides: long division with the remainder as the state. */
function multiplesOf(multiple: number): Automaton {
  const { numerator, decimals: places } = asFraction(multiple)
  const divisor = Number(numerator)
  // States: 0 before any digit, 1 + r in the whole part, then a layer for each place behind the point.
  const layer = (place: number, remainder: number): number => 1 + (place + 1) * divisor + remainder
  const size = 1 + (places + 2) * divisor
  const accepts = new Array<boolean>(size).fill(false)
  const edges: Edge[][] = Array.from({ length: size }, () => [])

  function digits(from: number, remainder: number, to: (next: number) => number): void {
    for (let digit = 0; digit < 10; digit++) {
      edges[from]?.push({ set: chars(String(digit)), to: to((remainder * 10 + digit) % divisor) })
    }
  }

  edges[0]?.push({ set: chars('-'), to: 0 })
  digits(0, 0, (next) => 1 + next)
  for (let remainder = 0; remainder < divisor; remainder++) {
    accepts[1 + remainder] = shifted(remainder, places, divisor) === 0
    digits(1 + remainder, remainder, (next) => 1 + next)
    edges[1 + remainder]?.push({ set: chars('.'), to: layer(0, remainder) })
    for (let place = 0; place <= places; place++) {
      const state = layer(place, remainder)
      accepts[state] = shifted(remainder, places - place, divisor) === 0
      if (place < places) digits(state, remainder, (next) => layer(place + 1, next))
      else edges[state]?.push({ set: chars('0'), to: state })
    }
  }
  return trim({ accepts, edges })
}

function shifted(remainder: number, places: number, divisor: number): number {
  let value = remainder
  for (let i = 0; i < places; i++) value = (value * 10) % divisor
  return value
}

/** A double, as its shortest decimal says it: `numerator / 10^decimals`. */
export function asFraction(value: number): { numerator: bigint; decimals: number } {
  const [digits, places] = plainDecimal(Math.abs(value))
  const numerator = BigInt(digits + places) * (value < 0 ? -1n : 1n)
  return { numerator, decimals: places.length }
}

/** Digits before and behind the point, without an exponent and without zeros at the end. */
function plainDecimal(value: number): [digits: string, places: string] {
  const [mantissa = '0', exponent = '0'] = String(value).split('e')
  const [digits = '0', places = ''] = mantissa.split('.')
  const shift = Number(exponent)
  if (shift >= 0) {
    const padded = places.padEnd(shift, '0')
    return [digits + padded.slice(0, shift), padded.slice(shift)]
  }
  const padded = digits.padStart(1 - shift, '0')
  const whole = padded.slice(0, padded.length + shift)
  return [whole, padded.slice(padded.length + shift) + places]
}
