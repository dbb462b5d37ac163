import { pino } from 'pino'
import { z } from 'zod'
import { ConfigError, loadConfig } from '../../attest/cli/config.ts'
import { withoutCoreDumps } from '../../attest/cli/core-dumps.ts'
import { dieQuietly, onStop } from '../../attest/cli/process.ts'
import { formatTon, parseTon } from '../../contracts/amount.ts'
import { SidecarFolder, startSidecar } from '../sidecar/index.ts'
import { payingOptions, payingSettings } from './sidecar-settings.ts'

const schema = z.strictObject({
  ...payingSettings,
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on: of this machine alone'),
  port: z.coerce.number().int().min(0).max(65_535).default(8788).describe('port; 0 picks a free one'),
  maxBodyBytes: z.coerce.number().int().min(1024).default(1_000_000).describe('largest request body'),
  json: z.boolean().default(false).describe('print one JSON line when ready'),
})

/** The verbs beside serving; each is loaded only when called. */
const VERBS: Record<string, (argv: string[]) => Promise<void>> = {
  open: async (argv) => (await import('./sidecar-channel.ts')).open(argv),
  'top-up': async (argv) => (await import('./sidecar-channel.ts')).topUp(argv),
  close: async (argv) => (await import('./sidecar-channel.ts')).close(argv),
  status: async (argv) => (await import('./sidecar-status.ts')).status(argv),
  resume: async (argv) => (await import('./sidecar-status.ts')).resume(argv),
  restore: async (argv) => (await import('./sidecar-channel.ts')).restore(argv),
}

/** `chrysalis sidecar [VERB]`: without a verb it serves. */
export async function sidecar([name, ...argv]: string[]): Promise<void> {
  if (name === undefined || name.startsWith('-'))
    return await serve(name === undefined ? [] : [name, ...argv])
  const verb = VERBS[name]
  if (!verb)
    throw new ConfigError(
      `chrysalis sidecar: say one of ${Object.keys(VERBS).join(', ')}, or none to serve, not '${name}'`,
    )
  await verb(argv)
}

async function serve(argv: string[]): Promise<void> {
  const config = loadConfig(
    {
      name: 'chrysalis sidecar',
      summary:
        'Serve OpenAI clients on this machine and pay a gateway request by request, with a key that never leaves it.\n' +
        `Verbs: ${Object.keys(VERBS).join(', ')}; without one it serves.`,
      schema,
    },
    { argv, env: process.env },
  )
  withoutCoreDumps()
  const log = pino({ level: config.logLevel, name: 'sidecar' }, pino.destination({ fd: 2, sync: true }))
  dieQuietly(log)
  const folder = await SidecarFolder.open(config.data)
  const { key: apiKey, fresh } = await folder.apiKey()
  const running = await startSidecar({
    ...(await payingOptions(config, folder)),
    ...{ apiKey, host: config.host, port: config.port, bodyBytes: config.maxBodyBytes, log },
  })
  onStop(() => {
    // What runs is charged by what arrived; the next start finds that out.
    void running.stop().then(() => {
      folder.close()
      process.exit(0)
    })
  })
  const url = `${running.url}/v1`
  const { address, deposited, verified, ceiling, halted } = running.state
  if (config.json) {
    process.stdout.write(`${JSON.stringify({ event: 'ready', url, channel: address })}\n`)
    return
  }
  const ton = (amount: bigint) => `${formatTon(amount)} TON`
  process.stdout.write(
    [
      `The sidecar serves at ${url}`,
      '',
      fresh
        ? `  API key   ${apiKey}   (shown this once; it is in ${config.data}/api-key)`
        : `  API key   in ${config.data}/api-key`,
      `  channel   ${address}`,
      `  deposit   ${ton(deposited)}, ${ton(verified)} proven as charged, ${ton(ceiling)} signed`,
      `  slice     ${ton(parseTon(config.slice))} at risk`,
      ...(halted ? [`  STOPPED   ${halted.message}`] : []),
      '',
    ].join('\n'),
  )
}
