import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import { chargeOf, reservation, setUp } from './testing/setup.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-crash-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const CHARGER = join(import.meta.dirname, 'testing', 'charger.ts')

/** What a child said before it ended: ids that it was told are durable. */
interface Acknowledged {
  reserved: string[]
  charged: Map<string, bigint>
  /** The highest voucher of a client. */
  accepted: bigint
}

function parse(output: string): Acknowledged {
  // The last line may be cut by the kill; a whole line ends with a newline.
  const lines = output.slice(0, output.lastIndexOf('\n') + 1).split('\n')
  const reserved = lines.filter((line) => line.startsWith('reserved ')).map((line) => line.slice(9))
  const charged = lines.filter((line) => line.startsWith('charged ')).map((line) => line.split(' '))
  const ceilings = lines.filter((line) => line.startsWith('accepted ')).map((line) => BigInt(line.slice(9)))
  return {
    reserved,
    charged: new Map(charged.map(([, id = '', amount = '']) => [id, BigInt(amount)])),
    accepted: ceilings.sort((a, b) => Number(a - b)).at(-1) ?? 0n,
  }
}

/** Runs a charging child and kills it after it has acknowledged `count` things. */
async function chargeUntilKilled(file: string, boot: string, count: number): Promise<Acknowledged> {
  const said = join(dir, `${boot}.txt`)
  const output = openSync(said, 'w')
  const child = spawn(process.execPath, [CHARGER, file, boot], {
    stdio: ['ignore', output, 'inherit', 'ipc'],
  })
  child.on('message', (acknowledged: number) => {
    if (acknowledged >= count) child.kill('SIGKILL')
  })
  const [, signal] = await once(child, 'exit')
  closeSync(output)
  expect(signal).toBe('SIGKILL')
  return parse(readFileSync(said, 'utf8'))
}

async function compare(file: string, acknowledged: Acknowledged[]): Promise<void> {
  const ledger = await Ledger.open({ file, now: Date.now, signVoucher: () => new Uint8Array(64) })
  await ledger.audit()
  const open = new Set(ledger.openReservations().map(({ requestId }) => requestId))
  for (const { reserved, charged } of acknowledged) {
    const receipts = await Promise.all([...charged.keys()].map((id) => ledger.receipt(id)))
    for (const [i, [id, amount]] of [...charged].entries()) {
      expect(receipts[i]).toMatchObject({ requestId: id, charged: amount })
      expect(open.has(id)).toBe(false)
    }
    // A reservation that was acknowledged is open, or was charged just before the end.
    const rest = reserved.filter((id) => !charged.has(id) && !open.has(id))
    for (const id of rest) expect(await ledger.receipt(id)).toBeDefined()
  }
  // A voucher that was taken is kept: the client may be held to it.
  const kept = (await ledger.channelState('D'))?.ceiling ?? 0n
  for (const { accepted } of acknowledged) expect(kept).toBeGreaterThanOrEqual(accepted)
  // A repeated charge after the restart finds the first: nothing is doubled.
  const before = await ledger.channelState('C')
  for (const { charged } of acknowledged.slice(-1)) {
    for (const [id, amount] of [...charged].slice(-20)) {
      expect(await ledger.charge(chargeOf(id, amount, 0n))).toMatchObject({ clientCharge: amount })
    }
  }
  expect(await ledger.channelState('C')).toEqual(before)
  await ledger.close()
}

describe('kill -9', () => {
  it('at any moment loses nothing that was acknowledged and doubles nothing', async () => {
    const file = join(dir, 'ledger.sqlite')
    const acknowledged: Acknowledged[] = []
    for (let trial = 0; trial < 15; trial++) {
      const lines = 1 + Math.floor(Math.random() * 1500)
      acknowledged.push(await chargeUntilKilled(file, `boot${trial}`, lines))
      if (trial % 5 === 4) await compare(file, acknowledged)
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
    await compare(file, [parse(readFileSync(said, 'utf8'))])
  })

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
