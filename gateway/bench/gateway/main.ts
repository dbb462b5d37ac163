/**
 * Chrysalis beside Portkey's gateway and a bare Hono proxy, in one run: `npm run bench:gateway [-- --help]`.
 * gateway/bench/README.md says how to read it.
 */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  type Contender,
  missingPortkey,
  type Places,
  startChrysalis,
  startHonoProxy,
  startPortkey,
  startUpstream,
} from './contenders.ts'
import type { LoadJob, LoadResult } from './load.ts'
import { nodesOnPath } from './nodes.ts'
import { canPin, cpuMicros, launch, residentMiB, stop } from './processes.ts'
import { printConditions, printTable, type Sample, type Workload } from './report.ts'

const HELP = `npm run bench:gateway [-- FLAGS]
  --seconds N      length of each measurement (3)
  --repeats N      measurements of each kind, the contenders taking turns (3)
  --only LIST      of chrysalis,portkey,hono (all)
  --workloads LIST of whole,streamed,paced (all)
  --connections N  of whole answers and of streams as fast as they go (32)
  --paced N        streams of 20 tokens a second whose delay is measured (100)
  --realtime       run everything under SCHED_RR: for a busy machine
  --profile DIR    CPU profiles of our gateway and worker; nothing is pinned then
  --json           print the samples as JSON lines as well
`

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    repeats: { type: 'string', default: '3' },
    only: { type: 'string', default: 'chrysalis,portkey,hono' },
    workloads: { type: 'string', default: 'whole,streamed,paced' },
    connections: { type: 'string', default: '32' },
    paced: { type: 'string', default: '100' },
    realtime: { type: 'boolean', default: false },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const seconds = Number(flags.seconds)
const connections = Number(flags.connections)
const paced = Number(flags.paced)

/** What each workload asks for. A paced stream takes 10 s, so that beginning and end are a small part of it. */
const jobs: Record<Workload, Pick<LoadJob, 'script' | 'stream' | 'connections' | 'rampMs'> & { ms: number }> =
  {
    whole: { script: { tokens: 16, everyMs: 0 }, stream: false, connections, rampMs: 0, ms: seconds * 1000 },
    streamed: {
      script: { tokens: 200, everyMs: 0 },
      stream: true,
      connections,
      rampMs: 0,
      ms: seconds * 1000,
    },
    paced: {
      script: { tokens: 200, everyMs: 50 },
      stream: true,
      connections: paced,
      // One stream after the other, 21.3 ms apart: their ticks then fall on all parts of the 50 ms.
      rampMs: paced * 21.3,
      ms: 1,
    },
  }

async function main(): Promise<void> {
  if (flags.help) {
    process.stdout.write(HELP)
    return
  }
  const wanted = flags.only.split(',')
  const missing = wanted.some((name) => name !== 'chrysalis') && missingPortkey()
  if (missing) throw new Error(missing)
  // The sampler of a profile needs time of its own beside the thread that it looks at.
  const two = canPin() && availableParallelism() > 1 && flags.profile === undefined
  const realtime = flags.realtime
  const places: Places = {
    server: { core: two ? 0 : undefined, realtime },
    rest: { core: two ? 1 : undefined, realtime },
  }
  const open: { close(): Promise<unknown> }[] = []
  try {
    const load = launch([process.execPath, fileURLToPath(new URL('load.ts', import.meta.url))], places.rest, {
      ipc: true,
    })
    open.push({ close: () => stop(load) })
    await once(load, 'message')
    const upstream = await startUpstream(places)
    open.push(upstream)
    const origin = new URL(upstream.url).origin
    const contenders: Contender[] = [upstream]
    const add = (contender: Contender) => {
      open.push(contender)
      contenders.push(contender)
    }
    if (wanted.includes('hono')) add(await startHonoProxy(origin, places))
    if (wanted.includes('portkey')) {
      for (const node of nodesOnPath()) add(await startPortkey(origin, node, places))
    }
    if (wanted.includes('chrysalis')) {
      const sequences = Math.max(connections, paced)
      add(await startChrysalis(places, { sequences, profile: flags.profile }))
    }
    printConditions({ places, pinned: two, seconds, repeats: Number(flags.repeats), connections, paced })
    printTable(await measureAll(load, contenders))
  } finally {
    for (const each of open.reverse()) await each.close()
  }
}

async function measureAll(load: ChildProcess, contenders: readonly Contender[]): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const workload of flags.workloads.split(',') as Workload[]) {
    for (const contender of contenders)
      await measure(load, contender, workload, Math.min(1500, seconds * 1000))
    for (let repeat = 0; repeat < Number(flags.repeats); repeat++) {
      for (const contender of contenders) {
        const sample = await measure(load, contender, workload, seconds * 1000)
        if (flags.json) process.stdout.write(`${JSON.stringify(sample)}\n`)
        else process.stderr.write('.')
        samples.push(sample)
      }
    }
  }
  process.stderr.write('\n')
  return samples
}

async function measure(
  load: ChildProcess,
  { name, url, headers, pid, workerPid }: Contender,
  workload: Workload,
  ms: number,
): Promise<Sample> {
  const cpu = () => [pid, workerPid, load.pid].map((id) => (id === undefined ? 0 : cpuMicros(id)))
  const job = jobs[workload]
  const before = cpu()
  load.send({ ...job, url, headers, ms: Math.min(job.ms, ms) } satisfies LoadJob)
  const [result] = (await once(load, 'message')) as [LoadResult]
  const [server = 0, worker = 0, generator = 0] = cpu().map((after, i) => after - (before[i] ?? 0))
  const rss = pid === undefined ? 0 : residentMiB(pid)
  return { name, workload, ...result, cpu: { server, worker, generator }, rss }
}

await main()
