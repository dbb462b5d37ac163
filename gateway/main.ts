/**
 * Entry point of the gateway process. Prints one JSON line on stdout when it serves:
 * {"event":"ready","url":"http://…","channel":"EQ…"}. Logs go to stderr, codes and ids only.
 */

import { pino } from 'pino'
import { loadConfig } from '../attest/cli/config.ts'
import { withoutCoreDumps } from '../attest/cli/core-dumps.ts'
import { codeOf, dieQuietly, onStop, placeOf } from '../attest/cli/process.ts'
import { gatewaySchema } from './config.ts'
import { isKnown } from './known.ts'

/** A gateway without its supervisor has no worker either: what runs is billed by what arrived, and that is all. */
const ORPHAN_DRAIN_MS = 1_000
/** After this much longer than the drain the process ends by force. */
const FORCE_MS = 5_000

async function main(): Promise<void> {
  const config = loadConfig(
    {
      name: 'chrysalis gateway',
      summary: 'Serve the OpenAI API, let attested workers in, keep the books and settle channels.',
      schema: gatewaySchema,
    },
    { argv: process.argv.slice(2), env: process.env },
  )
  withoutCoreDumps()
  // Synchronous: a line that explains a crash must not be lost in it.
  const log = pino({ level: config.logLevel, name: 'gateway' }, pino.destination({ fd: 2, sync: true }))
  const die = dieQuietly(log)
  // Before anything that takes time, so that a stop during the start counts.
  const asked = Promise.withResolvers<{ drainMs: number }>()
  onStop((orphaned) => {
    const drainMs = orphaned ? ORPHAN_DRAIN_MS : config.drainSeconds * 1000
    setTimeout(() => process.exit(1), drainMs + FORCE_MS).unref()
    asked.resolve({ drainMs })
  })
  // Loaded late, so that --help and a wrong flag answer at once.
  const { startGateway } = await import('./server.ts')
  const first = await Promise.race([startGateway(config, log), asked.promise])
  // A stop during the start: nothing runs yet, and every step of the start can be repeated.
  if (!('url' in first)) process.exit(0)
  const { url, channel } = first
  process.stdout.write(`${JSON.stringify({ event: 'ready', url, channel })}\n`)
  const { drainMs } = await asked.promise
  await first.stop(drainMs).catch((error) => die(error, 'could not stop cleanly'))
  process.exit(0)
}

try {
  await main()
} catch (error) {
  const text = isKnown(error) ? error.message : `failed to start (${codeOf(error)} at ${placeOf(error)})`
  process.stderr.write(`gateway: ${text}\n`)
  process.exit(isKnown(error) && error.code === 'ERR_CONFIG' ? 2 : 1)
}
