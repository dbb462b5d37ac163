/** Runs the charging child, kills it, and compares what it was told with what the ledger holds. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { Ledger } from '../ledger.ts'
import type { LedgerPlace } from '../types.ts'
import { placeToText } from './place.ts'
import { chargeOf } from './setup.ts'

export const CHARGER = join(import.meta.dirname, 'charger.ts')

/** What a child said before it ended: ids that it was told are durable. */
export interface Acknowledged {
  reserved: string[]
  charged: Map<string, bigint>
  /** The highest voucher of a client. */
  accepted: bigint
}

export function parseAcknowledged(output: string): Acknowledged {
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

/** Runs a charging child until it has acknowledged `count` things, then does `harm`, and waits for its end. */
export async function chargeUntil(
  place: LedgerPlace,
  said: string,
  boot: string,
  count: number,
  harm: (child: ChildProcess) => void,
): Promise<{ acknowledged: Acknowledged; status: number | null; signal: string | null; errors: string }> {
  const output = openSync(said, 'w')
  const child = spawn(process.execPath, [CHARGER, placeToText(place), boot], {
    stdio: ['ignore', output, 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
  let harmed = false
  child.on('message', (acknowledged: number) => {
    if (harmed || acknowledged < count) return
    harmed = true
    harm(child)
  })
  const [status, signal] = await once(child, 'close')
  closeSync(output)
  return { acknowledged: parseAcknowledged(readFileSync(said, 'utf8')), status, signal, errors }
}

/** As `chargeUntil`, with the harm of `kill -9`. */
export async function chargeUntilKilled(
  place: LedgerPlace,
  said: string,
  boot: string,
  count: number,
): Promise<Acknowledged> {
  const run = await chargeUntil(place, said, boot, count, (child) => child.kill('SIGKILL'))
  expect(run).toMatchObject({ signal: 'SIGKILL', errors: '' })
  return run.acknowledged
}

/** All that was acknowledged is there, once, and asking again changes nothing. */
export async function compare(place: LedgerPlace, acknowledged: Acknowledged[]): Promise<void> {
  const ledger = await Ledger.open({ ...place, now: Date.now, signVoucher: () => new Uint8Array(64) })
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
