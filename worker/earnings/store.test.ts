import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EARNINGS_VERSION } from './schema.ts'
import { type ChannelAccount, EarningsStore } from './store.ts'

const account: ChannelAccount = {
  ...{ address: 'a', earned: 5n, ceiling: 3n, signature: '', forgiven: 0n },
  ...{ gateway: 'g', params: '{}', deposited: 9n, settled: 1n, state: 'open', unsettledSince: 7 },
}
/** The tables as they were, not as the code has them now. */
const VERSION_1 = `
  CREATE TABLE receipts (
    request_id TEXT PRIMARY KEY, gateway TEXT NOT NULL, channel TEXT NOT NULL, payload TEXT NOT NULL,
    signature TEXT NOT NULL, final INTEGER NOT NULL, worker_charge TEXT NOT NULL, counted TEXT NOT NULL, interrupted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX receipts_by_gateway ON receipts (gateway);
  CREATE TABLE channels (
    address TEXT PRIMARY KEY, earned TEXT NOT NULL, ceiling TEXT NOT NULL, signature TEXT NOT NULL, forgiven TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;`

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

test.each([
  [0, 'before versions'],
  [1, 'version 1'],
])('a file from %i (%s) is brought forward with all that it holds', async (from) => {
  await rm(file)
  const db = new DatabaseSync(file)
  db.exec(VERSION_1)
  db.exec(`PRAGMA user_version = ${from}`)
  db.exec("INSERT INTO channels VALUES ('a', '5', '3', 'c2ln', '2'), ('b', '10', '10', 'c2ln', '0')")
  db.exec("INSERT INTO receipts VALUES ('r', 'g', 'a', 'p', 's', 1, '2', '2', 0)")
  db.close()
  const store = new EarningsStore(file)
  expect(store.account('a')).toEqual({
    ...{ address: 'a', earned: 5n, ceiling: 3n, signature: 'c2ln', forgiven: 2n },
    ...{ gateway: '', params: '', deposited: 0n, settled: 0n, state: 'open', unsettledSince: 0 },
  })
  expect(store.receipt('r')).toMatchObject({ workerCharge: 2n, model: '' })
  store.close()
  expect(version()).toBe(EARNINGS_VERSION)
  // What was before the days were counted: 17 nanotons earned, of which 2 were given up, and 13 vouched for.
  const after = new DatabaseSync(file)
  expect(after.prepare('SELECT day, model, earned, forgiven FROM work').all()).toEqual([
    { day: '', model: '', earned: '17', forgiven: '2' },
  ])
  expect(after.prepare('SELECT channel, vouchered FROM payments').all()).toEqual([
    { channel: 'a', vouchered: '3' },
    { channel: 'b', vouchered: '10' },
  ])
  after.close()
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
