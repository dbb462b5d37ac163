import fc from 'fast-check'
import { expect, test } from 'vitest'
import { indentedBytes } from './json-size.ts'

test('the size of indented JSON is never told too small, and never by much too large', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const written = Buffer.byteLength(JSON.stringify(value, null, 4))
      const told = indentedBytes(value)
      expect(told).toBeGreaterThanOrEqual(written)
      expect(told).toBeLessThanOrEqual(2 * written + 32)
    }),
    { numRuns: 2000 },
  )
})

test('blanks are counted, not written: a megabyte of deep nesting would be a hundred', () => {
  let value: unknown = Array.from({ length: 500_000 }, () => 0)
  for (let depth = 1; depth < 60; depth++) value = [value]
  expect(indentedBytes(value)).toBeGreaterThan(500_000 * 4 * 60)
  expect(indentedBytes(value, 1000)).toBeGreaterThan(1000)
})
