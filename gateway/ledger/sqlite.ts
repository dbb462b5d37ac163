import { closeSync, openSync, statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { type Dialect, Kysely, SqliteDialect, type SqliteStatement } from 'kysely'
import { type CheckpointOptions, Checkpoints, type WriteAheadLog } from './checkpoints.ts'
import { LedgerError } from './errors.ts'
import type { Tables } from './schema.ts'
import type { Row, RowStatement, Store } from './store.ts'

/** The ledger in one SQLite file that no other process can open. */
export class SqliteStore implements Store {
  readonly database: Kysely<Tables>
  readonly schema = undefined
  readonly #file: DatabaseSync
  readonly #checkpoints: Checkpoints
  readonly #statements = new Map<string, StatementSync>()

  private constructor(file: DatabaseSync, checkpoints: Checkpoints) {
    this.#file = file
    this.#checkpoints = checkpoints
    this.database = new Kysely<Tables>({ dialect: nodeSqliteDialect(file) })
  }

  /** @throws LedgerError `ERR_LEDGER_LOCKED` when another process has the file open */
  static open(file: string, options: CheckpointOptions): SqliteStore {
    // SQLite gives the log beside the file the file's own mode, so making it first keeps all of it private.
    closeSync(openSync(file, 'a', 0o600))
    try {
      const database = openSqlite(file)
      return new SqliteStore(database, new Checkpoints(new SqliteLog(database, file), options))
    } catch (error) {
      const busy = error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5
      if (!busy) throw error
      throw new LedgerError('ERR_LEDGER_LOCKED', `the ledger ${file} is in use by another process`)
    }
  }

  apply({ forOne }: RowStatement, rows: readonly Row[]): number {
    const statement = this.#prepared(forOne)
    let written = 0
    for (const row of rows) written += Number(statement.run(...row).changes)
    return written
  }

  #prepared(text: string): StatementSync {
    const known = this.#statements.get(text)
    if (known) return known
    const statement = this.#file.prepare(text)
    this.#statements.set(text, statement)
    return statement
  }

  /** The operating system's lock on the file is enough: it is given up with the process and not before. */
  takeOver(): void {}

  assertOwned(): void {}

  afterBatch(): void {
    this.#checkpoints.afterBatch()
  }

  async close(): Promise<void> {
    this.#checkpoints.close()
    await this.database.destroy()
  }
}

/** A page in the log and what the log says of it, in bytes. */
const FRAME = 4096 + 24

/** The write-ahead log of a SQLite file, which from now on is written back by `writeBack` only. */
export class SqliteLog implements WriteAheadLog {
  readonly #path: string
  readonly #look: StatementSync
  readonly #writeBack: StatementSync

  constructor(database: DatabaseSync, file: string) {
    this.#path = `${file}-wal`
    database.exec('PRAGMA wal_autocheckpoint = 0')
    // One that had grown long is cut back to 16 MiB when it begins anew.
    database.exec(`PRAGMA journal_size_limit = ${2 ** 24}`)
    this.#look = database.prepare('PRAGMA wal_checkpoint(NOOP)')
    this.#writeBack = database.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  }

  waiting(): number {
    try {
      const { log, checkpointed } = checkpointRow(this.#look)
      return log - checkpointed
    } catch {
      // While something still reads it cannot be asked: then it is at most as long as its file.
      return Math.floor((statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0) / FRAME)
    }
  }

  writeBack(): void {
    const { busy, log, checkpointed } = checkpointRow(this.#writeBack)
    if (busy === 0 && checkpointed === log) return
    throw new Error(`${checkpointed} of ${log} pages could be written back, the others are in use`)
  }
}

function checkpointRow(statement: StatementSync): { busy: number; log: number; checkpointed: number } {
  const { busy, log, checkpointed } = statement.get() ?? {}
  return { busy: Number(busy), log: Number(log), checkpointed: Number(checkpointed) }
}

/**
 * Kysely over `node:sqlite`: its SQLite dialect speaks better-sqlite3's shape, and this adapter gives it that.
 * Statements are compiled once. Integers come back as bigint, so that no amount is ever rounded.
 */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  const statements = new Map<string, SqliteStatement>()
  const prepare = (sql: string): SqliteStatement => {
    // A commit that cannot be written is rolled back by SQLite itself, and why it cannot is what has to be told.
    if (sql === 'rollback' && !database.isTransaction) return NOTHING
    const known = statements.get(sql)
    if (known) return known
    const statement = adapt(database.prepare(sql, { readBigInts: true }))
    statements.set(sql, statement)
    return statement
  }
  return new SqliteDialect({ database: { prepare, close: () => database.close() } })
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [].values(),
}

function adapt(statement: StatementSync): SqliteStatement {
  return {
    // A statement with result columns is one to read from: SELECT, or anything with RETURNING.
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...parameters.map(toInput)),
    run: (parameters) => statement.run(...parameters.map(toInput)),
    iterate: (parameters) => statement.iterate(...parameters.map(toInput)),
  }
}

function toInput(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
    return value
  }
  if (value instanceof Uint8Array) return value
  throw new TypeError(`a value of type ${typeof value} cannot be a parameter of an SQL statement`)
}

/**
 * Opens the ledger's database for this connection alone: write-ahead log, and every commit fsynced before it
 * returns (synchronous=NORMAL loses acknowledged commits in a power cut).
 */
export function openSqlite(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0, enableForeignKeyConstraints: true })
  try {
    // Exclusive before WAL: a second process, of another server or of a curious person, is refused at once.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = FULL')
    // 32 MiB: the pages that commits touch stay at hand, also of a file with millions of requests.
    database.exec('PRAGMA cache_size = -32768')
    database.exec('PRAGMA trusted_schema = OFF')
    database.exec('BEGIN IMMEDIATE; COMMIT')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
