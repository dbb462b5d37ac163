import { expect, test } from 'vitest'
import { Allowance } from './allowance.ts'

test('a bucket gives its burst at once, then refills with time, and never above the burst', () => {
  let now = 0
  const allowance = new Allowance({ burst: 3, perMinute: 60, now: () => now })
  expect([1, 2, 3].map(() => allowance.take('a'))).toEqual([0, 0, 0])
  expect(allowance.take('a')).toBe(1_000)
  expect(allowance.take('b', 3)).toBe(0)
  expect(allowance.take('b', 2)).toBe(2_000)
  now = 1_000
  expect(allowance.take('a')).toBe(0)
  expect(allowance.take('a')).toBe(1_000)
  now = 3_600_000
  expect(allowance.take('a', 3)).toBe(0)
  expect(allowance.take('a')).toBe(1_000)
})

test('what costs more than a whole bucket takes a whole bucket', () => {
  const allowance = new Allowance({ burst: 3, perMinute: 60, now: () => 0 })
  expect(allowance.take('a', 99)).toBe(0)
  expect(allowance.take('a')).toBe(1_000)
})

test('what was given back may be taken again', () => {
  const allowance = new Allowance({ burst: 2, perMinute: 60, now: () => 0 })
  allowance.take('a', 2)
  allowance.giveBack('a', 5)
  expect(allowance.take('a', 2)).toBe(0)
  expect(allowance.take('a')).toBe(1_000)
})

test('a crowd of keys takes no more memory than stated; who asked longest ago starts anew', () => {
  const allowance = new Allowance({ burst: 1, perMinute: 1, now: () => 0, most: 2 })
  for (const key of ['a', 'b', 'c']) expect(allowance.take(key)).toBe(0)
  expect(allowance.take('c')).toBeGreaterThan(0)
  expect(allowance.take('b')).toBeGreaterThan(0)
  expect(allowance.take('a')).toBe(0)
})
