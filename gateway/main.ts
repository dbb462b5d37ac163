/**
 * Entry point of the gateway process. Prints one JSON line on stdout when it serves:
 * {"event":"ready","url":"http://…","channel":"EQ…"}. Logs go to stderr, codes and ids only.
 */
import { pino } from 'pino'
import { loadConfig } from '../attest/cli/config.ts'
import { ChrysalisError } from '../attest/errors.ts'
import { gatewaySchema } from './config.ts'
import { startGateway } from './server.ts'

async function main(): Promise<void> {
  const config = loadConfig(
    {
      name: 'chrysalis gateway',
      summary: 'Serve the OpenAI API, let attested workers in, keep the books and settle channels.',
      schema: gatewaySchema,
    },
    { argv: process.argv.slice(2), env: process.env },
  )
  // Synchronous: a line that explains a crash must not be lost in it.
  const log = pino({ level: config.logLevel, name: 'gateway' }, pino.destination({ fd: 2, sync: true }))
  const gateway = await startGateway(config, log)
  const { url, channel } = gateway
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    gateway.stop().then(
      () => process.exit(0),
      (error) => {
        log.error(
          { code: error instanceof ChrysalisError ? error.code : 'ERR_UNEXPECTED' },
          'could not stop cleanly',
        )
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  // In a terminal Ctrl-C reaches the whole group; under a supervisor that one decides the order of stopping.
  process.on('SIGINT', process.env.CHRYSALIS_SUPERVISED === '1' ? () => {} : stop)
  // The supervisor is gone: finish what runs and leave nothing behind.
  process.on('disconnect', stop)
  process.stdout.write(`${JSON.stringify({ event: 'ready', url, channel })}\n`)
}

main().catch((error: unknown) => {
  const text = error instanceof ChrysalisError || error instanceof Error ? error.message : 'failed'
  process.stderr.write(`gateway: ${text}\n`)
  process.exit(1)
})
