/**
 * Entry point of the local chain's process.
 *
 *   node contracts/chain/local/main.ts --dir DIR --token-file FILE [--port N]
 *
 * Prints one line on stdout when ready: {"event":"ready","url":"http://127.0.0.1:PORT"}. The token is read from a
 * file, never from the command line, which other users can see.
 */

import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { ContractsError } from '../../errors.ts'
import { startLocalChainServer } from './server.ts'

function readArguments(): { dir: string; tokenFile: string; port: number } {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      port: { type: 'string', default: '0' },
      'token-file': { type: 'string' },
    },
  })
  const port = Number(values.port)
  const tokenFile = values['token-file']
  if (values.dir === undefined || tokenFile === undefined) {
    throw new ContractsError('ERR_CHAIN_ARGUMENTS', '--dir and --token-file are required')
  }
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ContractsError('ERR_CHAIN_ARGUMENTS', '--port: a number from 0 to 65535')
  }
  return { dir: values.dir, tokenFile, port }
}

/** A former chain on the same folder, whose supervisor was killed, gets this long to end. */
const LOCK_WAIT_MS = 15_000

/** The supervisor is gone: end at once. What was acknowledged is on disk, and the next one waits for our lock. */
function endWithSupervisor(): void {
  process.on('disconnect', () => process.exit(0))
  // It may have gone while this process was being loaded: then nothing will tell.
  if (process.send !== undefined && !process.connected) process.exit(0)
}

async function main(): Promise<void> {
  endWithSupervisor()
  const { dir, tokenFile, port } = readArguments()
  const token = (await readFile(tokenFile, 'utf8')).trim()
  const server = await startLocalChainServer({ dir, port, token, lockWaitMs: LOCK_WAIT_MS })
  let stopping = false
  const stop = () => {
    if (stopping) return
    stopping = true
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', stop)
  // What a supervisor sends too: on Windows there is no SIGTERM that could be caught.
  process.on('message', (message) => {
    if ((message as { type?: unknown } | null)?.type === 'stop') stop()
  })
  // In a terminal Ctrl-C reaches the whole group; the supervisor decides in what order its processes stop.
  process.on('SIGINT', process.env.CHRYSALIS_SUPERVISED === '1' ? () => undefined : stop)
  process.stdout.write(`${JSON.stringify({ event: 'ready', url: server.url })}\n`)
}

main().catch((error: unknown) => {
  // Of anything that is not a refusal of ours only its code is told: a library's message may quote what it worked on.
  const known = error instanceof ContractsError
  const code = known ? error.code : ((error as NodeJS.ErrnoException).code ?? 'ERR_CHAIN_INTERNAL')
  const message = known ? error.message : 'the local chain could not start'
  process.stderr.write(`${JSON.stringify({ event: 'failed', code, message })}\n`)
  process.exit(1)
})
