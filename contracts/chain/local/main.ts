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

async function main(): Promise<void> {
  const { dir, tokenFile, port } = readArguments()
  const token = (await readFile(tokenFile, 'utf8')).trim()
  const server = await startLocalChainServer({ dir, port, token })
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
  // The supervisor that started us is gone: leave nothing behind.
  process.on('disconnect', stop)
  // In a terminal Ctrl-C reaches the whole group; the supervisor decides in what order its processes stop.
  process.on('SIGINT', process.env.CHRYSALIS_SUPERVISED === '1' ? () => undefined : stop)
  process.stdout.write(`${JSON.stringify({ event: 'ready', url: server.url })}\n`)
}

main().catch((error: unknown) => {
  const line =
    error instanceof ContractsError
      ? { event: 'failed', code: error.code, message: error.message }
      : {
          event: 'failed',
          code: 'ERR_CHAIN_INTERNAL',
          message: error instanceof Error ? error.message : 'failed',
        }
  process.stderr.write(`${JSON.stringify(line)}\n`)
  process.exit(1)
})
