import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { type DataFolder, ensurePrivateDir, openSecret } from '../data/index.ts'
import { type ReadyLine, Role } from './supervisor.ts'

/** The processes of a quickstart. */
export interface Roles {
  chain: Role
  gateway: Role
  worker: Role
}

/** What the processes are started with. */
export interface RolesConfig {
  port: number
  host: string
  model?: string | undefined
  gpu: string
  /** Simulated GPUs that the worker attests and the gateway takes. */
  simulateGpus?: number
  logLevel: string
  /** Where the worker dials, given the gateway's URL. For tests, which put a proxy between the two. */
  link?: (gatewayUrl: string) => string | Promise<string>
  /** More flags for the gateway. */
  gatewayArgs?: string[]
  /** Takes what the processes write to stderr; absent: it goes to our own. */
  onLog?: (text: Buffer) => void
}

/** Starts the chain, then gateway and worker side by side, and waits until the worker has been let in. */
export async function startRoles({ chain, gateway, worker }: Roles, folder: DataFolder): Promise<ReadyLine> {
  await ensurePrivateDir(folder.path('chain'))
  // A file, since arguments and environment can be seen by other users.
  await openSecret(chainTokenFile(folder), () => Buffer.from(randomBytes(32).toString('base64url')))
  const { url } = await chain.start()
  // For whoever starts another worker beside this one; not a secret, the token beside it is.
  await writeFile(folder.path('chain', 'url'), `${url}\n`)
  const [ready] = await Promise.all([gateway.start(), worker.start()])
  return ready
}

/** Stops them so that the gateway drains while worker and chain still serve it. */
export async function stopRoles({ chain, gateway, worker }: Roles): Promise<void> {
  // A signal to the whole process group reaches them at once: none of them may be started again.
  for (const role of [gateway, worker, chain]) role.retire()
  for (const role of [gateway, worker, chain]) await role.stop()
}

const chainTokenFile = (folder: DataFolder) => folder.path('chain', 'token')

const source = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
const main = (path: string) => new URL(`../../${path}${source}`, import.meta.url)

/** A role that is started again keeps the port that it had, so that the others find it. */
const portOf = (ready: ReadyLine | undefined, first: number) =>
  ready?.url ? new URL(ready.url).port : String(first)

/** Describes the three processes; nothing is started yet. */
export function makeRoles(config: RolesConfig, folder: DataFolder): Roles {
  const link = config.link ?? linkUrl
  // Known before the gateway serves, so that the worker can load its model meanwhile.
  const port = lazy(() => (config.port === 0 ? freePort(config.host) : config.port))
  const chainArgs = () => [
    '--chain-url',
    String(chain.ready?.url),
    '--chain-token-file',
    chainTokenFile(folder),
  ]
  const chain = new Role({
    name: 'chain',
    ...(config.onLog && { onLog: config.onLog }),
    main: main('contracts/chain/local/main'),
    args: (before) => [
      ...['--dir', folder.path('chain'), '--token-file', chainTokenFile(folder)],
      ...['--port', portOf(before, 0)],
    ],
  })
  const gateway = new Role({
    name: 'gateway',
    ...(config.onLog && { onLog: config.onLog }),
    main: main('gateway/main'),
    args: async () => [
      ...['--host', config.host, '--port', String(await port())],
      ...['--data', folder.path('gateway'), '--tee-dir', folder.path('tee'), '--tee', 'simulated'],
      ...(config.simulateGpus ? ['--simulated-gpus'] : []),
      ...['--log-level', config.logLevel, ...chainArgs(), ...modelPin(config)],
      ...(config.gatewayArgs ?? []),
    ],
  })
  const worker = new Role({
    name: 'worker',
    ...(config.onLog && { onLog: config.onLog }),
    main: main('worker/main'),
    args: async () => [
      ...['--gateway-url', await link(localUrl(config.host, await port())), '--data', folder.dir],
      ...['--gpu', config.gpu, '--log-level', config.logLevel, ...chainArgs()],
      // Also in a TDX guest: a guest is one enclave, and a quickstart has two.
      ...['--tee', 'simulated', '--simulate-gpus', String(config.simulateGpus ?? 0)],
      ...(config.model === undefined ? [] : ['--model', config.model]),
    ],
  })
  return { chain, gateway, worker }
}

/** The embedded model is pinned by its digest. A model that the user names is the user's to trust. */
function modelPin({ model }: RolesConfig): string[] {
  if (model !== undefined) return []
  const card = new URL('../../worker/model/model.json', import.meta.url)
  const { sha256 } = JSON.parse(readFileSync(card, 'utf8')) as { sha256: string }
  return ['--pin-models', `chrysalis/tiny=${sha256}`]
}

function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** A port that nobody listens on now. */
async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Where a process on this machine finds a server that listens on `host`. */
function localUrl(host: string, port: number): string {
  const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${own.includes(':') ? `[${own}]` : own}:${port}`
}

/** The worker link of a gateway. */
export function linkUrl(gatewayUrl: string): string {
  const url = new URL('/link', gatewayUrl)
  url.protocol = 'ws:'
  return url.href
}
