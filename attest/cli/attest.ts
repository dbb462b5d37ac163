#!/usr/bin/env node
/** The process of the `attest` command. */

import { EXIT } from './command.ts'
import { processIo } from './io.ts'
import { main } from './main.ts'
import { codeOf } from './process.ts'

// npm runs scripts in the package's folder and names the person's own: there begin all paths that a person types.
if (process.env.npm_lifecycle_event === 'attest' && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD)
let unwritten = false
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
  // Whoever stops reading, as `head` does, has seen enough: the exit status still tells the verdict.
  if (code === 'EPIPE' || unwritten) return
  unwritten = true
  process.exitCode = EXIT.unusable
  process.stderr.write(
    `attest: its output cannot be written (${codeOf({ code })}), so nothing in it counts\n`,
  )
})
// Without a place for sentences the exit status has to do.
process.stderr.on('error', () => {})
const status = await main(process.argv.slice(2), processIo())
process.exitCode = unwritten ? EXIT.unusable : status
