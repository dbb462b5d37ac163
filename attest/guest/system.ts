/** What a guest has besides files: programs to run, and time to wait. Injectable. */

import { execFile } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'

export interface ExecResult {
  /** Exit status; -1 when a signal ended it. */
  status: number
  stdout: Uint8Array
  stderr: string
}

/** Runs a program without a shell. Throws with `code` ENOENT when it is not installed, ETIMEDOUT when it hangs. */
export type Exec = (
  program: string,
  args: readonly string[],
  limits: { timeoutMs: number; maxBytes: number },
) => Promise<ExecResult>

/** Waits. */
export type Sleep = (ms: number) => Promise<void>

export const sleep: Sleep = async (ms) => {
  await setTimeout(ms)
}

/** Programs of this machine. They get a plain environment: no variable of ours leads them elsewhere. */
export const nodeExec: Exec = (program, args, { timeoutMs, maxBytes }) =>
  new Promise((resolve, reject) => {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin', LC_ALL: 'C' }
    const options = { timeout: timeoutMs, maxBuffer: maxBytes, encoding: 'buffer', env } as const
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error?.killed === true && error.code !== 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
        return reject(
          Object.assign(new Error(`${program}: no answer in ${timeoutMs} ms`), { code: 'ETIMEDOUT' }),
        )
      if (error !== null && typeof error.code === 'string') return reject(error)
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      return resolve({ status, stdout: new Uint8Array(stdout), stderr: stderr.toString('utf8') })
    })
  })
