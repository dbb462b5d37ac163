import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { afterEach, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import { migrationProvider } from './migrations/index.ts'
import { nodeSqliteDialect, openSqlite } from './sqlite.ts'
import { chargeOf, NOON } from './testing/setup.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-migrations-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A ledger as the first release left it: one request charged, one released, one open, a deposit and a settlement. */
const OLD = [
  `insert into channels values ('C', 'EQC', 'client', '{"c":1}', 'open', 1000, 20, 60, 100, 60, 1),
    ('W', 'EQW', 'worker', '{}', 'open', 1000, 0, 50, 0, 50, 1)`,
  `insert into vouchers values ('C', 60, zeroblob(64), 2), ('W', 50, zeroblob(64), 2)`,
  `insert into api_keys values ('key_1', '${'0'.repeat(64)}', 'old', 'C', null, 500, null, null, 1, null)`,
  `insert into requests values
    ('z', 'C', 'key_1', 'worker-1', 'boot-1', 100, 100, 'charged', ${NOON}, ${NOON + 1}, null, 60, 50, 'W', 60, 50, 0),
    ('b', 'C', 'key_1', 'worker-1', 'boot-1', 100, 100, 'released', ${NOON}, ${NOON + 2}, 'x', null, null, null, null, null, null),
    ('a', 'C', 'key_1', 'worker-1', 'boot-1', 100, 100, 'open', ${NOON + 3}, null, null, null, null, null, null, null, null)`,
  `insert into receipts values ('z', 'payload', 'signature', 'digest')`,
  `insert into entries (at, channel, kind, request_id, amount) values (1, 'C', 'deposit', null, 1000),
    (1, 'W', 'deposit', null, 1000), (2, 'C', 'charge', 'z', 60), (2, 'W', 'earn', 'z', 50), (3, 'C', 'settle', null, 20)`,
]

it('bring a ledger of the first release up, with every sum', async () => {
  const file = join(dir, 'ledger.sqlite')
  const database = new Kysely<unknown>({ dialect: nodeSqliteDialect(openSqlite(file)) })
  const [first] = Object.entries(await migrationProvider.getMigrations())
  if (!first) throw new Error('no migration')
  const provider = { getMigrations: async () => Object.fromEntries([first]) }
  const { error } = await new Migrator({ db: database, provider }).migrateToLatest()
  expect(error).toBeUndefined()
  for (const statement of OLD) await sql.raw(statement).execute(database)
  await database.destroy()

  const ledger = await Ledger.open({ file, now: () => NOON, signVoucher: () => new Uint8Array(64) })
  expect(await ledger.audit()).toMatchObject({
    entries: 5,
    requests: { open: 1, charged: 1, released: 1 },
    clientCharged: 60n,
    workerCharged: 50n,
    reserved: 100n,
  })
  // What nobody has counted yet begins at 0, and is kept.
  expect((await ledger.channels()).map(({ idleSeconds }) => idleSeconds)).toEqual([0, 0])
  expect(await ledger.setIdle('W', 600)).toMatchObject({ idleSeconds: 600 })
  expect(await ledger.channelState('W')).toMatchObject({ idleSeconds: 600 })
  await expect(ledger.setIdle('W', -1)).rejects.toMatchObject({ code: 'ERR_LEDGER_INPUT' })
  expect(await ledger.receipt('z')).toMatchObject({ charged: 60n, earned: 50n, digest: 'digest' })
  expect(await ledger.charge(chargeOf('z', 1n, 1n))).toMatchObject({ clientCharge: 60n, workerCharge: 50n })
  expect(ledger.openReservations()).toMatchObject([{ requestId: 'a', maxCharge: 100n }])
  await ledger.charge(chargeOf('a', 100n, 0n))
  const next = { requestId: 'b', channel: 'C', key: 'key_1', worker: { id: 'w', bootId: 'b' }, maxCharge: 1n }
  await expect(ledger.reserve(next)).rejects.toMatchObject({ code: 'ERR_DUPLICATE_REQUEST' })
  await ledger.reserve({ ...next, requestId: 'c' })
  // 160 of the day's 500 are charged, 1 is held.
  await expect(ledger.reserve({ ...next, requestId: 'd', maxCharge: 340n })).rejects.toMatchObject({
    code: 'ERR_KEY_DAY_LIMIT',
  })
  expect(await ledger.audit()).toMatchObject({ entries: 7, clientCharged: 160n, reserved: 1n })
  await ledger.close()
})
