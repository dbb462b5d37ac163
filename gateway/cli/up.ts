import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { loadConfig } from '../../attest/cli/config.ts'
import { type DataFolder, openDataFolder } from '../data/index.ts'
import { banner } from './banner.ts'
import { makeRoles, type Roles, startRoles, stopRoles } from './roles.ts'
import { onStopSignal, type Role } from './supervisor.ts'

export const upSchema = z.strictObject({
  port: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8787)
    .describe('port of the gateway; 0 picks a free one'),
  host: z.string().min(1).default('127.0.0.1').describe('address that the gateway listens on'),
  data: z.string().min(1).default('./.chrysalis').describe('folder for keys, ledger and local chain'),
  reset: z.boolean().default(false).describe('throw away what earlier runs left in the data folder'),
  json: z
    .boolean()
    .default(false)
    .describe('print one JSON line on stdout when ready, everything else on stderr'),
  model: z.string().min(1).optional().describe('a GGUF file to serve instead of the embedded model'),
  gpu: z.enum(['auto', 'cuda', 'off']).default('auto').describe('where the engine computes'),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('least severe log line to print'),
})

/** What `up` tells once everything serves. */
export interface UpReady {
  event: 'ready'
  url: string
  apiKey: string
  models: string[]
  channel: string
}

/** `chrysalis up`, alias `npm start`: chain, gateway and worker as processes of their own, kept running. */
export async function up(argv: string[]): Promise<void> {
  const config = loadConfig(
    {
      name: 'chrysalis up',
      summary:
        'Start gateway, worker, simulated enclave, local chain, a funded channel and an API key on this machine.',
      schema: upSchema,
    },
    { argv, env: process.env },
  )
  const folder = await openDataFolder(config.data, { reset: config.reset })
  const roles = makeRoles(config, folder)
  for (const role of Object.values(roles)) watch(role)
  const stop = async () => {
    await stopRoles(roles)
    folder.close()
  }
  onStopSignal(() => {
    process.stderr.write('draining …\n')
    return stop()
  })
  try {
    const ready = await startAll(roles, folder)
    process.stdout.write(config.json ? `${JSON.stringify(ready)}\n` : banner(ready, folder.dir))
  } catch (error) {
    await stop()
    throw error
  }
}

async function startAll(roles: Roles, folder: DataFolder): Promise<UpReady> {
  const { url, channel } = await startRoles(roles, folder)
  const apiKey = (await readFile(folder.path('gateway', 'api-key'), 'utf8')).trim()
  const models = await listModels(`${url}/v1/models`, apiKey)
  return { event: 'ready', url: `${url}/v1`, apiKey, models, channel: String(channel) }
}

function watch(role: Role): void {
  role.on('died', (how) => process.stderr.write(`a process ${how}; starting it again\n`))
  role.on('failed', (error) => {
    process.stderr.write(`${error.message}\n`)
    process.kill(process.pid, 'SIGTERM')
  })
}

async function listModels(url: string, apiKey: string): Promise<string[]> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } })
  const { data } = (await response.json()) as { data: { id: string }[] }
  return data.map(({ id }) => id)
}
