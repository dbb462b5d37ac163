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

/** What another connection finds in the file. */
function earnedInFile(): unknown {
  const db = new DatabaseSync(file)
  const row = db.prepare("SELECT earned FROM channels WHERE address = 'a'").get()
  db.close()
  return row?.earned
}

test('what one turn changes is one commit, made when it is asked for or at the end of the turn', async () => {
  const store = new EarningsStore(file)
  for (const earned of [6n, 7n]) store.transaction(() => store.putAccount({ ...account, earned }))
  expect(earnedInFile()).toBe('5')
  store.flush()
  expect(earnedInFile()).toBe('7')
  store.transaction(() => store.putAccount({ ...account, earned: 8n }))
  await new Promise(setImmediate)
  expect(earnedInFile()).toBe('8')
  store.transaction(() => store.putAccount({ ...account, earned: 9n }))
  store.close()
  expect(earnedInFile()).toBe('9')
})

test('a step that fails leaves nothing of itself, and the other steps of its turn as they are', () => {
  const store = new EarningsStore(file)
  store.transaction(() => store.putAccount({ ...account, earned: 6n }))
  const failing = () => {
    store.putAccount({ ...account, earned: 100n })
    throw new Error('no')
  }
  expect(() => store.transaction(failing)).toThrow('no')
  store.transaction(() => store.putAccount({ ...account, ceiling: 4n, earned: 6n }))
  store.close()
  expect(earnedInFile()).toBe('6')
})
