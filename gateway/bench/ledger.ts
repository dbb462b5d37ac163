/**
 * Durable charges a second: 64 clients, each reserving and then charging one request after another.
 *
 *   node gateway/bench/ledger.ts [SECONDS]
 */

import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Ledger } from '../ledger/index.ts'

const CLIENTS = 64
const seconds = Number(process.argv[2] ?? 5)
const dir = mkdtempSync(join(tmpdir(), 'chrysalis-bench-'))
const { privateKey } = generateKeyPairSync('ed25519')

const ledger = await Ledger.open({
  file: join(dir, 'ledger.sqlite'),
  now: Date.now,
  signVoucher: (_channel, ceiling) => sign(null, Buffer.from(String(ceiling).padStart(32, '0')), privateKey),
})
await ledger.putChannel({ id: 'C', address: 'EQC', role: 'client', params: '{}', deposited: 10n ** 17n })
await ledger.putChannel({ id: 'W', address: 'EQW', role: 'worker', params: '{}', deposited: 10n ** 17n })
const { key } = await ledger.createKey({ name: 'bench', channel: 'C' })

const payload = 'A'.repeat(900)
const took: number[] = []
const end = performance.now() + seconds * 1000

async function client(name: number): Promise<void> {
  for (let i = 0; performance.now() < end; i++) {
    const requestId = `${name}-${i}`
    const worker = { id: 'worker', bootId: 'boot' }
    await ledger.reserve({ requestId, channel: 'C', key: key.id, worker, maxCharge: 1_000_000n })
    const start = performance.now()
    await ledger.charge({
      requestId,
      clientCharge: 123_456n,
      workerCharge: 100_000n,
      workerChannel: 'W',
      receipt: { payload, signature: 'A'.repeat(86) },
      receiptDigest: requestId,
    })
    took.push(performance.now() - start)
  }
}

const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
const started = performance.now()
await Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)))
const elapsed = (performance.now() - started) / 1000
delay.disable()

const before = performance.now()
const report = await ledger.audit()
const audited = performance.now() - before
await ledger.close()
rmSync(dir, { recursive: true })

took.sort((a, b) => a - b)
const at = (share: number) => (took[Math.floor((took.length - 1) * share)] ?? Number.NaN).toFixed(2)
console.log(`clients            ${CLIENTS}`)
console.log(`charges            ${took.length} (each after a durable reservation of its own)`)
console.log(`charges / s        ${Math.round(took.length / elapsed)}`)
console.log(`charge p50 / p99   ${at(0.5)} / ${at(0.99)} ms`)
console.log(
  `event loop p99/max ${(delay.percentile(99) / 1e6).toFixed(2)} / ${(delay.max / 1e6).toFixed(2)} ms`,
)
console.log(`audit              ${report.entries} entries in ${audited.toFixed(0)} ms`)
