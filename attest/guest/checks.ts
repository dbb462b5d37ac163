/** What a preflight check says, and what it may look at. */

import type { Files } from './files.ts'
import type { Exec } from './system.ts'

/** One finding. `cure` says what to do; it is empty when all is well. */
export interface Check {
  name: string
  result: 'ok' | 'warn' | 'fail'
  finding: string
  cure: string
}

/** The machine as the checks see it. */
export interface PreflightMachine {
  files: Files
  exec: Exec
  runtimeFolder: string
}

export const ok = (name: string, finding: string): Check => ({ name, result: 'ok', finding, cure: '' })
export const warn = (name: string, finding: string, cure: string): Check => ({
  name,
  result: 'warn',
  finding,
  cure,
})
export const fail = (name: string, finding: string, cure: string): Check => ({
  name,
  result: 'fail',
  finding,
  cure,
})

/** Output of a program that ended well, its first line of error when it did not, or that it is not installed. */
export type Told = { text: string } | { trouble: string } | 'missing'

/** Asks a program that answers at once. */
export async function ask(exec: Exec, program: string, ...args: string[]): Promise<Told> {
  try {
    const { status, stdout, stderr } = await exec(program, args, { timeoutMs: 20_000, maxBytes: 1024 * 1024 })
    const text = Buffer.from(stdout).toString('utf8').trim()
    if (status === 0) return { text }
    const said = (stderr.trim() || text).split('\n')[0] ?? ''
    return { trouble: `${program} ended with ${status}: ${said.slice(0, 200)}` }
  } catch (error) {
    const code = (error as { code?: unknown }).code
    return code === 'ENOENT' ? 'missing' : { trouble: `${program}: ${String(code ?? error).slice(0, 200)}` }
  }
}

/** A size for people. */
export function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`
}
