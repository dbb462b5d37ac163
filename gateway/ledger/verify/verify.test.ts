import type { DatabaseSync } from 'node:sqlite'
import { Kysely, sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type ChannelParams,
  ContractsError,
  channelAddress,
  LOCAL_GLOBAL_ID,
} from '../../../contracts/index.ts'
import type { Database, Tables } from '../schema.ts'
import { nodeSqliteDialect, openSqlite } from '../sqlite.ts'
import { TestBooks } from '../testing/books.ts'
import { type Bench, setUp } from '../testing/setup.ts'
import type { Difference } from './differences.ts'
import { type PageQuery, readPage } from './pages.ts'
import { type ReadPage, Verification, type VerifyOptions } from './verify.ts'

let bench: Bench
let file: DatabaseSync
let database: Database
const books = new TestBooks()

beforeAll(async () => {
  bench = await setUp({ signVoucher: books.signVoucher })
  await books.fill(bench.ledger)
  await bench.ledger.close()
  file = openSqlite(bench.file)
  file.exec(`delete from api_keys where channel = 'C'; delete from entries where channel in ('C', 'W');
    delete from channels where id in ('C', 'W')`)
  file.exec('pragma foreign_keys = off; pragma ignore_check_constraints = on')
  database = new Kysely<Tables>({ dialect: nodeSqliteDialect(file) })
})
afterAll(async () => {
  await database.destroy()
  await bench.end()
})

async function verify(options: Partial<VerifyOptions> = {}) {
  const found: Difference[] = []
  const read = (page: string, ask: object) => readPage(database, { page, ...ask } as PageQuery)
  const report = await new Verification(read as ReadPage, {
    globalId: LOCAL_GLOBAL_ID,
    onDifference: (difference) => found.push(difference),
    ...options,
  }).run()
  expect(report.differences).toBe(found.length)
  return { report, found }
}

/** Signed for the worker when its channel was topped up, and the next charge came with a higher one. */
const UNUSED = 85n

const TABLES = [
  'channels',
  'vouchers',
  'api_keys',
  'retired_secrets',
  'requests',
  'receipts',
  'entries',
  'owner',
]

type Cell = string | bigint | Uint8Array | null
type Row = Record<string, Cell>

/**
 * What no other record repeats, so that nothing can be held against it: names, limits, states, times and notes, and how
 * much was held for a request that is over. Nothing that anybody is charged, paid or owed is among them.
 */
const SAID_ONCE: Record<string, (row: Row) => boolean> = {
  'channels.state': () => true,
  'channels.created_at': () => true,
  'channels.frozen': () => true,
  'channels.idle_seconds': () => true,
  'vouchers.created_at': () => true,
  'api_keys.secret_sha256': () => true,
  'api_keys.name': () => true,
  'api_keys.per_request': () => true,
  'api_keys.per_day': () => true,
  'api_keys.expires_at': () => true,
  'api_keys.models': () => true,
  'api_keys.created_at': () => true,
  'api_keys.revoked_at': () => true,
  'retired_secrets.secret_sha256': () => true,
  'retired_secrets.until': () => true,
  'requests.seq': ({ state }) => state !== 'charged',
  'requests.request_id': ({ state }) => state !== 'charged',
  'requests.worker_id': ({ state }) => state !== 'charged',
  'requests.worker_boot': () => true,
  'requests.max_charge': ({ state }) => state !== 'open',
  'requests.max_worker_charge': () => true,
  'requests.created_at': () => true,
  'requests.ended_at': ({ state }) => state === 'released',
  'requests.reason': ({ state }) => state === 'released',
  'entries.at': ({ request }) => request === null,
  'owner.epoch': () => true,
}

/** Values of a column that its table allows. */
const CHOICES: Record<string, string[]> = {
  role: ['client', 'worker'],
  state: ['open', 'closing', 'charged', 'released'],
  signer: ['gateway', 'client'],
  kind: ['deposit', 'settle', 'charge', 'earn'],
}

function flip(name: string, type: string, value: Cell): Cell {
  if (value === null) return type === 'INTEGER' ? 1n : 'x'
  // Past all others, since most numbers of requests and entries are taken.
  if (typeof value === 'bigint') return value + (name === 'seq' || name === 'request' ? 1000n : 1n)
  if (typeof value !== 'string') return new Uint8Array(value).with(20, (value[20] ?? 0) ^ 1)
  return CHOICES[name]?.find((choice) => choice !== value) ?? `${value}x`
}

/** Changes the file behind the ledger's back, looks, and takes it back. */
async function damaged(change: () => void): Promise<Difference[]> {
  file.exec('begin')
  try {
    change()
    file.exec('pragma ignore_check_constraints = off')
    return (await verify({ wholeFile: true })).found
  } finally {
    file.exec('pragma ignore_check_constraints = on')
    file.exec('rollback')
  }
}

describe('a verification', () => {
  it('finds nothing in a ledger that is as it was written', async () => {
    const { report, found } = await verify({ wholeFile: true })
    expect(found).toEqual([])
    expect(report).toEqual({ channels: 3, entries: 18, requests: 8, vouchers: 8, onChain: 0, differences: 0 })
  })

  it.each(TABLES)('finds a change in any column of %s that another record repeats', async (table) => {
    const columns = await sql<{
      name: string
      type: string
    }>`select name, type from pragma_table_info(${table})`.execute(database)
    const { rows } = await sql<Row>`select rowid as rowid_, * from ${sql.table(table)}`.execute(database)
    expect(rows.length).toBeGreaterThan(0)
    for (const { name, type } of columns.rows) {
      // An entry may have any number between its neighbours': the order is looked at below.
      if (table === 'entries' && name === 'seq') continue
      for (const row of rows) {
        const value = row[name] ?? null
        const next = flip(name, type, value)
        const found = await damaged(() => {
          file.prepare(`update ${table} set ${name} = ? where rowid = ?`).run(next, row.rowid_ ?? null)
        })
        const repeated = !SAID_ONCE[`${table}.${name}`]?.(row)
        expect(found.length > 0, `${table}.${name} from ${value} to ${next}`).toBe(repeated)
      }
    }
  })

  it.each(TABLES.filter((table) => table !== 'retired_secrets' && table !== 'owner'))(
    'finds any row of %s gone',
    async (table) => {
      const { rows } = await sql<Row>`select rowid as rowid_, * from ${sql.table(table)}`.execute(database)
      for (const row of rows) {
        // A request that ended without a charge leaves nothing behind.
        if (table === 'requests' && row.state === 'released') continue
        // Nor does a voucher that was overtaken before anything was charged under it.
        if (table === 'vouchers' && row.ceiling === UNUSED) continue
        const found = await damaged(() => {
          file.prepare(`delete from ${table} where rowid = ?`).run(row.rowid_ ?? null)
        })
        expect(found, `${table} ${JSON.stringify(row.rowid_?.toString())}`).not.toEqual([])
      }
    },
  )

  const swaps: Record<string, [string, string]> = {
    'receipts of two requests that are exchanged': [
      `update receipts set (payload, signature, digest) = (select payload, signature, digest from receipts where request =
        (select seq from requests where request_id = 'b')) where request = (select seq from requests where request_id = 'a')`,
      'the request of its receipt is b',
    ],
    'a charge that is raised everywhere but in the receipt': [
      `update requests set client_charge = 41 where request_id = 'a';
        update entries set amount = 41 where kind = 'charge' and request = (select seq from requests where request_id = 'a');
        update channels set charged = charged + 1 where id = '${books.delegated.id}'`,
      'its client charge is 41, and should be 40',
    ],
    'a voucher that is put on another channel': [
      `update vouchers set channel = '${books.worker.id}', ceiling = 7 where channel = '${books.clientSigned.id}' and ceiling = 100`,
      'not signed by the voucher key of its channel',
    ],
    'a receipt for a request that was released': [
      `insert into receipts select (select seq from requests where request_id = 'released'), 'p', 's', 'd'`,
      'there is no charged request for it',
    ],
    'a charge that is forgotten with all that belongs to it': [
      `delete from entries where request = (select seq from requests where request_id = 'e');
        delete from receipts where request = (select seq from requests where request_id = 'e');
        update requests set state = 'released', reason = 'x', client_charge = null, worker_charge = null,
          worker_channel = null, client_ceiling = null, worker_ceiling = null, worker_owed = null where request_id = 'e';
        update channels set charged = charged - 45 where id = '${books.clientSigned.id}';
        update channels set charged = charged - 40 where id = '${books.worker.id}'`,
      'signed 125, and charged 85 only',
    ],
    'a charge of nothing that stands on another channel': [
      `update entries set channel = '${books.clientSigned.id}' where kind = 'charge' and amount = 0`,
      'the channel of its charge entry is',
    ],
    'charges whose order has changed': [
      `update entries set seq = 1000 where kind = 'charge' and amount = 40`,
      'its voucher over 40 comes after one over 70',
    ],
    'money that was settled beyond what was charged': [
      `update channels set settled = 71 where id = '${books.delegated.id}'; update entries set amount = 71 where kind = 'settle'`,
      'this is not the newest ledger, or too much was taken',
    ],
  }
  it.each(Object.entries(swaps))('finds %s', async (_, [statements, problem]) => {
    const found = await damaged(() => file.exec(statements))
    expect(found.map((difference) => difference.problem)).toContainEqual(expect.stringContaining(problem))
  })

  it('finds vouchers of another network', async () => {
    const { found } = await verify({ globalId: -3 })
    expect(found).toHaveLength(8)
    expect(found[0]?.problem).toBe('not signed by the voucher key of its channel')
  })

  it('ends early when it is told to', async () => {
    const stop = new AbortController()
    const ending = verify({ signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) })
    await expect(ending).rejects.toThrow('enough')
  })
})

describe('against the chain', () => {
  const settled = 30n
  const atStart = { deposited: 1500n, settled, closeAt: 0 }
  const on = (state: Partial<typeof atStart> | 'silent' | undefined) => async (params: ChannelParams) => {
    if (channelAddress(params).toRawString() !== books.delegated.id) return { ...atStart, settled: 0n }
    if (state === 'silent') throw new ContractsError('ERR_CHAIN_UNREACHABLE', 'no answer')
    return state && { ...atStart, ...state }
  }
  it.each([
    ['the same numbers', {}, []],
    [
      'a chain that is ahead, as after a settlement that is not noted yet',
      { deposited: 9999n, settled: 70n },
      [],
    ],
    ['more settled than was charged', { settled: 71n }, ['this is not the newest ledger']],
    [
      'less settled than is noted',
      { settled: 29n },
      ['30 are noted as settled, and the chain has settled 29'],
    ],
    ['less deposited than is noted', { deposited: 1499n }, ['1500 are noted as deposited']],
    ['a chain that does not answer', 'silent' as const, ['cannot be held against the chain (no answer)']],
    ['no such channel', undefined, ['the chain has it no more, and here it is open']],
  ])('with %s', async (_, state, problems) => {
    const { report, found } = await verify({ onChain: on(state) })
    expect(found.map(({ problem }) => problem)).toEqual(
      problems.map((problem) => expect.stringContaining(problem)),
    )
    expect(report.onChain).toBe(state === 'silent' ? 2 : 3)
  })

  it('with a close by agreement that is not noted yet, if all that was charged is paid', async () => {
    const setState = (state: string) =>
      file.prepare('update channels set state = ? where id = ?').run(state, books.delegated.id)
    const closed = (settled: bigint) => verify({ onChain: on({ deposited: settled, settled, closeAt: 1 }) })
    setState('closing')
    expect((await closed(70n)).found).toEqual([])
    expect((await closed(69n)).found).toMatchObject([{ problem: expect.stringContaining('has it no more') }])
    setState('open')
    expect((await closed(70n)).found).toMatchObject([{ problem: expect.stringContaining('has it no more') }])
  })
})
