/** @module Processes on a core of their own, and the CPU time that they use. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** Where and how a process runs. */
export interface Placement {
  /** Index of the core; undefined: wherever the system puts it. */
  readonly core: number | undefined
  /** As a real-time process, so that a busy machine disturbs the measurement less. */
  readonly realtime: boolean
}

const CAN_PIN = spawnSync('taskset', ['--version']).status === 0

/** Whether processes can be held on one core here. */
export function canPin(): boolean {
  return CAN_PIN
}

export interface Started {
  readonly child: ChildProcess
  /** The one line of JSON by which it says that it serves. */
  readonly ready: Record<string, unknown>
}

/** Starts a process and waits for its ready line, or for `probe` when it prints none. */
export async function start(
  command: readonly string[],
  placement: Placement,
  options: { cwd?: string; ipc?: boolean; probe?: () => Promise<boolean> } = {},
): Promise<Started> {
  const child = launch(command, placement, options)
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`${command.slice(0, 3).join(' ')} ended with ${code} before it was ready`)
  })
  gone.catch(() => {})
  const { probe } = options
  if (probe) {
    child.stdout?.resume()
    while (!(await Promise.race([probe(), gone]))) await new Promise((resolve) => setTimeout(resolve, 50))
    return { child, ready: {} }
  }
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const [line] = (await Promise.race([once(lines, 'line'), gone])) as [string]
  return { child, ready: JSON.parse(line) as Record<string, unknown> }
}

/** Starts a process on its core; the process id is that of the command itself. */
export function launch(
  command: readonly string[],
  { core, realtime }: Placement,
  { cwd, ipc = false }: { cwd?: string; ipc?: boolean } = {},
): ChildProcess {
  const pinned = core !== undefined && CAN_PIN ? ['taskset', '-c', String(core)] : []
  const [file = '', ...args] = [...pinned, ...(realtime ? ['chrt', '-r', '10'] : []), ...command]
  return spawn(file, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, CHRYSALIS_NO_CORE: '1', NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'inherit', ...(ipc ? (['ipc'] as const) : [])],
  })
}

/** Stops a process that was started here. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await gone
  clearTimeout(timer)
}

/** Time on the CPU of all threads of a process so far, in µs (Linux, to the nanosecond). */
export function cpuMicros(pid: number): number {
  let nanos = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanos += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0])
  }
  return nanos / 1000
}

/** Resident memory of a process, MiB. */
export function residentMiB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(line) / 1024
}
