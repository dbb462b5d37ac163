import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseUsdRate } from '../../contracts/amount.ts'
import { printCsv, printJson, printText } from './print.ts'
import { makeReport, readBooks } from './report.ts'
import { EarningsStore } from './store.ts'
import { NO_TOKENS } from './sums.ts'

const CHANNEL = `0:${'ab'.repeat(32)}`
const tokens = (promptTokens: number, completionTokens: number) => ({
  ...NO_TOKENS,
  promptTokens,
  completionTokens,
})

let dir: string
let file: string
let store: EarningsStore
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'earnings-report-'))
  file = join(dir, 'receipts.sqlite')
  store = new EarningsStore(file)
  const { history } = store
  store.transaction(() => {
    history.addWork('', '', { earned: 5n })
    history.addPay('', CHANNEL, { vouchered: 5n })
    history.addWork('2026-11-21', 'a,"b"', { requests: 2, tokens: tokens(30, 12), earned: 1_500_000_000n })
    history.addWork('2026-11-22', '=cmd', { requests: 1, tokens: tokens(7, 1), earned: 40n, forgiven: 3n })
    history.addWork('2026-11-22', 'a,"b"', { requests: 1, tokens: tokens(1, 1), earned: 60n })
    history.addPay('2026-11-22', CHANNEL, { vouchered: 90n, settled: 80n })
    store.putAccount({
      ...{
        address: CHANNEL,
        earned: 105n,
        ceiling: 95n,
        signature: 'x',
        forgiven: 3n,
        gateway: 'g',
        params: '{}',
      },
      ...{ deposited: 5_000_000_000n, settled: 80n, state: 'open', unsettledSince: Date.UTC(2026, 10, 22) },
    })
  })
  store.flush()
})
afterEach(() => {
  store.close()
  rmSync(dir, { recursive: true, force: true })
})

describe('a report', () => {
  test('by day, beside the worker that writes the file', () => {
    const report = makeReport(readBooks(file), { by: 'day' })
    expect(
      report.rows.map(({ name, requests, earned, settled }) => [name, requests, earned, settled]),
    ).toEqual([
      ['', 0, 5n, 0n],
      ['2026-11-21', 2, 1_500_000_000n, 0n],
      ['2026-11-22', 2, 100n, 80n],
    ])
    expect(report.total).toEqual({
      ...{ requests: 4, tokens: tokens(38, 14), earned: 1_500_000_105n, forgiven: 3n },
      ...{ vouchered: 95n, settled: 80n },
    })
  })

  test('by model, of some days', () => {
    const query = { by: 'model', from: '2026-11-22', to: '2026-11-22' } as const
    const { rows, total } = makeReport(readBooks(file), query)
    expect(rows.map(({ name, requests, earned }) => [name, requests, earned])).toEqual([
      ['=cmd', 1, 40n],
      ['a,"b"', 1, 60n],
    ])
    expect([total.earned, total.vouchered, total.settled]).toEqual([100n, 90n, 80n])
  })

  test('by days that hold nothing', () => {
    expect(makeReport(readBooks(file), { by: 'day', from: '2027-01-01' }).rows).toEqual([])
  })

  test('of no file, and of one that no worker of this version has opened', () => {
    expect(() => readBooks(join(dir, 'none.sqlite'))).toThrow(
      expect.objectContaining({ code: 'ERR_EARNINGS_ABSENT' }),
    )
    const old = join(dir, 'old.sqlite')
    const db = new DatabaseSync(old)
    db.exec('PRAGMA user_version = 1')
    expect(() => readBooks(old)).toThrow(expect.objectContaining({ code: 'ERR_EARNINGS_VERSION' }))
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect(() => readBooks(old)).toThrow(/newer worker/)
  })
})

describe('printed', () => {
  const rate = parseUsdRate('2.5')
  const books = () => makeReport(readBooks(file), { by: 'day' })

  test('as text', () => {
    expect(printText(books(), rate).split('\n')).toEqual([
      'day         requests  prompt  cached  completion  reasoning       earned     forgiven    vouchered      settled  earned USD',
      'earlier            0       0       0           0          0  0.000000005  0.000000000  0.000000005  0.000000000    0.000000',
      '2026-11-21         2      30       0          12          0  1.500000000  0.000000000  0.000000000  0.000000000    3.750000',
      '2026-11-22         2       8       0           2          0  0.000000100  0.000000003  0.000000090  0.000000080    0.000000',
      '-'.repeat(123),
      'total              4      38       0          14          0  1.500000105  0.000000003  0.000000095  0.000000080    3.750000',
      '',
      'Amounts are in TON. Cached tokens are a part of prompt, reasoning tokens of completion.',
      'In these days 0.000000095 TON were vouched for, and 0.000000080 TON arrived.',
      '',
      'channel EQCrq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq8Uk (open)',
      '  deposited          5.000000000 TON',
      '  vouchered          0.000000095 TON',
      '  settled            0.000000080 TON, waiting since 2026-11-22T00:00:00.000Z',
      '',
    ])
  })

  test('as CSV that no spreadsheet takes for formulas', () => {
    const report = makeReport(readBooks(file), { by: 'model' })
    expect(printCsv(report, rate).split('\r\n')).toEqual([
      'model,requests,prompt_tokens,cached_tokens,completion_tokens,reasoning_tokens,earned_nanotons,forgiven_nanotons,earned_usd,forgiven_usd',
      '(not seen),0,0,0,0,0,5,0,0.000000,0.000000',
      "'=cmd,1,7,0,1,0,40,3,0.000000,0.000000",
      '"a,""b""",3,31,0,13,0,1500000060,0,3.750000,0.000000',
      '',
    ])
    expect(printCsv(books()).split('\r\n')[3]).toBe('2026-11-22,2,8,0,2,0,100,3,90,80')
  })

  test('as JSON', () => {
    const document = JSON.parse(printJson(books(), rate))
    expect(document.rows[1]).toEqual({
      ...{ day: '2026-11-21', requests: 2 },
      tokens: { prompt: 30, cached: 0, completion: 12, reasoning: 0 },
      ...{ earned: '1500000000', forgiven: '0', vouchered: '0', settled: '0' },
      usd: { earned: '3.750000', forgiven: '0.000000', vouchered: '0.000000', settled: '0.000000' },
    })
    expect(document.total.earned).toBe('1500000105')
    expect(document.channels).toMatchObject([{ address: CHANNEL, vouchered: '95', settled: '80' }])
  })
})
