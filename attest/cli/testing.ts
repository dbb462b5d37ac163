/** Runs the command inside the test's own process, with a world of its own. */

import type { Io } from './io.ts'
import { main } from './main.ts'

/** What a run left behind. */
export interface Ran {
  status: number
  out: string
  err: string
}

/** Runs `attest ARGV` with captured output; changes replace parts of its world. */
export async function attest(argv: readonly string[], changes: Partial<Io> = {}): Promise<Ran> {
  let out = ''
  let err = ''
  const io: Io = {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    outBytes: (bytes) => {
      out += Buffer.from(bytes).toString('latin1')
    },
    terminal: false,
    colour: false,
    env: {},
    cwd: process.cwd(),
    now: Date.now,
    ...changes,
  }
  const status = await main(argv, io)
  return { status, out, err }
}
