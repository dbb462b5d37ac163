/** @module The gateways that are measured, each behind the same few lines. */

import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Placement, start, stop } from './processes.ts'

/** A server that answers chat requests, with everything behind it. */
export interface Contender {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The process whose time counts; undefined: the load talks to the upstream itself. */
  readonly pid: number | undefined
  /** The real worker behind ours. */
  readonly workerPid?: number | undefined
  close(): Promise<void>
}

export interface Places {
  readonly server: Placement
  readonly rest: Placement
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning']

export async function startUpstream({ rest }: Places): Promise<Contender> {
  const { child, ready } = await start([...NODE, here('upstream.ts')], rest)
  return simple('direct', String(ready.url), child, undefined)
}

export async function startHonoProxy(upstream: string, { server }: Places): Promise<Contender> {
  const { child, ready } = await start([...NODE, here('hono-proxy.ts'), upstream], server)
  return simple('hono proxy', String(ready.url), child, child.pid)
}

const PORTKEY = here('../portkey/node_modules/@portkey-ai/gateway/build/start-server.js')

/** Says how to install what is missing; undefined when nothing is. */
export function missingPortkey(): string | undefined {
  return existsSync(PORTKEY) ? undefined : 'Portkey is not installed: npm ci --prefix gateway/bench/portkey'
}

/** @param node the Node that runs it, and `version` its name in the table */
export async function startPortkey(
  upstream: string,
  { node, version }: { node: string; version: string },
  { server }: Places,
): Promise<Contender> {
  const url = `http://127.0.0.1:${await freePort()}`
  const command = [node, PORTKEY, `--port=${new URL(url).port}`, '--headless']
  const probe = () =>
    fetch(url).then(
      () => true,
      () => false,
    )
  const { child } = await start(command, server, { probe })
  return {
    ...simple(`portkey (${version})`, url, child, child.pid),
    headers: {
      authorization: 'Bearer sk-bench',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `${upstream}/v1`,
    },
  }
}

/** Chain, gateway and worker as `chrysalis up` starts them; only the engine is scripted. `profile`: folder for profiles. */
export async function startChrysalis(
  { server, rest }: Places,
  { sequences, profile }: { sequences: number; profile?: string | undefined },
): Promise<Contender> {
  const dir = await mkdtemp(join(tmpdir(), 'chrysalis-bench-'))
  const tokenFile = join(dir, 'chain-token')
  await writeFile(tokenFile, randomBytes(32).toString('base64url'), { mode: 0o600 })
  const chain = await start(
    [
      ...NODE,
      here('../../../contracts/chain/local/main.ts'),
      '--dir',
      join(dir, 'chain'),
      '--token-file',
      tokenFile,
    ],
    // It computes for long without a pause, which must not count as delay of a token.
    { ...rest, realtime: false },
  )
  const shared = [
    '--chain-url',
    String(chain.ready.url),
    '--chain-token-file',
    tokenFile,
    '--log-level',
    'warn',
  ]
  const prof = (role: string) =>
    profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', join(profile, role)]
  const gateway = await start(
    [
      ...NODE,
      ...prof('gateway'),
      here('../../main.ts'),
      ...['--port', '0', '--data', join(dir, 'gateway'), '--tee-dir', join(dir, 'tee'), '--tee', 'simulated'],
      ...['--requests-per-minute', '1000000000', '--drain-seconds', '1'],
      ...['--price-prompt', '1000000', '--price-cached', '1000000', '--price-completion', '1000000'],
      ...shared,
    ],
    server,
  )
  const url = String(gateway.ready.url)
  const worker = await start(
    [
      ...NODE,
      ...prof('worker'),
      here('worker.ts'),
      ...['--gateway-url', `${url.replace('http', 'ws')}/link`, '--data', dir, '--tee', 'simulated'],
      ...['--sequences', String(sequences), '--price-prompt', '500000', '--price-cached', '500000'],
      ...['--price-completion', '500000', '--price-reasoning', '500000'],
      ...shared,
    ],
    rest,
  )
  const apiKey = (await readFile(join(dir, 'gateway', 'api-key'), 'utf8')).trim()
  return {
    name: 'chrysalis',
    url: `${url}/v1/chat/completions`,
    headers: { authorization: `Bearer ${apiKey}` },
    pid: gateway.child.pid,
    workerPid: worker.child.pid,
    async close() {
      for (const { child } of [gateway, worker, chain]) await stop(child)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function simple(name: string, url: string, child: ChildProcess, pid: number | undefined): Contender {
  return { name, url: `${url}/v1/chat/completions`, headers: {}, pid, close: () => stop(child) }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
