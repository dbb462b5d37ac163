import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { loadConfig } from '../../attest/cli/config.ts'
import { takeChainLock } from '../../contracts/chain/local/lock.ts'
import { type DataFolder, openDataFolder } from '../data/index.ts'
import { banner } from './banner.ts'
import { makeRoles, type Roles, startRoles, stopRoles } from './roles.ts'
import { onStopSignal, type Role } from './supervisor.ts'

/** How long the processes of a killed run may take to end. */
const TAKEOVER_MS = 15_000

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
  gpu: z
    .enum(['auto', 'cuda', 'off'])
    .default('off')
    .describe(
      'where the engine computes: off (CPU), auto or cuda; not attested, since the enclave is simulated',
    ),
  simulateGpus: z.coerce
    .number()
    .int()
    .min(0)
    .max(16)
    .default(0)
    .describe('for developers: simulated GPUs to attest; they compute nothing'),
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
  const folder = await openFolder(config)
  const roles = makeRoles(config, folder)
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= stopRoles(roles).finally(() => folder.close())
    return stopping
  }
  const end = onStopSignal(() => {
    process.stderr.write('draining …\n')
    return stop()
  })
  for (const role of Object.values(roles)) watch(role, end)
  try {
    const ready = await startAll(roles, folder)
    process.stdout.write(config.json ? `${JSON.stringify(ready)}\n` : banner(ready, folder.dir, config.gpu))
  } catch (error) {
    // Asked to stop during the start: that is no failure, and whoever asked decides the exit status.
    if (stopping) return await stopping
    await stop()
    throw error
  }
}

/** Takes the data folder; a reset waits for what a killed run left behind, which might write its state once more. */
async function openFolder({ data, reset }: { data: string; reset: boolean }): Promise<DataFolder> {
  if (!reset || !existsSync(join(data, 'chain'))) return await openDataFolder(data, { reset })
  const folder = await openDataFolder(data)
  try {
    const unlock = await takeChainLock(folder.path('chain'), TAKEOVER_MS)
    unlock()
  } finally {
    folder.close()
  }
  return await openDataFolder(data, { reset })
}

async function startAll(roles: Roles, folder: DataFolder): Promise<UpReady> {
  const { url, channel } = await startRoles(roles, folder)
  const apiKey = (await readFile(folder.path('gateway', 'api-key'), 'utf8')).trim()
  const models = await listModels(`${url}/v1/models`, apiKey)
  return { event: 'ready', url: `${url}/v1`, apiKey, models, channel: String(channel) }
}

function watch(role: Role, end: (status: number) => void): void {
  role.on('died', (how) => process.stderr.write(`a process ${how}; starting it again\n`))
  role.on('failed', (error) => {
    process.stderr.write(`${error.message}\n`)
    end(1)
  })
}

async function listModels(url: string, apiKey: string): Promise<string[]> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } })
  const { data } = (await response.json()) as { data: { id: string }[] }
  return data.map(({ id }) => id)
}
