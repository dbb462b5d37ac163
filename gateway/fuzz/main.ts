/** `npm run fuzz:gateway -- --bodies N --connections N [--seed N]`. Exits 1 when something did what nothing may do. */

import { parseArgs } from 'node:util'
import { fuzzBodies } from './bodies.ts'
import { fuzzSockets } from './sockets.ts'

const { values } = parseArgs({
  options: {
    bodies: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '10000' },
    seed: { type: 'string', default: String(Math.trunc(Date.now() / 1000)) },
  },
})
const [bodies, connections, seed] = [values.bodies, values.connections, values.seed].map(Number)
if (![bodies, connections, seed].every(Number.isSafeInteger)) {
  process.stderr.write('Usage: npm run fuzz:gateway -- [--bodies N] [--connections N] [--seed N]\n')
  process.exit(2)
}

/** Memory that is in use, in MiB, after a collection where `--expose-gc` allows one. */
function heap(): number {
  globalThis.gc?.()
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20)
}

let shown = 0
const progress = (what: string, all: number) => (done: number) => {
  if (performance.now() - shown < 500 || !process.stderr.isTTY) return
  shown = performance.now()
  process.stderr.write(`\r${what}: ${done} of ${all} (${Math.floor((100 * done) / all)} %) `)
}

const line = (name: string, sent: number, statuses: Map<number, number>, crashes: number) => {
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
  process.stdout.write(`| ${name} | ${sent} | ${counts.join(', ')} | ${crashes} |\n`)
}

process.stdout.write(`seed ${seed}\n| input | sent | answers by status | crashes |\n|---|---|---|---|\n`)
await fuzzBodies({ bodies: 2000, seed: 1 })
const before = heap()
const sent = await fuzzBodies({
  bodies: bodies ?? 0,
  seed: seed ?? 0,
  onProgress: progress('bodies', bodies ?? 0),
})
line('bodies', sent.sent, sent.statuses, sent.crashes.length)
const opened = await fuzzSockets({
  connections: connections ?? 0,
  seed: seed ?? 0,
  onProgress: progress('connections', connections ?? 0),
})
line('connections', opened.opened, opened.statuses, opened.crashes.length)
process.stdout.write(`heap before and after: ${before} MiB, ${heap()} MiB\n`)
for (const crash of [...sent.crashes, ...opened.crashes]) process.stdout.write(`${crash}\n`)
process.exit(sent.crashes.length + opened.crashes.length > 0 ? 1 : 0)
