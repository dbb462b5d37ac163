import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromLedger } from '../dispatch/outcome.ts'
import { CHECKPOINT_PAGES, Checkpoints } from './checkpoints.ts'
import { LedgerError } from './errors.ts'
import { openSqlite, SqliteLog } from './sqlite.ts'
import type { ChargedOn } from './testing/charge-on.ts'
import { compare } from './testing/charging.ts'
import { canTrace } from './testing/strace.ts'
import type { LogReport } from './wire.ts'

/** A page in the log, in bytes. */
const FRAME = 4096 + 24

let dir: string
let file: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-checkpoints-'))
  file = join(dir, 'ledger.sqlite')
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(dir, { recursive: true, force: true })
})

describe('of a file', () => {
  let database: DatabaseSync
  let told: LogReport[]
  let checkpoints: Checkpoints
  beforeEach(() => {
    database = openSqlite(file)
    // Durability is not what is looked at here.
    database.exec('PRAGMA synchronous = OFF; create table t (a integer primary key, b text)')
    told = []
    const onChange = (report: LogReport) => told.push(report)
    checkpoints = new Checkpoints(new SqliteLog(database, file), { onChange, limit: 3000 })
  })
  afterEach(() => database.close())

  /** Commits of some 40 pages. */
  function write(commits: number, afterBatch = () => checkpoints.afterBatch()): void {
    const insert = database.prepare('insert into t (b) values (?)')
    for (let i = 0; i < commits; i++) {
      database.exec('begin')
      for (let row = 0; row < 40; row++) insert.run('x'.repeat(3000))
      database.exec('commit')
      afterBatch()
    }
  }
  const logPages = () => statSync(`${file}-wal`).size / FRAME

  it('the log is written back again and again, so that it stays short', () => {
    write(200)
    expect(logPages()).toBeLessThan(CHECKPOINT_PAGES + 100)
    expect(statSync(file).size).toBeGreaterThan(6000 * 4096)
    expect(told).toEqual([])
  })

  it('SQLite itself writes nothing back within a commit', () => {
    write(60, () => {})
    expect(logPages()).toBeGreaterThan(2 * CHECKPOINT_PAGES)
    expect(statSync(file).size).toBeLessThan(100 * 4096)
  })

  it('what a reader holds up is told once, and again when it is too much and when it is over; then the log is cut back', () => {
    write(1)
    const reader = database.prepare('select * from t').iterate()
    reader.next()
    write(60)
    expect(told).toEqual([
      { state: 'failing', pages: expect.any(Number), problem: expect.stringMatching(/\S/) },
    ])
    write(120)
    expect(told.map(({ state }) => state)).toEqual(['failing', 'full'])
    expect(logPages()).toBeGreaterThan(2 ** 24 / FRAME)
    reader.return?.()
    write(40)
    expect(told.map(({ state }) => state)).toEqual(['failing', 'full', 'fine'])
    expect(logPages()).toBeLessThanOrEqual(2 ** 24 / FRAME + 1)
    write(100)
    expect(told).toHaveLength(3)
  })

  it('what is left is written back at the end, and a failure of that is told', () => {
    write(1)
    checkpoints.close()
    expect(statSync(file).size).toBeGreaterThan(30 * 4096)
    write(1)
    const reader = database.prepare('select * from t').iterate()
    reader.next()
    checkpoints.close()
    expect(told.map(({ state }) => state)).toEqual(['failing'])
    reader.return?.()
  })
})

describe('that fail', () => {
  /** A log that grows by one page a batch. */
  function growing() {
    let pages = 0
    const log = { broken: true, attempts: 0, written: 0 }
    const told: LogReport['state'][] = []
    const checkpoints = new Checkpoints(
      {
        waiting: () => pages,
        writeBack: () => {
          log.attempts += 1
          log.written += pages
          if (log.broken) throw new Error('disk I/O error')
          pages = 0
        },
      },
      { onChange: ({ state }) => told.push(state) },
    )
    const grow = (by: number) => {
      for (const end = pages + by; pages < end; checkpoints.afterBatch()) pages += 1
    }
    return { log, told, grow }
  }

  it('are tried again as the log grows by a quarter, so that all attempts together cost a few times its length', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { log, told, grow } = growing()
    grow(65_535)
    expect(told).toEqual(['failing'])
    grow(1)
    expect(told).toEqual(['failing', 'full'])
    expect(log.attempts).toBeGreaterThan(10)
    expect(log.written).toBeLessThan(6 * 65_536)
  })

  it('are tried again also when nothing is asked for any more, since nothing may be', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { log, told, grow } = growing()
    grow(65_536)
    const { attempts } = log
    vi.advanceTimersToNextTimer()
    vi.advanceTimersToNextTimer()
    expect(log.attempts).toBe(attempts + 2)
    log.broken = false
    vi.advanceTimersToNextTimer()
    expect(told).toEqual(['failing', 'full', 'fine'])
    expect(vi.getTimerCount()).toBe(0)
    log.broken = true
    grow(CHECKPOINT_PAGES - 1)
    expect(told).toHaveLength(3)
    grow(1)
    expect(told).toEqual(['failing', 'full', 'fine', 'failing'])
  })
})

it('clients are told to come again', () => {
  expect(fromLedger(new LedgerError('ERR_LEDGER_CHECKPOINT', file), 'any')).toMatchObject({
    status: 503,
    apiCode: 'ledger_unavailable',
    message: expect.not.stringContaining(file),
  })
})

describe.skipIf(!canTrace())('on a disk that does not take what is written back', () => {
  const CHARGE_ON = join(import.meta.dirname, 'testing', 'charge-on.ts')
  const CHRYSALIS = join(import.meta.dirname, '..', 'cli', 'chrysalis.ts')
  // Where a gateway has it.
  beforeEach(() => {
    mkdirSync(join(dir, 'gateway'))
    file = join(dir, 'gateway', 'ledger.sqlite')
  })

  /** Runs a program while system calls on the ledger's file, not on its log, end with an error. */
  async function run(inject: string, ...argv: string[]) {
    const watch = ['-P', file, '-e', 'trace=pwrite64,fsync,fdatasync', '-e', `inject=${inject}`]
    const child = spawn(
      'strace',
      ['-f', '-qq', '-o', join(dir, 'trace.txt'), ...watch, process.execPath, ...argv],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    await once(child, 'close')
    return output
  }
  async function chargeOn(inject: string, limit: number, warnings: number): Promise<ChargedOn> {
    const { stdout, stderr } = await run(inject, CHARGE_ON, file, String(limit), String(warnings))
    expect(stderr).toBe('')
    return JSON.parse(stdout) as ChargedOn
  }
  /** Nothing that was acknowledged is lost, whatever was written back. */
  const kept = async ({ charged }: ChargedOn) =>
    await compare({ file }, [{ reserved: [], charged: new Map(charged.map((id) => [id, 5n])), accepted: 0n }])

  it('requests are charged on, and its failure and its end are told once each', async () => {
    // The first one makes the file.
    const said = await chargeOn('fsync,fdatasync:error=EIO:when=2..4', 65_536, 2)
    expect(said).toMatchObject({ full: false })
    expect(said.refused).toBeUndefined()
    expect(said.warnings).toEqual([
      {
        code: 'ERR_LEDGER_CHECKPOINT',
        message: expect.stringMatching(
          /ledger\.sqlite-wal.*disk I\/O error.*Nothing is lost.*256 MiB.*Look at the disk/,
        ),
      },
      { code: 'ERR_LEDGER_CHECKPOINT', message: expect.stringContaining('again') },
    ])
    expect(said.log / FRAME).toBeGreaterThan(CHECKPOINT_PAGES)
    await kept(said)
  })

  it('a log that has become too long takes nothing new, and all that runs is charged', async () => {
    const said = await chargeOn('pwrite64:error=ENOSPC:when=2+', 1500, 3)
    expect(said.warnings.map(({ code }) => code)).toEqual(['ERR_LEDGER_CHECKPOINT', 'ERR_LEDGER_CHECKPOINT'])
    expect(said.warnings[1]?.message).toMatch(/6 MiB.*disk is full.*no new request is taken/)
    expect(said).toMatchObject({ refused: 'ERR_LEDGER_CHECKPOINT', full: true })
    expect(said.charged).toContain('before')
    expect(said.log / FRAME).toBeLessThan(1500 + 400)
    // What the gateway left behind is told of by who looks at its books, too.
    const looked = await run('pwrite64:error=ENOSPC', CHRYSALIS, 'ledger', 'verify', '--data', dir)
    expect(looked.stderr).toMatch(/ledger\.sqlite-wal.*cannot be written back.*disk is full/)
    await kept(said)
  })
})
