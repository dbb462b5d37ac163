/** `npm run fuzz:gateway`: see USAGE. Exits 1 when something did what nothing may do. */

import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fire, repeat, type Tally, tell } from './run.ts'
import { fuzzSockets } from './sockets.ts'
import { type OpenStand, openFace, openNetwork } from './stands.ts'

const USAGE = `Usage: npm run fuzz:gateway -- [--count N] [--network N] [--connections N] [--seed N]
       npm run fuzz:gateway -- --case N --seed N [--network 1]     one request again, with its answer

  --count N        requests to the gateway's face, over a dispatcher that follows a script (100000)
  --network N      requests through gateway, seal, worker and ledger, the engine following a script (2000)
  --connections N  connections that are slow, cut off or never end (2000)
`

const CONNECTIONS = 16
const PIPELINED = 16
/** Requests after which the heap is looked at for the first time: until then code is compiled and caches fill. */
const WARM_UP = 5000

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    network: { type: 'string', default: '2000' },
    connections: { type: 'string', default: '2000' },
    seed: { type: 'string', default: String(Math.trunc(Date.now() / 1000)) },
    case: { type: 'string' },
  },
})
const count = Number(values.count)
const network = Number(values.network)
const connections = Number(values.connections)
const seed = Number(values.seed)
const repeated = Number(values.case ?? -1)
if (![count, network, connections, seed, repeated].every(Number.isSafeInteger)) {
  process.stderr.write(USAGE)
  process.exit(2)
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Memory that is in use after a collection, in MiB. */
function heap(): number {
  collect()
  return Math.round(process.memoryUsage().heapUsed / 2 ** 20)
}

let shown = 0
function progress(what: string, done: number, all: number): void {
  const every = process.stderr.isTTY ? 500 : 30_000
  if (performance.now() - shown < every) return
  shown = performance.now()
  const text = `${what}: ${done} of ${all} (${Math.floor((100 * done) / all)} %) `
  process.stderr.write(process.stderr.isTTY ? `\r${text}` : `${text}\n`)
}

function list(counts: ReadonlyMap<string | number, number>): string {
  const sorted = [...counts].sort(([a], [b]) => String(a).localeCompare(String(b)))
  return sorted.map(([name, times]) => `${name}: ${times}`).join(', ')
}

function report(name: string, tally: Tally): boolean {
  const defects = tally.defects.length + tally.faults.length
  process.stdout.write(`| ${name} | ${tally.requests} | ${list(tally.statuses)} | ${defects} |\n`)
  for (const fault of tally.faults) process.stdout.write(`${fault}\n`)
  for (const defect of tally.defects) process.stdout.write(tell(defect))
  return defects === 0
}

/** So many requests, after some that warm it up. */
async function fuzz(name: string, stand: OpenStand, amount: number): Promise<boolean> {
  const options = { seed, connections: CONNECTIONS, pipelined: PIPELINED }
  const warm = Math.min(WARM_UP, amount)
  const first = await fire(stand, { ...options, from: 0, to: warm })
  const before = heap()
  const started = performance.now()
  const tally = await fire(stand, {
    ...options,
    from: warm,
    to: amount,
    progress: ({ requests }) => progress(name, warm + requests, amount),
  })
  const seconds = (performance.now() - started) / 1000
  const clean = report(name, merged(first, tally))
  process.stdout.write(
    `${list(tally.kinds)}; ${Math.round(tally.requests / seconds)} a second; heap ${before} MiB after ${warm}, ${heap()} MiB at the end\n`,
  )
  return clean
}

function merged(a: Tally, b: Tally): Tally {
  const sum = <K>(one: Map<K, number>, other: Map<K, number>) => {
    const all = new Map(one)
    for (const [key, times] of other) all.set(key, (all.get(key) ?? 0) + times)
    return all
  }
  return {
    requests: a.requests + b.requests,
    answers: a.answers + b.answers,
    kinds: sum(a.kinds, b.kinds),
    statuses: sum(a.statuses, b.statuses),
    defects: [...a.defects, ...b.defects],
    faults: [...a.faults, ...b.faults],
  }
}

async function main(): Promise<boolean> {
  if (repeated >= 0) {
    await using stand = await (values.network === '1' ? openNetwork() : openFace())
    process.stdout.write(tell({ number: repeated, what: 'again', ...(await repeat(stand, seed, repeated)) }))
    return true
  }
  process.stdout.write(`seed ${seed}\n| input | sent | answers by status | defects |\n|---|---|---|---|\n`)
  let clean = true
  if (count > 0) {
    await using stand = await openFace()
    clean &&= await fuzz('face', stand, count)
  }
  if (network > 0) {
    await using stand = await openNetwork()
    clean &&= await fuzz('network', stand, network)
  }
  if (connections > 0) {
    const onProgress = (opened: number) => progress('connections', opened, connections)
    const { opened, statuses, crashes } = await fuzzSockets({ connections, seed, onProgress })
    process.stdout.write(`| connections | ${opened} | ${list(statuses)} | ${crashes.length} |\n`)
    for (const crash of crashes) process.stdout.write(`${crash}\n`)
    clean &&= crashes.length === 0
  }
  return clean
}

process.exit((await main()) ? 0 : 1)
