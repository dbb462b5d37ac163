/** @module What was measured, as a person reads it. */

import { cpus } from 'node:os'
import type { Places } from './contenders.ts'
import type { LoadResult } from './load.ts'

export type Workload = 'whole' | 'streamed' | 'paced'

/** One measurement of one contender. */
export interface Sample extends LoadResult {
  readonly name: string
  readonly workload: Workload
  /** µs on the CPU in all. */
  readonly cpu: { readonly server: number; readonly worker: number; readonly generator: number }
  /** MiB. */
  readonly rss: number
}

export function printConditions(conditions: {
  places: Places
  pinned: boolean
  seconds: number
  repeats: number
  connections: number
  paced: number
}): void {
  const { places, pinned, seconds, repeats, connections, paced } = conditions
  print(`machine      ${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}`)
  print(
    pinned
      ? `cores        each server on core ${places.server.core}; load, upstream, worker and chain on core ${places.rest.core}`
      : 'cores        not pinned: the figures of different servers can hardly be compared',
  )
  print(`scheduling   ${places.server.realtime ? 'SCHED_RR' : 'normal'}`)
  print(`length       ${repeats} × ${seconds} s of each, taking turns; best of them in the tables`)
  print(`load         ${connections} connections; paced: ${paced} streams of 20 tokens a second`)
  print('chrysalis    sealing, receipts, metering and durable charges on; padding bucket, cadence 0 ms')
  print('events       padded to 256·2^k bytes for everybody (include_obfuscation)')
}

type Row = readonly (string | number)[]

export function printTable(samples: readonly Sample[]): void {
  const of = (workload: Workload) => samples.filter((sample) => sample.workload === workload)
  table(
    [
      'whole answers of 16 tokens',
      'req/s',
      'CPU µs/req',
      'worker µs/req',
      'p50 ms',
      'p99 ms',
      'failed',
      'RSS MB',
    ],
    rows(of('whole'), (s) => [
      round(s.requests / (s.elapsedMs / 1000)),
      round(s.cpu.server / s.requests),
      round(s.cpu.worker / s.requests),
      s.answer.p50.toFixed(2),
      s.answer.p99.toFixed(2),
      s.failed,
      round(s.rss),
    ]),
  )
  table(
    [
      'streams of 200 tokens',
      'chunks/s',
      'CPU µs/chunk',
      'worker µs/chunk',
      'p50 ms',
      'p99 ms',
      'failed',
      'RSS MB',
    ],
    rows(of('streamed'), (s) => [
      round(s.chunks / (s.elapsedMs / 1000)),
      (s.cpu.server / s.chunks).toFixed(1),
      (s.cpu.worker / s.chunks).toFixed(1),
      s.answer.p50.toFixed(1),
      s.answer.p99.toFixed(1),
      s.failed,
      round(s.rss),
    ]),
  )
  table(
    [
      'paced streams',
      'token p50 ms',
      'p99 ms',
      'first p50 ms',
      'p99 ms',
      'CPU µs/chunk',
      'worker µs/chunk',
      'failed',
    ],
    rows(of('paced'), (s) => [
      s.token.p50.toFixed(2),
      s.token.p99.toFixed(2),
      s.first.p50.toFixed(1),
      s.first.p99.toFixed(1),
      (s.cpu.server / s.chunks).toFixed(0),
      (s.cpu.worker / s.chunks).toFixed(0),
      s.failed,
    ]),
  )
}

/** The best sample of each contender: least CPU of its own, or least delay where it has none to compare. */
function rows(samples: readonly Sample[], cells: (sample: Sample) => Row): Row[] {
  const names = [...new Set(samples.map(({ name }) => name))]
  return names.flatMap((name) => {
    const [best] = samples.filter((sample) => sample.name === name).sort((a, b) => cost(a) - cost(b))
    return best ? [[name, ...cells(best)]] : []
  })
}

function cost({ workload, token, requests, elapsedMs }: Sample): number {
  return workload === 'paced' ? token.p99 : elapsedMs / requests
}

function table(head: readonly string[], rows: readonly Row[]): void {
  if (rows.length === 0) return
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => String(row[i]).length)))
  const line = (cells: Row) =>
    cells.map((cell, i) =>
      i === 0 ? String(cell).padEnd(widths[i] ?? 0) : String(cell).padStart(widths[i] ?? 0),
    )
  print('')
  for (const row of [head, ...rows]) print(`| ${line(row).join(' | ')} |`)
}

function round(value: number): number {
  return Math.round(value)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
