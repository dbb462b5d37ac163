import type { Database } from './schema.ts'

/** A value of a row that is written: text, a 64-bit integer, or bytes. */
export type Value = string | bigint | Uint8Array
/** The values of one row, in the order of the statement's columns. */
export type Row = readonly Value[]

export type ColumnType = 'text' | 'bigint' | 'bytea'

/**
 * One statement of the hot path, in the two forms in which it runs: SQLite is called once for each row, which costs a
 * microsecond or two, PostgreSQL once for all of them, since there each call is a round trip.
 */
export interface RowStatement {
  /** For messages: `insert requests`. */
  readonly name: string
  readonly columns: Readonly<Record<string, ColumnType>>
  /** Parameters ?1, ?2, … are the columns of one row. */
  readonly forOne: string
  /** Parameter $1 is a JSON array of rows: objects with the columns as their members. */
  readonly forAll: string
}

/** Where the ledger is kept. Everything happens on one connection, so that what `apply` does is in the transaction that is open. */
export interface Store {
  readonly database: Database
  /** The schema that holds the tables, where the database has several. */
  readonly schema: string | undefined
  /**
   * Runs a statement for every row, inside the transaction that is open.
   *
   * @returns how many rows it wrote
   */
  apply(statement: RowStatement, rows: readonly Row[]): number | Promise<number>
  /** Makes this process the owner, once the tables are there. */
  takeOver(): void | Promise<void>
  /** Begins the writing of a batch. @throws LedgerError when the ledger is no longer this process's own */
  assertOwned(): void | Promise<void>
  /** What there is to do once a batch was acknowledged. */
  afterBatch(): void
  /** Gives the ledger back. */
  close(): Promise<void>
}

type Columns = Readonly<Record<string, ColumnType>>
type Names<C extends Columns> = { readonly [name in keyof C]: string }

/** `insert into TABLE`, a row for a row; `tail` is what follows the rows, like `on conflict …`. */
export function insertRows(table: string, columns: Columns, tail = ''): RowStatement {
  const names = Object.keys(columns)
  const into = `insert into ${table} (${names.join(', ')})`
  return {
    name: `insert ${table}`,
    columns,
    forOne: `${into} values (${names.map((_, i) => `?${i + 1}`).join(', ')}) ${tail}`,
    // Without `where` SQL cannot tell `on conflict` from a join's `on`.
    forAll: `${into} select ${names.map((name) => `j.${name}`).join(', ')} from ${recordset(columns)} where true ${tail}`,
  }
}

/** `update TABLE`, a row for a row; `body` is told what each column of the given rows is called in the statement. */
export function updateRows<const C extends Columns>(
  table: string,
  columns: C,
  body: (given: Names<C>) => { set: string; where: string },
): RowStatement {
  const named = (name: (column: string, index: number) => string) =>
    Object.fromEntries(Object.keys(columns).map((column, i) => [column, name(column, i)])) as Names<C>
  const one = body(named((_, i) => `?${i + 1}`))
  const all = body(named((column) => `j.${column}`))
  return {
    name: `update ${table}`,
    columns,
    forOne: `update ${table} set ${one.set} where ${one.where}`,
    forAll: `update ${table} set ${all.set} from ${recordset(columns)} where ${all.where}`,
  }
}

const recordset = (columns: Columns): string =>
  `json_to_recordset($1::json) as j(${Object.entries(columns).map((column) => column.join(' '))})`
