import { readdirSync, readFileSync } from 'node:fs'

/** Processes (Linux) whose command line holds `text`; a data folder's path makes a good one. */
export function processesWith(text: string): { pid: number; command: string }[] {
  const found: { pid: number; command: string }[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const command = read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim()
    if (command.includes(text)) found.push({ pid: Number(name), command })
  }
  return found
}

/** Pids of a process and of everything that it started. */
export function descendantsOf(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(descendantsOf)]
}

/** The soft limit of core dump size, as the kernel words it. */
export function coreLimit(pid: number): string | undefined {
  return /^Max core file size\s+(\S+)/m.exec(read(`/proc/${pid}/limits`))?.[1]
}

/** True while the process exists and is not a zombie. */
export function isAlive(pid: number): boolean {
  const state = /^State:\s+(\S)/m.exec(read(`/proc/${pid}/status`))?.[1]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** Resolves when none of the processes is left. Linux tells only a parent of an end, so that who is not one has to ask. */
export async function allGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 20))
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
