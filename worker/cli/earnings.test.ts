import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EarningsStore } from '../earnings/store.ts'

const CHRYSALIS = fileURLToPath(new URL('../../gateway/cli/chrysalis.ts', import.meta.url))

let dir: string
let store: EarningsStore
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'earnings-cli-'))
  mkdirSync(join(dir, 'worker'))
  // Open all the while, as it is in a worker that runs.
  store = new EarningsStore(join(dir, 'worker', 'receipts.sqlite'))
  store.transaction(() => {
    store.history.addWork('2026-11-22', 'tiny', { requests: 1, earned: 3n })
    store.history.addWork('2026-11-23', 'tiny', { requests: 2, earned: 4n })
  })
  store.flush()
})
afterAll(() => {
  store.close()
  rmSync(dir, { recursive: true, force: true })
})

async function earnings(...argv: string[]): Promise<{ status: number; out: string; err: string }> {
  const command = ['--disable-warning=ExperimentalWarning', CHRYSALIS, 'earnings', ...argv]
  return await new Promise((resolve) => {
    execFile(process.execPath, command, (error, out, err) =>
      resolve({ status: error ? Number(error.code) : 0, out, err }),
    )
  })
}

test('the report of a worker that runs', async () => {
  const { status, out } = await earnings('--data', dir, '--csv', '--from', '2026-11-23')
  expect(status).toBe(0)
  expect(out.split('\r\n').slice(1)).toEqual(['2026-11-23,2,0,0,0,0,4,0,0,0', ''])
})

test.each([
  ['a day that is none', ['--from', '2026-02-30'], 2, /^chrysalis earnings: --from: .*YYYY-MM-DD/],
  ['days in the wrong order', ['--from', '2026-02-02', '--to', '2026-02-01'], 2, /--from: is after --to/],
  ['two forms at once', ['--csv', '--json'], 2, /--csv and --json: choose one/],
  ['a rate that is none', ['--usd', 'much'], 1, /rate: expected dollars/],
  ['an unknown flag', ['--by-the-way'], 2, /--by-the-way/],
  [
    'a folder without a worker',
    ['--data', join(tmpdir(), 'nowhere')],
    1,
    /has a worker run on this data folder/,
  ],
])('refused: %s', async (_, argv, wanted, message) => {
  const { status, out, err } = await earnings('--data', dir, ...argv)
  expect([status, out]).toEqual([wanted, ''])
  expect(err).toMatch(message)
})
