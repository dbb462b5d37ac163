import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { loadConfig } from '../../attest/cli/config.ts'
import { type DataFolder, ensurePrivateDir, openDataFolder, openSecret } from '../data/index.ts'
import { banner } from './banner.ts'
import { onStopSignal, type ReadyLine, Role } from './supervisor.ts'

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
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('warn')
    .describe('least severe log line to print'),
})

type UpConfig = z.infer<typeof upSchema>

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
  // The gateway drains while worker and chain still serve it.
  const stop = async () => {
    for (const role of [roles.gateway, roles.worker, roles.chain]) await role.stop()
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

interface Roles {
  chain: Role
  gateway: Role
  worker: Role
}

async function startAll({ chain, gateway, worker }: Roles, folder: DataFolder): Promise<UpReady> {
  await ensurePrivateDir(folder.path('chain'))
  // A file, since arguments and environment can be seen by other users.
  await openSecret(chainTokenFile(folder), () => Buffer.from(randomBytes(32).toString('base64url')))
  await chain.start()
  const { url, channel } = await gateway.start()
  await worker.start()
  const apiKey = (await readFile(folder.path('gateway', 'api-key'), 'utf8')).trim()
  const models = await listModels(`${url}/v1/models`, apiKey)
  return { event: 'ready', url: `${url}/v1`, apiKey, models, channel: String(channel) }
}

const chainTokenFile = (folder: DataFolder) => folder.path('chain', 'token')

const source = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const main = (path: string) => new URL(`../../${path}${source}`, import.meta.url)

/** A role that is started again keeps the port that it had, so that the others find it. */
const portOf = (ready: ReadyLine | undefined, first: number) =>
  ready?.url ? new URL(ready.url).port : String(first)

function makeRoles(config: UpConfig, folder: DataFolder): Roles {
  const chainArgs = () => [
    '--chain-url',
    String(chain.ready?.url),
    '--chain-token-file',
    chainTokenFile(folder),
  ]
  const common = () => [...chainArgs(), '--tee-dir', folder.path('tee'), '--log-level', config.logLevel]
  const chain = new Role({
    name: 'chain',
    main: main('contracts/chain/local/main'),
    args: (before) => [
      ...['--dir', folder.path('chain'), '--token-file', chainTokenFile(folder)],
      ...['--port', portOf(before, 0)],
    ],
  })
  const gateway = new Role({
    name: 'gateway',
    main: main('gateway/main'),
    args: (before) => [
      ...['--host', config.host, '--port', portOf(before, config.port)],
      ...['--data', folder.path('gateway'), ...common()],
    ],
  })
  const worker = new Role({
    name: 'worker',
    main: main('worker/main'),
    args: () => [
      ...['--gateway', linkUrl(String(gateway.ready?.url)), '--data', folder.path('worker')],
      ...['--gpu', config.gpu, ...common()],
      ...(config.model === undefined ? [] : ['--model', config.model]),
    ],
  })
  for (const role of [chain, gateway, worker]) watch(role)
  return { chain, gateway, worker }
}

function linkUrl(gatewayUrl: string): string {
  const url = new URL('/link', gatewayUrl)
  url.protocol = 'ws:'
  return url.href
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
