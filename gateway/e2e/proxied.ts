import { EventEmitter, once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI from 'openai'
import { linkUrl, makeRoles, type Roles, startRoles, stopRoles } from '../cli/roles.ts'
import { type DataFolder, openDataFolder } from '../data/index.ts'
import { LinkProxy } from './link-proxy.ts'

/** Chain, gateway and worker as real processes, with a proxy of ours on the link between the last two. */
export interface Proxied {
  roles: Roles
  proxy: LinkProxy
  folder: DataFolder
  /** All that the processes wrote to stderr. */
  log: Buffer[]
  origin: string
  apiKey: string
  model: string
  sdk: OpenAI
  post(path: string, body: unknown): Promise<Response>
  receipt(id: string): Promise<Response>
  /** Resolves once the gateway has let workers in so many times, this start's first time included. */
  joined(times: number): Promise<void>
  close(): Promise<void>
}

/**
 * The three processes, the proxy between them; a worker that was cut off may come back at once.
 *
 * @param logLevel at least `info`, by which the gateway says who joins
 * @param gatewayArgs more flags for the gateway
 */
export async function startProxied(
  logLevel: 'info' | 'debug' = 'info',
  gatewayArgs: readonly string[] = [],
): Promise<Proxied> {
  const dir = await mkdtemp(join(tmpdir(), 'chrysalis-e2e-'))
  const folder = await openDataFolder(dir)
  const proxy = new LinkProxy()
  const log: Buffer[] = []
  const logged = new EventEmitter()
  let through: Promise<string> | undefined
  const link = (gatewayUrl: string) => {
    through ??= proxy.start(linkUrl(gatewayUrl))
    return through
  }
  const roles = makeRoles(
    {
      port: 0,
      host: '127.0.0.1',
      gpu: 'off',
      logLevel,
      link,
      gatewayArgs: ['--bar-seconds', '0', ...gatewayArgs],
      onLog: (text) => {
        log.push(text)
        logged.emit('more')
      },
    },
    folder,
  )
  const { url } = await startRoles(roles, folder)
  const origin = String(url)
  const apiKey = (await readFile(folder.path('gateway', 'api-key'), 'utf8')).trim()
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const sdk = new OpenAI({ baseURL: `${origin}/v1`, apiKey, maxRetries: 0 })
  return {
    roles,
    proxy,
    folder,
    log,
    origin,
    apiKey,
    model: 'chrysalis/tiny',
    sdk,
    post: (path, body) => fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(body) }),
    receipt: (id) => fetch(`${origin}/v1/receipts/${id}`, { headers }),
    joined: async (times) => {
      while (Buffer.concat(log).toString().split('"msg":"worker joined"').length <= times)
        await once(logged, 'more')
    },
    close: async () => {
      proxy.flow()
      await stopRoles(roles)
      proxy.close()
      folder.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
