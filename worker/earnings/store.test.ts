import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EARNINGS_VERSION } from './schema.ts'
import { EarningsStore } from './store.ts'

const account = { address: 'a', earned: 5n, ceiling: 3n, signature: '', forgiven: 0n }
let dir: string
let file: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'earnings-store-'))
  file = join(dir, 'receipts.sqlite')
  const store = new EarningsStore(file)
  store.putAccount(account)
  store.close()
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function version(set?: number): unknown {
  const db = new DatabaseSync(file)
  if (set !== undefined) db.exec(`PRAGMA user_version = ${set}`)
  const row = db.prepare('PRAGMA user_version').get()
  db.close()
  return row?.user_version
}

test('a file names its version', () => {
  expect(version()).toBe(EARNINGS_VERSION)
})

test('a file from before versions is brought forward with all that it holds', () => {
  version(0)
  const store = new EarningsStore(file)
  expect(store.account('a')).toEqual(account)
  store.close()
  expect(version()).toBe(EARNINGS_VERSION)
})

test('a file of a newer program is refused and left as it is', () => {
  version(EARNINGS_VERSION + 1)
  expect(() => new EarningsStore(file)).toThrow(expect.objectContaining({ code: 'ERR_EARNINGS_VERSION' }))
  expect(version()).toBe(EARNINGS_VERSION + 1)
})
