import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { type Dialect, SqliteDialect, type SqliteStatement } from 'kysely'

/**
 * Kysely over `node:sqlite`: its SQLite dialect speaks better-sqlite3's shape, and this adapter gives it that.
 * Statements are compiled once. Integers come back as bigint, so that no amount is ever rounded.
 */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  const statements = new Map<string, SqliteStatement>()
  const prepare = (sql: string): SqliteStatement => {
    const known = statements.get(sql)
    if (known) return known
    const statement = adapt(database.prepare(sql, { readBigInts: true }))
    statements.set(sql, statement)
    return statement
  }
  return new SqliteDialect({ database: { prepare, close: () => database.close() } })
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
    database.exec('PRAGMA trusted_schema = OFF')
    database.exec('BEGIN IMMEDIATE; COMMIT')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
