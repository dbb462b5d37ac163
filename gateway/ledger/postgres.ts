import { type Dialect, Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { toHex } from '../../attest/bytes.ts'
import { LedgerError } from './errors.ts'
import type { Tables } from './schema.ts'
import type { Row, RowStatement, Store } from './store.ts'

/** First half of the advisory lock's key, `chry`; the other half is the schema. */
const LOCK = 0x63_68_72_79
/** How long the lock of a process that has just ended may take to come free, in ms. */
const LOCK_WAIT = 3000

/**
 * The ledger in a schema of a PostgreSQL database, which one gateway holds at a time. It has a session of its own, and
 * with that an advisory lock. Who loses the session loses both, and its process ends. Should the lock go and the session stay (a pooler
 * in between, a person), the epoch tells: each batch looks at it, and holds off the next owner until it is written.
 */
export class PostgresStore implements Store {
  readonly database: Kysely<Tables>
  readonly schema: string
  readonly #client: pg.Client
  /** Names under which the server keeps the statements of the hot path prepared. */
  readonly #names = new Map<RowStatement, string>()
  #epoch = 0n
  #closing = false

  private constructor(client: pg.Client, schema: string) {
    this.#client = client
    this.schema = schema
    this.database = new Kysely<Tables>({ dialect: postgresDialect(client) })
  }

  /**
   * @param connection a connection string, `postgresql://…`
   * @param onLost told when the session ends by itself
   * @throws LedgerError `ERR_LEDGER_LOCKED` when another process holds the ledger, `ERR_LEDGER_INPUT` when the server
   *   may lose what it has acknowledged
   */
  static async open(connection: string, onLost: (error: Error) => void): Promise<PostgresStore> {
    const client = newClient(connection)
    // Until it is opened, what is lost is said by what fails.
    client.on('error', () => {})
    try {
      await client.connect()
      await requireDurable(client)
      await lock(client)
      const store = new PostgresStore(client, await schemaOf(client))
      const lost = (error?: Error) => {
        if (!store.#closing) onLost(error ?? new Error('the PostgreSQL server ended the session'))
      }
      client.on('error', lost).on('end', () => lost())
      return store
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
  }

  /** From here on no former owner can write. */
  async takeOver(): Promise<void> {
    const { rows } = await sql<{
      epoch: bigint
    }>`update owner set epoch = epoch + 1 where id = 1 returning epoch`.execute(this.database)
    if (!rows[0]) throw new LedgerError('ERR_LEDGER_VERSION', 'the ledger has no row in its table `owner`')
    this.#epoch = rows[0].epoch
  }

  async apply(statement: RowStatement, rows: readonly Row[]): Promise<number> {
    let name = this.#names.get(statement)
    if (!name) {
      name = `chrysalis_${this.#names.size}`
      this.#names.set(statement, name)
    }
    const result = await this.#client.query({
      name,
      text: statement.forAll,
      values: [toJson(statement, rows)],
    })
    return result.rowCount ?? 0
  }

  async assertOwned(): Promise<void> {
    // Shared: who wants to raise the epoch waits for this transaction, and then reads what it has written.
    const { rows } = await this.#client.query('select epoch from owner where id = 1 for share')
    if (rows[0]?.epoch === this.#epoch) return
    throw new LedgerError('ERR_LEDGER_LOCKED', 'another process has taken the ledger over')
  }

  /** The server looks after its own log. */
  afterBatch(): void {}

  async close(): Promise<void> {
    this.#closing = true
    await this.database.destroy()
  }
}

/** A session that is not open yet, whose integers come back as from SQLite. */
export function newClient(connection: string): pg.Client {
  return new pg.Client({
    connectionString: connection,
    application_name: 'chrysalis-ledger',
    keepAlive: true,
    types: { getTypeParser },
  })
}

/** Kysely over one session: what is asked in a transaction is in that transaction. */
export function postgresDialect(client: pg.Client): Dialect {
  const session = { query: client.query.bind(client) as pg.PoolClient['query'], release: () => {} }
  return new PostgresDialect({
    pool: { connect: async () => session, end: () => client.end(), options: {} },
  })
}

/** 64-bit integers are bigints, as from SQLite, and so are sums of them; bytes are no slices of a larger buffer. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  const { INT8, INT4, NUMERIC, BYTEA } = pg.types.builtins
  if (oid === INT8 || oid === INT4) return BigInt
  if (oid === NUMERIC) return (value) => (/^-?\d+$/.test(value) ? BigInt(value) : value)
  if (oid === BYTEA) return (value) => Uint8Array.from(Buffer.from(value.slice(2), 'hex'))
  return pg.types.getTypeParser(oid, format as 'text')
}

/** A JSON number may be read as a double, so integers travel as text. */
function toJson({ columns }: RowStatement, rows: readonly Row[]): string {
  const names = Object.keys(columns)
  return JSON.stringify(
    rows.map((row) => {
      const values = row.map((value) => (value instanceof Uint8Array ? `\\x${toHex(value)}` : String(value)))
      return Object.fromEntries(names.map((name, i) => [name, values[i]]))
    }),
  )
}

async function lock(client: pg.Client): Promise<void> {
  try {
    await client.query(`set lock_timeout = ${LOCK_WAIT}`)
    await client.query('select pg_advisory_lock($1, hashtext(current_schema()))', [LOCK])
    await client.query('set lock_timeout = 0')
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== '55P03') throw error
    throw new LedgerError('ERR_LEDGER_LOCKED', 'the ledger in PostgreSQL is in use by another process')
  }
}

async function schemaOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query('select current_schema() as name')
  if (typeof rows[0]?.name === 'string') return rows[0].name
  throw new LedgerError(
    'ERR_LEDGER_INPUT',
    'the search path of the PostgreSQL user names no schema that exists: make one, or name it in the connection string',
  )
}

/** What is acknowledged must survive a power cut of the server. */
async function requireDurable(client: pg.Client): Promise<void> {
  for (const setting of ['fsync', 'full_page_writes']) {
    const { rows } = await client.query('select current_setting($1) as value', [setting])
    if (rows[0]?.value === 'on') continue
    throw new LedgerError(
      'ERR_LEDGER_INPUT',
      `the PostgreSQL server runs with ${setting} = ${rows[0]?.value}, and a power cut would take charges away that ` +
        'were acknowledged: turn it on',
    )
  }
  const { rows } = await client.query(`select current_setting('synchronous_commit') as value`)
  if (rows[0]?.value === 'off') await client.query('set synchronous_commit = on')
}
