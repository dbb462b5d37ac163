/**
 * Test child: charges 16 requests at a time, each acknowledged twice, until it was warned so often or a reservation is
 * refused. Then it charges what it has reserved before, closes, and prints what happened as one line of JSON.
 *
 *   node charge-on.ts FILE LOG_LIMIT WARNINGS
 */

import { statSync } from 'node:fs'
import { codeOf } from '../../../attest/cli/process.ts'
import { Ledger } from '../ledger.ts'
import { chargeOf, worker } from './setup.ts'

/** What the child says at its end. */
export interface ChargedOn {
  warnings: { code: string; message: string }[]
  /** Code of the refusal of a reservation. */
  refused?: string
  /** Whether the ledger said that it takes nothing new. */
  full: boolean
  charged: string[]
  /** Bytes of the log before it was closed. */
  log: number
}

/** Whatever happens, it ends: this many pages would be in the log if none was ever written back. */
const MOST_ROUNDS = 1000

const [file = '', logLimit, enough] = process.argv.slice(2)
const warnings: ChargedOn['warnings'] = []
const ledger = await Ledger.open({
  file,
  logLimit: Number(logLimit),
  now: Date.now,
  signVoucher: () => new Uint8Array(64),
  onWarning: (message, error) => warnings.push({ code: codeOf(error), message }),
})
await ledger.putChannel({ id: 'C', address: 'EQC', role: 'client', params: '{}', deposited: 10n ** 15n })
await ledger.putChannel({ id: 'W', address: 'EQW', role: 'worker', params: '{}', deposited: 10n ** 12n })
const { key } = await ledger.keys.create({ name: 'charge-on', channel: 'C' })

const charged: string[] = []
async function reserve(requestId: string): Promise<void> {
  await ledger.reserve({ requestId, channel: 'C', key: key.id, worker, maxCharge: 10n })
}
async function charge(requestId: string): Promise<void> {
  await ledger.charge(chargeOf(requestId, 5n, 4n))
  charged.push(requestId)
}

/** @returns the code of a refusal */
async function chargeOn(): Promise<string | undefined> {
  for (let round = 0; round < MOST_ROUNDS && warnings.length < Number(enough); round++) {
    const ids = Array.from({ length: 16 }, (_, i) => `r${round}-${i}`)
    try {
      await Promise.all(ids.map(reserve))
    } catch (error) {
      return codeOf(error)
    }
    await Promise.all(ids.map(charge))
  }
  return undefined
}

await reserve('before')
const refused = await chargeOn()
const { full } = ledger
await charge('before')
const log = statSync(`${file}-wal`).size
await ledger.close()
const said: ChargedOn = { warnings, ...(refused !== undefined && { refused }), full, charged, log }
process.stdout.write(`${JSON.stringify(said)}\n`)
