#!/usr/bin/env node
/** The process of the `attest` command. */

import { processIo } from './io.ts'
import { main } from './main.ts'

// Whoever stops reading, as `head` does, has seen enough: the exit status still tells the verdict.
process.stdout.on('error', () => {})
process.exitCode = await main(process.argv.slice(2), processIo())
