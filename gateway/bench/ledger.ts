/**
 * Durable charges a second: clients that each reserve and then charge one request after another.
 *
 *   node gateway/bench/ledger.ts [--postgres] [SECONDS [CLIENTS…]]
 */

import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { newRequestId } from '../../worker/protocol/index.ts'
import { Ledger } from '../ledger/index.ts'
import { postgresPrograms, TestPostgres } from '../ledger/testing/postgres.ts'

const args = process.argv.slice(2)
const [seconds = 5, ...counts] = args.filter((arg) => arg !== '--postgres').map(Number)
const server = args.includes('--postgres') ? await TestPostgres.start(postgresPrograms() ?? '') : undefined
const { privateKey } = generateKeyPairSync('ed25519')
const payload = 'A'.repeat(900)
const signature = 'A'.repeat(86)
const worker = { id: 'worker', bootId: 'boot' }

/** One run on a new ledger. */
async function measure(clients: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'chrysalis-bench-'))
  const ledger = await Ledger.open({
    ...(server ? { postgres: await server.newSchema() } : { file: join(dir, 'ledger.sqlite') }),
    now: Date.now,
    signVoucher: (_channel, ceiling) =>
      sign(null, Buffer.from(String(ceiling).padStart(32, '0')), privateKey),
  })
  await ledger.putChannel({ id: 'C', address: 'EQC', role: 'client', params: '{}', deposited: 10n ** 17n })
  await ledger.putChannel({ id: 'W', address: 'EQW', role: 'worker', params: '{}', deposited: 10n ** 17n })
  const { key } = await ledger.keys.create({ name: 'bench', channel: 'C' })
  const took: number[] = []
  const end = performance.now() + seconds * 1000

  async function client(): Promise<void> {
    while (performance.now() < end) {
      const requestId = newRequestId()
      await ledger.reserve({ requestId, channel: 'C', key: key.id, worker, maxCharge: 1_000_000n })
      const start = performance.now()
      await ledger.charge({
        requestId,
        clientCharge: 123_456n,
        workerCharge: 100_000n,
        workerChannel: 'W',
        receipt: { payload, signature },
        receiptDigest: requestId,
      })
      took.push(performance.now() - start)
    }
  }

  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const [cpu, own, started] = [process.cpuUsage(), process.threadCpuUsage(), performance.now()]
  await Promise.all(Array.from({ length: clients }, client))
  const elapsed = (performance.now() - started) / 1000
  const [used, main] = [process.cpuUsage(cpu), process.threadCpuUsage(own)]
  delay.disable()

  const before = performance.now()
  const report = await ledger.audit()
  const audited = performance.now() - before
  await ledger.close()
  rmSync(dir, { recursive: true })

  took.sort((a, b) => a - b)
  const at = (share: number) => (took[Math.floor((took.length - 1) * share)] ?? Number.NaN).toFixed(2)
  const perThousand = (microseconds: number) => (microseconds / 1000 / took.length).toFixed(3)
  const all = used.user + used.system
  const [p99, most] = [delay.percentile(99) / 1e6, delay.max / 1e6]
  console.log(`clients            ${clients}, ${server ? 'PostgreSQL, whose CPU is not counted' : 'SQLite'}`)
  console.log(`charges            ${took.length} (each after a durable reservation of its own)`)
  console.log(`charges / s        ${Math.round(took.length / elapsed)}`)
  console.log(`charge p50 / p99   ${at(0.5)} / ${at(0.99)} ms`)
  console.log(`event loop p99/max ${p99.toFixed(2)} / ${most.toFixed(2)} ms`)
  console.log(
    `CPU s / 1,000      ${perThousand(all)}, of it ${perThousand(main.user + main.system)} in the main thread`,
  )
  console.log(`audit              ${report.entries} entries in ${audited.toFixed(0)} ms`)
  console.log(`load average       ${loadavg()[0]?.toFixed(1)}\n`)
}

for (const clients of counts.length > 0 ? counts : [64, 256]) await measure(clients)
await server?.stop()
