/**
 * A core dump of a process that holds plaintext would put prompts on disk. Node cannot lower its own limit, so a POSIX
 * shell lowers it and then becomes Node (exec): process id and signals stay the process's own. Windows has no core dumps.
 */

import { readFileSync } from 'node:fs'

/** Lowering a soft limit to 0 is always allowed; should it fail all the same, nothing is started. */
const SHELL = ['/bin/sh', '-c', 'ulimit -c 0 && exec "$@"', 'chrysalis']

/** The command that starts `command` with core dumps off: file, then arguments. */
export function commandWithoutCoreDumps(command: readonly string[]): [string, string[]] {
  const [file = '', ...args] = process.platform === 'win32' ? command : [...SHELL, ...command]
  return [file, args]
}

/**
 * Turns core dumps off for this process: where the limit is not 0 already, as under a supervisor, the process starts
 * itself again through the shell, with the same id. Call it before anything else.
 */
export function withoutCoreDumps(): void {
  if (process.platform === 'win32' || process.env.CHRYSALIS_NO_CORE === '1' || softCoreLimit() === '0') return
  // An IPC channel does not live through an exec, so a supervised process keeps what its supervisor set.
  if (process.connected || process.execve === undefined) return
  const own = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const [file, args] = commandWithoutCoreDumps(own)
  process.execve(file, ['sh', ...args], { ...process.env, CHRYSALIS_NO_CORE: '1' })
}

function softCoreLimit(): string | undefined {
  try {
    const line = readFileSync('/proc/self/limits', 'utf8')
      .split('\n')
      .find((candidate) => candidate.startsWith('Max core file size'))
    return line?.slice('Max core file size'.length).trim().split(/\s+/)[0]
  } catch {
    return undefined
  }
}
