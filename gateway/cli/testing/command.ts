/** Runs the command line: in a process of its own as a person would, or here, which is faster. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { codeOf } from '../../../attest/cli/process.ts'

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

/** What `chrysalis` does with one of its commands, in this process. */
export async function runHere(command: (argv: string[]) => Promise<void>, ...argv: string[]): Promise<Ran> {
  let stdout = ''
  const written = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text)
    return true
  })
  try {
    await command(argv)
    return { status: Number(process.exitCode ?? 0), stdout, stderr: '' }
  } catch (error) {
    return { status: codeOf(error) === 'ERR_CONFIG' ? 2 : 1, stdout, stderr: `${(error as Error).message}\n` }
  } finally {
    written.mockRestore()
    process.exitCode = 0
  }
}
