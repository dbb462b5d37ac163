/** Runs the command line as a person would, in a process of its own. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../chrysalis.ts', import.meta.url))

export interface Ran {
  status: number
  stdout: string
  stderr: string
}

/** `chrysalis ARGV…`; resolves when it has ended, however it ended. */
export function chrysalis(...argv: string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [MAIN, ...argv], (_error, stdout, stderr) =>
      resolve({ status: child.exitCode ?? -1, stdout, stderr }),
    )
  })
}
