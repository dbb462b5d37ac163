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
import { parseArgs } from 'node:util'
import { newRequestId } from '../../worker/protocol/index.ts'
import { Ledger } from '../ledger/index.ts'
import { postgresPrograms, TestPostgres } from '../ledger/testing/postgres.ts'

/** Charges a second, with an event loop p99 of so many ms at most. */
const GOAL = { rate: 20_000, loopMs: 10 }

const { values, positionals } = parseArgs({
  options: { postgres: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [seconds = 5, ...counts] = positionals.map(Number)
if (![seconds, ...counts].every((number) => number > 0)) {
  throw new Error(
    'SECONDS and CLIENTS: numbers above 0, as in: node gateway/bench/ledger.ts --postgres 5 64 256',
  )
}
const programs = values.postgres ? postgresPrograms() : undefined
if (values.postgres && programs === undefined) throw new Error('--postgres: install PostgreSQL')
const server = programs === undefined ? undefined : await TestPostgres.start(programs)
const { privateKey } = generateKeyPairSync('ed25519')
const payload = 'A'.repeat(900)
const signature = 'A'.repeat(86)
const worker = { id: 'worker', bootId: 'boot' }

/** One run on a new ledger. @returns charges a second, and the event loop's p99 in ms */
async function measure(clients: number): Promise<{ clients: number; rate: number; loopMs: number }> {
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
  return { clients, rate: took.length / elapsed, loopMs: p99 }
}

const runs = []
for (const clients of counts.length > 0 ? counts : [64, 256]) runs.push(await measure(clients))
await server?.stop()
if (!server) {
  const verdicts = runs.map(({ clients, rate, loopMs }) => {
    const met = rate >= GOAL.rate && loopMs <= GOAL.loopMs
    return `${met ? 'met' : 'missed'} with ${clients} clients (${Math.round(rate)}, ${loopMs.toFixed(1)} ms)`
  })
  console.log(
    `goal: at least ${GOAL.rate} charges a second, event loop p99 at most ${GOAL.loopMs} ms: ${verdicts.join(', ')}`,
  )
}
