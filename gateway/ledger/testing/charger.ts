/**
 * Test child: 32 clients reserve and charge without end, and hand in vouchers on a channel that is theirs to sign. Every
 * acknowledged request id is written to stdout, which is a file, at once: what is in it survives the child. The parent
 * hears of the progress by messages.
 *
 *   node charger.ts PLACE BOOT
 */

import { writeSync } from 'node:fs'
import { Ledger } from '../ledger.ts'
import { placeFromText } from './place.ts'
import { chargeOf, worker } from './setup.ts'

const [place = '', boot = ''] = process.argv.slice(2)
const ledger = await Ledger.open({
  ...placeFromText(place),
  now: Date.now,
  signVoucher: () => new Uint8Array(64),
})
await ledger.putChannel({ id: 'C', address: 'EQC', role: 'client', params: '{}', deposited: 10n ** 15n })
await ledger.putChannel({ id: 'W', address: 'EQW', role: 'worker', params: '{}', deposited: 10n ** 12n })
const signed = { id: 'D', address: 'EQD', role: 'client', signer: 'client', params: '{}' } as const
let { ceiling } = await ledger.putChannel({ ...signed, deposited: 10n ** 15n })
const { key } = await ledger.keys.create({ name: 'charger', channel: 'C' })

let acknowledged = 0
function say(line: string): void {
  writeSync(1, `${line}\n`)
  process.send?.(++acknowledged)
}

async function client(name: number): Promise<never> {
  for (let i = 0; ; i++) {
    const requestId = `${boot}-${name}-${i}`
    await ledger.reserve({ requestId, channel: 'C', key: key.id, worker, maxCharge: 1000n })
    say(`reserved ${requestId}`)
    if (i % 8 === 3) {
      ceiling += 1n
      const { ceiling: accepted } = await ledger.acceptVoucher('D', ceiling, new Uint8Array(64))
      say(`accepted ${accepted}`)
    }
    // One in eight is left open: a restart has to find it so.
    if (i % 8 === 7) continue
    await ledger.charge(chargeOf(requestId, BigInt(i % 1000), BigInt(i % 500)))
    say(`charged ${requestId} ${i % 1000}`)
  }
}

await Promise.all(Array.from({ length: 32 }, (_, name) => client(name)))
