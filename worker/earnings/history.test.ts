import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { dayOf, History, toPay, toWork } from './history.ts'
import { migrate } from './schema.ts'
import { NO_TOKENS } from './sums.ts'

const tokens = (prompt: number, completion: number) => ({
  ...NO_TOKENS,
  promptTokens: prompt,
  completionTokens: completion,
})

let db: DatabaseSync
beforeEach(() => {
  db = new DatabaseSync(':memory:')
  migrate(db, ':memory:')
})

const work = () => db.prepare('SELECT * FROM work').all().map(toWork)

test('days are UTC', () => {
  expect(dayOf(Date.UTC(2026, 10, 23, 23, 59, 59, 999))).toBe('2026-11-23')
  expect(dayOf(Date.UTC(2026, 10, 24))).toBe('2026-11-24')
})

test('work adds up by day and model, pay by day and channel', () => {
  const history = new History(db, 1)
  history.addWork('2026-11-23', 'a', { requests: 1, tokens: tokens(3, 4), earned: 10n })
  history.addWork('2026-11-23', 'a', { tokens: tokens(0, 2), earned: 5n })
  history.addWork('2026-11-23', 'a', { forgiven: 2n })
  history.addWork('2026-11-23', 'b', { requests: 1, tokens: tokens(1, 1), earned: 1n })
  history.addTokens()
  expect(work()).toEqual([
    { day: '2026-11-23', model: 'a', requests: 1, tokens: tokens(3, 6), earned: 15n, forgiven: 2n },
    { day: '2026-11-23', model: 'b', requests: 1, tokens: tokens(1, 1), earned: 1n, forgiven: 0n },
  ])
  history.addPay('2026-11-23', '0:c', { vouchered: 7n })
  history.addPay('2026-11-23', '0:c', { vouchered: 3n, settled: 9n })
  const pay = db.prepare('SELECT * FROM payments').all().map(toPay)
  expect(pay).toEqual([{ day: '2026-11-23', channel: '0:c', vouchered: 10n, settled: 9n }])
})

test('token counts reach the file for a whole batch of requests, amounts at once', () => {
  const history = new History(db, 3)
  const request = () => history.addWork('d', 'm', { requests: 1, tokens: tokens(2, 5), earned: 1n })
  request()
  request()
  expect(work()).toMatchObject([{ requests: 2, earned: 2n, tokens: NO_TOKENS }])
  request()
  expect(work()).toMatchObject([{ requests: 3, earned: 3n, tokens: tokens(6, 15) }])
  request()
  expect(work()).toMatchObject([{ requests: 4, tokens: tokens(6, 15) }])
  history.addTokens()
  expect(work()).toMatchObject([{ tokens: tokens(8, 20) }])
})

test('property: sums are exact beyond what a number or an integer of SQLite holds', () => {
  const history = new History(db, 1)
  const amounts = fc.array(fc.bigInt({ min: 0n, max: 10n ** 27n }), { maxLength: 20 })
  let run = 0
  fc.assert(
    fc.property(amounts, (earned) => {
      const day = `day ${run++}`
      for (const amount of earned) history.addWork(day, 'm', { requests: 1, earned: amount })
      const row = work().find((found) => found.day === day)
      return (row?.earned ?? 0n) === earned.reduce((sum, amount) => sum + amount, 0n)
    }),
  )
})
