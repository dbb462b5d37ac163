/** The ledger's tests once more, on PostgreSQL, and what is only true there. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import { newClient, PostgresStore } from './postgres.ts'
import { type Acknowledged, chargeUntil, chargeUntilKilled, compare } from './testing/charging.ts'
import { usePostgres } from './testing/place.ts'
import { postgresPrograms, TestPostgres } from './testing/postgres.ts'
import { type Bench, chargeOf, reservation, setUp } from './testing/setup.ts'
import type { LedgerPlace } from './types.ts'

const programs = postgresPrograms()

describe.skipIf(programs === undefined)('in PostgreSQL', async () => {
  let server: TestPostgres
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'chrysalis-crash-'))
    server = await TestPostgres.start(programs ?? '')
    usePostgres(() => server.newSchema())
  })
  afterAll(async () => {
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  // Each in a suite of its own: what a file does before each test is for its own tests.
  describe('ledger', async () => void (await import('./ledger.test.ts')))
  describe('keys', async () => void (await import('./keys.test.ts')))
  describe('channels of clients', async () => void (await import('./client-signed.test.ts')))
  describe('audits', async () => void (await import('./audit.test.ts')))
  describe('any order', async () => void (await import('./model.test.ts')))
  describe('verification', async () => void (await import('./verify/in-use.test.ts')))

  const open = (place: LedgerPlace) =>
    Ledger.open({ ...place, now: Date.now, signVoucher: () => new Uint8Array(64) })

  /** A ledger whose end is told instead of ending this process. */
  async function mortal(): Promise<{ bench: Bench; lost: Promise<Error> }> {
    const { promise: lost, resolve } = Promise.withResolvers<Error>()
    const bench = await setUp({ onFatal: resolve })
    await bench.ledger.reserve(reservation('a', bench.key, 10n))
    return { bench, lost }
  }

  const sessions = `from pg_stat_activity where application_name = 'chrysalis-ledger' and pid <> pg_backend_pid()`

  it('ends when its session ends, and acknowledges nothing more', async () => {
    const { bench, lost } = await mortal()
    await server.query(`select pg_terminate_backend(pid) ${sessions}`)
    expect(await lost).toMatchObject({ code: 'ERR_LEDGER_LOST' })
    const gone = expect.objectContaining({ code: 'ERR_LEDGER_LOST' })
    await expect(bench.ledger.charge(chargeOf('a', 1n, 1n))).rejects.toEqual(gone)
    const ledger = await open(bench.place)
    expect(ledger.openReservations()).toMatchObject([{ requestId: 'a' }])
    await ledger.close()
  })

  it('writes nothing more once another process has taken the ledger over', async () => {
    const { bench, lost } = await mortal()
    // As if the lock had been lost and the session not: the next owner raises the epoch.
    await server.query('update owner set epoch = epoch + 1', bench.place.postgres)
    await expect(bench.ledger.charge(chargeOf('a', 1n, 1n))).rejects.toMatchObject({
      code: 'ERR_LEDGER_LOST',
    })
    expect((await lost).message).toContain('another process has taken the ledger over')
    const ledger = await open(bench.place)
    expect(ledger.openReservations()).toMatchObject([{ requestId: 'a' }])
    await ledger.audit()
    await ledger.close()
  })

  it('holds the next owner off while it writes, so that what is acknowledged is in what that one reads', async () => {
    const { bench } = await mortal()
    const address = bench.place.postgres ?? expect.fail()
    // Takes the batch's turn away, after it has looked whose the ledger is.
    const obstacle = newClient(address)
    await obstacle.connect()
    await obstacle.query('begin; lock table entries in exclusive mode')
    const charged = bench.ledger.charge(chargeOf('a', 1n, 1n))
    const waiting = `select 1 ${sessions} and wait_event_type = 'Lock'`
    while ((await server.query(waiting)).length === 0);
    const raise = 'select epoch from owner where id = 1 for update nowait'
    await expect(server.query(raise, address)).rejects.toMatchObject({ code: '55P03' })
    await obstacle.query('rollback')
    await obstacle.end()
    await charged
    expect(await server.query(raise, address)).toHaveLength(1)
    await bench.end()
  })

  it('waits for the disk at each commit, though the user or the database is set not to', async () => {
    const postgres = (await server.newSchema()).replace(
      /&options=.*/,
      (options) => `${options}%20-c%20synchronous_commit%3Doff`,
    )
    const asked = 'show synchronous_commit'
    expect(await server.query(asked, postgres)).toEqual([{ synchronous_commit: 'off' }])
    const store = await PostgresStore.open(postgres, () => {})
    const { rows } = await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(
      store.database,
    )
    expect(rows).toEqual([{ synchronous_commit: 'on' }])
    await store.close()
  })

  it('lets go of the lock when the ledger is closed', async () => {
    const bench = await setUp()
    await bench.end()
    await (await open(bench.place)).close()
  })

  it('loses nothing that was acknowledged to kill -9, and doubles nothing', async () => {
    const place = { postgres: await server.newSchema() }
    const acknowledged: Acknowledged[] = []
    for (let trial = 0; trial < 3; trial++) {
      const lines = 1 + Math.floor(Math.random() * 500)
      acknowledged.push(await chargeUntilKilled(place, join(dir, 'said.txt'), `boot${trial}`, lines))
    }
    await compare(place, acknowledged)
  })

  it('ends the process when the server fails, and keeps what was acknowledged', async () => {
    const place = { postgres: await server.newSchema() }
    let killed = Promise.resolve()
    const said = join(dir, 'said.txt')
    const run = await chargeUntil(place, said, 'boot', 200, () => (killed = server.kill()))
    expect(run).toMatchObject({
      status: 70,
      errors: expect.stringContaining('the ledger cannot write any more'),
    })
    await killed
    await server.run()
    await compare(place, [run.acknowledged])
  })

  it('says nothing of the connection string when it cannot connect', async () => {
    const wrong = [
      `postgresql://chrysalis:hunter2@127.0.0.1:1/ledger`,
      `postgresql://chrysalis:hunter2@[not-an-address/ledger`,
      `${server.address().replace('user=chrysalis', 'user=nobody')}&password=hunter2`,
    ]
    for (const postgres of wrong) {
      const error = await open({ postgres }).catch((refused: unknown) => refused)
      expect(error).toMatchObject({ code: 'ERR_LEDGER_LOST' })
      expect(String(error)).not.toContain('hunter2')
    }
  })

  it('refuses a server that loses what it acknowledged when the power goes', async () => {
    for (const setting of ['fsync', 'full_page_writes']) {
      await server.kill()
      await server.run(['-c', `${setting}=off`])
      await expect(open({ postgres: server.address() })).rejects.toMatchObject({
        code: 'ERR_LEDGER_INPUT',
        message: expect.stringContaining(setting),
      })
    }
  })
})
