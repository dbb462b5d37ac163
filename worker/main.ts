/** The worker process: `node worker/main.ts --help`. */

import pino from 'pino'
import { withoutCoreDumps } from '../attest/cli/core-dumps.ts'
import { codeOf, dieQuietly, onStop, placeOf } from '../attest/cli/process.ts'
import { ChrysalisError } from '../attest/errors.ts'
import { ContractsError } from '../contracts/errors.ts'
import { readSettings } from './config.ts'
import type { WorkerStatus } from './status.ts'

/** After this much longer than the drain the process ends by force. */
const FORCE_MS = 5_000

/** To whoever started this process with an IPC channel: see worker/status.ts. One that is gone hears nothing. */
function tellParent(status: WorkerStatus): void {
  if (process.connected) process.send?.(status, undefined, undefined, () => {})
}

async function main(): Promise<void> {
  const settings = readSettings({ argv: process.argv.slice(2), env: process.env })
  withoutCoreDumps()
  const log = pino(
    { level: settings.logLevel, base: { role: 'worker', pid: process.pid } },
    pino.destination({ fd: 2, sync: true }),
  )
  const die = dieQuietly(log)
  // Before anything that takes time, so that a stop during the start counts.
  const stopped = Promise.withResolvers<boolean>()
  onStop((orphaned) => {
    log.info({ orphaned }, 'stopping')
    // Nobody waits for an orphan; and a start that hangs must not keep a process alive.
    if (orphaned) process.exit(0)
    setTimeout(() => process.exit(1), settings.drainSeconds * 1000 + FORCE_MS).unref()
    stopped.resolve(orphaned)
  })
  // Loaded late, so that --help and a wrong flag answer at once.
  const { runWorker } = await import('./run.ts')
  const onFatal = (error: unknown) => die(error, 'the worker cannot go on')
  const starting = runWorker(settings, { log, onFatal, tell: tellParent })
  const worker = await Promise.race([starting, stopped.promise])
  // A stop during the start: nothing runs yet that would have to be drained.
  if (typeof worker === 'boolean') process.exit(0)
  void worker.ready.then((line) => process.stdout.write(`${JSON.stringify(line)}\n`))
  await stopped.promise
  await worker.close(settings.drainSeconds * 1000)
  process.exit(0)
}

try {
  await main()
} catch (error) {
  // What we refuse ourselves is a sentence for a person (errors of contracts have their own base); of anything else
  // only its code is told.
  const known = error instanceof ChrysalisError || error instanceof ContractsError
  const text = known ? error.message : `worker: failed to start (${codeOf(error)} at ${placeOf(error)})`
  process.stderr.write(`${text}\n`)
  process.exit(known && error.code === 'ERR_CONFIG' ? 2 : 1)
}
