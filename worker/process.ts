/** What a worker process owes to those whose prompts it holds. */

import { readFileSync } from 'node:fs'

/**
 * A core dump would put prompts on disk. Node cannot lower the limit itself, so where it is not 0 a shell lowers it and
 * becomes this process again, with the same id. A supervisor has done this already. Windows has no core dumps.
 */
export function withoutCoreDumps(): void {
  if (process.platform === 'win32' || process.env.CHRYSALIS_NO_CORE === '1' || softCoreLimit() === '0') return
  // An IPC channel does not live through an exec, so a supervised process keeps what its supervisor set.
  if (process.connected || process.execve === undefined) return
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  process.execve('/bin/sh', ['sh', '-c', 'ulimit -c 0; exec "$@"', 'chrysalis-worker', ...command], {
    ...process.env,
    CHRYSALIS_NO_CORE: '1',
  })
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
