import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type Acknowledged,
  CHARGER,
  chargeUntilKilled,
  compare,
  parseAcknowledged,
} from './testing/charging.ts'
import { chargeOf, reservation, setUp } from './testing/setup.ts'
import { canTrace } from './testing/strace.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-crash-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

describe('kill -9', () => {
  it('at any moment loses nothing that was acknowledged and doubles nothing', async () => {
    const file = join(dir, 'ledger.sqlite')
    const acknowledged: Acknowledged[] = []
    for (let trial = 0; trial < 15; trial++) {
      const lines = 1 + Math.floor(Math.random() * 1500)
      acknowledged.push(await chargeUntilKilled({ file }, join(dir, 'said.txt'), `boot${trial}`, lines))
      if (trial % 5 === 4) await compare({ file }, acknowledged)
    }
    expect(acknowledged.reduce((sum, { charged }) => sum + charged.size, 0)).toBeGreaterThan(500)
    expect(acknowledged.some(({ accepted }) => accepted > 0n)).toBe(true)
  }, 240_000)
})

describe('a disk that takes no more', () => {
  it.runIf(process.platform === 'linux')('ends the process, and keeps what was acknowledged', async () => {
    const file = join(dir, 'ledger.sqlite')
    // No file may pass 1,024 blocks of 512 bytes: the write-ahead log gets there first.
    const command = `ulimit -c 0; ulimit -f 1024; exec "$0" "$1" "$2" small`
    const said = join(dir, 'said.txt')
    const output = openSync(said, 'w')
    const child = spawn('sh', ['-c', command, process.execPath, CHARGER, file], {
      stdio: ['ignore', output, 'pipe'],
    })
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
    const [status, signal] = await once(child, 'close')
    expect({ status, signal, errors }).toEqual({
      status: 70,
      signal: null,
      errors: expect.stringContaining('ledger'),
    })
    closeSync(output)
    await compare({ file }, [parseAcknowledged(readFileSync(said, 'utf8'))])
  })

  it.skipIf(!canTrace())(
    'whose fsync fails once ends the process, and nothing of that commit is acknowledged',
    async () => {
      const file = join(dir, 'ledger.sqlite')
      const [said, trace] = [join(dir, 'said.txt'), join(dir, 'trace.txt')]
      const output = openSync(said, 'w')
      // The kernel answers one fsync of the write-ahead log with an error, as a broken disk does, and the next ones without.
      const watch = ['-P', `${file}-wal`, '-P', said, '-e', 'trace=fsync,fdatasync,write']
      const fail = ['-e', 'inject=fsync,fdatasync:error=EIO:when=60']
      const child = spawn(
        'strace',
        ['-f', '-qq', '-o', trace, ...watch, ...fail, process.execPath, CHARGER, file, 'small'],
        { stdio: ['ignore', output, 'pipe'] },
      )
      let errors = ''
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
      const [status, signal] = await once(child, 'close')
      closeSync(output)
      expect({ status, signal, errors }).toEqual({
        status: 70,
        signal: null,
        errors: expect.stringContaining('the ledger cannot write any more: disk I/O error'),
      })
      const [before, after] = readFileSync(trace, 'utf8').split('(INJECTED)')
      expect(before).toContain('write(1, "charged ')
      expect(after).toBeDefined()
      expect(after).not.toContain('write(1, ')
      await compare({ file }, [parseAcknowledged(readFileSync(said, 'utf8'))])
    },
  )

  it('refuses everything from then on', async () => {
    const lost: Error[] = []
    const bench = await setUp({ onFatal: (error) => lost.push(error) })
    await bench.ledger.reserve(reservation('a', bench.key, 10n))
    // The file turns out to differ from the book: as bad as a failed write.
    const wrong = bench.ledger.charge({
      ...chargeOf('a', 1n, 1n),
      receiptDigest: 'd',
      requestId: 'a',
      receipt: broken,
    })
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_LEDGER_LOST' })
    await expect(bench.ledger.reserve(reservation('b', bench.key, 1n))).rejects.toMatchObject({
      code: 'ERR_LEDGER_LOST',
    })
    expect(lost.length).toBeGreaterThan(0)
    await bench.end()
  })
})

/** Passes the checks of the input and then is not there any more: stands for any row that the file refuses. */
const broken = {
  reads: 0,
  payload: 'p',
  get signature(): string {
    this.reads++
    return this.reads > 1 ? (null as unknown as string) : 's'
  },
}
