import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { newClient, postgresDialect } from '../postgres.ts'
import type { Database, Tables } from '../schema.ts'
import { nodeSqliteDialect } from '../sqlite.ts'
import type { LedgerPlace } from '../types.ts'

/** A hand behind the ledger's back: the tables of one that is closed. */
export interface Tampering {
  database: Database
  /** Runs statements. */
  run(statements: string): Promise<void>
  /** Begins a transaction in which rows may refer to nothing. */
  begin(): Promise<void>
  rollback(): Promise<void>
  close(): Promise<void>
}

export async function tamper(place: LedgerPlace): Promise<Tampering> {
  return place.postgres === undefined ? tamperFile(place.file) : await tamperPostgres(place.postgres)
}

function tamperFile(path: string): Tampering {
  const file = new DatabaseSync(path)
  const database = new Kysely<Tables>({ dialect: nodeSqliteDialect(file) })
  const run = async (statements: string) => file.exec(statements)
  return {
    database,
    run,
    begin: () => run('begin; pragma defer_foreign_keys = on'),
    rollback: () => run('rollback'),
    close: async () => file.close(),
  }
}

async function tamperPostgres(connection: string): Promise<Tampering> {
  const client = newClient(connection)
  await client.connect()
  const database = new Kysely<Tables>({ dialect: postgresDialect(client) })
  const run = async (statements: string) => void (await client.query(statements))
  return {
    database,
    run,
    // Foreign keys are triggers, and those of a replica do not fire.
    begin: () => run(`begin; set local session_replication_role = 'replica'`),
    rollback: () => run('rollback'),
    close: () => client.end(),
  }
}

/**
 * Every byte that a ledger has stored. Of a file that this process has open too: closing these handles drops the
 * ledger's lock on it, so this comes last in a test.
 */
export async function everythingStored({ file, postgres }: LedgerPlace): Promise<Buffer[]> {
  if (postgres === undefined) {
    return readdirSync(dirname(file)).map((name) => readFileSync(join(dirname(file), name)))
  }
  const client = newClient(postgres)
  await client.connect()
  const tables = await client.query('select tablename from pg_tables where schemaname = current_schema()')
  const stored: Buffer[] = []
  for (const { tablename } of tables.rows) {
    const { rows } = await client.query(`select t::text as row from ${tablename} as t`)
    stored.push(...rows.map(({ row }) => Buffer.from(row)))
  }
  await client.end()
  return stored
}
