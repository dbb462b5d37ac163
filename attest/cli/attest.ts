#!/usr/bin/env node
/** The process of the `attest` command. */

import { processIo } from './io.ts'
import { main } from './main.ts'

// npm runs scripts in the package's folder and names the person's own: there begin all paths that a person types.
if (process.env.npm_lifecycle_event === 'attest' && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD)
// Whoever stops reading, as `head` does, has seen enough: the exit status still tells the verdict.
process.stdout.on('error', () => {})
process.exitCode = await main(process.argv.slice(2), processIo())
