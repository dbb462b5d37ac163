import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Budget } from '../limits.ts'
import { accepts } from './automaton.ts'
import { isWithin, type NumberLimits, numberAutomaton } from './numbers.ts'

/** Decimals of few digits, often equal or next to each other. */
const decimal = fc
  .tuple(
    fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -12345, max: 12345 })),
    fc.constantFrom(1, 2, 4, 10, 100, 1000),
  )
  .map(([numerator, divisor]) => numerator / divisor)
const bound = fc.option(fc.record({ value: decimal, exclusive: fc.boolean() }), { nil: undefined })
const limits = fc
  .record({
    integer: fc.boolean(),
    min: bound,
    max: bound,
    multiples: fc.array(fc.constantFrom(1, 2, 3, 7, 10, 25, 0.5, 0.25, 0.01, 1.5), { maxLength: 2 }),
  })
  .map(
    ({ integer, min, max, multiples }): NumberLimits => ({
      integer,
      multiples,
      ...(min && { min }),
      ...(max && { max }),
    }),
  )

describe('numbers within limits', () => {
  it('are those that arithmetic says', () => {
    fc.assert(
      fc.property(limits, fc.array(decimal, { minLength: 10, maxLength: 10 }), (within, some) => {
        const texts = numberAutomaton(within, new Budget())
        const near = [within.min?.value, within.max?.value].flatMap((value) =>
          value === undefined ? [] : [value, value + 1, value - 1],
        )
        for (const value of [...some, ...near]) {
          const rounded = Number(value.toFixed(4))
          expect(accepts(texts, JSON.stringify(rounded)), `${rounded} of ${JSON.stringify(within)}`).toBe(
            isWithin(rounded, within),
          )
        }
      }),
      { numRuns: 250 },
    )
  })

  it('are multiples as long division says', () => {
    expect(isWithin(0.07, { integer: false, multiples: [0.01] })).toBe(true)
    expect(isWithin(0.3, { integer: false, multiples: [0.1] })).toBe(true)
    expect(isWithin(0.35, { integer: false, multiples: [0.1] })).toBe(false)
  })

  it('cannot round to a bound that is excluded', () => {
    const below = numberAutomaton(
      { integer: false, multiples: [], max: { value: 1, exclusive: true } },
      new Budget(),
    )
    for (let nines = 1; nines < 30; nines++) {
      const text = `0.${'9'.repeat(nines)}`
      if (accepts(below, text)) expect(Number(text)).toBeLessThan(1)
    }
    expect(accepts(below, '0.99999999999999')).toBe(true)
  })

  it.each(['01', '-', '1.', '.5', '+1', '1e5', '--1', '', '-01'])('%s is no number in a range', (text) => {
    const texts = numberAutomaton(
      { integer: false, multiples: [], min: { value: -1000, exclusive: false } },
      new Budget(),
    )
    expect(accepts(texts, text)).toBe(false)
  })

  it('keep their exponents where nothing limits them, and stay finite', () => {
    const free = numberAutomaton({ integer: false, multiples: [] }, new Budget())
    for (const text of ['1e10', '-2.5E-7', '1e+279']) expect(accepts(free, text), text).toBe(true)
    for (const text of ['1e280', '1e999', '1e', '1e+']) expect(accepts(free, text), text).toBe(false)
    expect(Number(`${'9'.repeat(21)}e279`)).toBeLessThan(Number.POSITIVE_INFINITY)
  })
})
