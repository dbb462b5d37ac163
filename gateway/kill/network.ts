/** @module Chain, gateway and worker as processes on one data folder, each of which can be killed and started again. */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { commandWithoutCoreDumps } from '../../attest/cli/core-dumps.ts'
import { connectLocalChain, type LocalChain } from '../../contracts/index.ts'
import { type ChannelReport, readAccess } from '../cli/channel.ts'
import { callControl } from '../control/index.ts'
import { PRICE } from './asked.ts'
import type { KillPoint } from './points.ts'

export const ROLES = ['chain', 'gateway', 'worker'] as const
export type RoleName = (typeof ROLES)[number]

/** How long a role may take to serve, in ms: then something hangs, and that is a defect. */
const START_MS = 120_000
/** How long all of them may take to end, in ms; then they are killed. */
const STOP_MS = 30_000
/** Streams that the worker answers side by side. */
const SEQUENCES = 8

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const MAIN: Record<RoleName, string> = {
  chain: here('../../contracts/chain/local/main.ts'),
  gateway: here('../main.ts'),
  worker: here('../bench/gateway/worker.ts'),
}
const perMillion = (nanotons: number) => String(nanotons * 1_000_000)

/** How a start differs from the usual one. */
export interface StartOptions {
  /** Seconds until the gateway lets go what belongs to a worker's boot that does not come back. */
  abandonSeconds?: number
}

/** A whole network on one data folder of its own. */
export class Network implements AsyncDisposable {
  readonly dir: string
  /** The last lines that the processes wrote to stderr. */
  readonly #log: string[] = []
  /** `joined`: the gateway's log says that a worker did. */
  readonly #events = new EventEmitter()
  /** Since one of the two was started last. */
  #hasWorker = false
  readonly #running = new Map<RoleName, ChildProcess>()
  readonly #ports = new Map<RoleName, string>()
  #faults: string[] = []
  #ending = false
  #workerReady: Promise<unknown> = Promise.resolve()

  private constructor(dir: string) {
    this.dir = dir
  }

  /** Makes a folder and starts all three on it. */
  static async start(): Promise<Network> {
    const network = new Network(await mkdtemp(join(tmpdir(), 'chrysalis-kill-')))
    try {
      await writeFile(network.#tokenFile, randomBytes(32).toString('base64url'), { mode: 0o600 })
      for (const role of ROLES) await network.start(role)
      await network.joined()
    } catch (error) {
      await network[Symbol.asyncDispose]()
      throw error
    }
    return network
  }

  /** URL of the gateway, without `/v1`. It keeps its port. */
  get origin(): string {
    return `http://127.0.0.1:${this.#ports.get('gateway')}`
  }

  /** The end of what the processes have written to stderr. */
  get log(): string {
    return this.#log.join('\n').slice(-4000)
  }

  /** What went wrong in the processes since the last call: ends that were not kills, errors in the log. */
  takeFaults(): string[] {
    return this.#faults.splice(0)
  }

  async apiKey(): Promise<string> {
    return (await readFile(join(this.dir, 'gateway', 'api-key'), 'utf8')).trim()
  }

  /** The chain, as a payer sees it. */
  async localChain(): Promise<LocalChain> {
    const token = await readFile(this.#tokenFile, 'utf8')
    return await connectLocalChain({ url: `http://127.0.0.1:${this.#ports.get('chain')}`, token })
  }

  /** Starts a role that does not run; resolves when it serves. @throws Error when it ends before */
  async start(role: RoleName, options: StartOptions = {}): Promise<void> {
    const [file, args] = commandWithoutCoreDumps([
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      ...(role === 'chain' ? [] : ['--import', here('points.ts')]),
      MAIN[role],
      ...this.#argsOf(role, options),
    ])
    const child = spawn(file, args, {
      env: { ...process.env, CHRYSALIS_SUPERVISED: '1' },
      // The channel tells the role of our own end, so that nothing is left behind by it. A Ctrl-C is for us alone.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    if (role !== 'chain') this.#hasWorker = false
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) =>
      this.#keep(line, role),
    )
    child.once('exit', (code, signal) => {
      if (signal !== 'SIGKILL' && !this.#ending)
        this.#faults.push(`${role} ended by itself: ${signal ?? code}`)
    })
    this.#running.set(role, child)
    const line = firstLine(child, role)
    if (role === 'worker') {
      // It says so when it has joined, which may take until the gateway is back.
      line.catch(() => {})
      this.#workerReady = line
      return
    }
    const ready = await line
    this.#ports.set(role, new URL(String(ready.url)).port)
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(role: RoleName): Promise<void> {
    const child = this.#running.get(role)
    if (!child) return
    const gone = this.gone(role)
    child.kill('SIGKILL')
    await gone
  }

  /** Tells a process to kill itself at a point of its code. */
  killAt(role: RoleName, killAt: KillPoint): void {
    this.#running.get(role)?.send({ killAt }, () => {})
  }

  /** Resolves when the role's process is gone, however that came. */
  async gone(role: RoleName): Promise<void> {
    const child = this.#running.get(role)
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    this.#running.delete(role)
  }

  /** Resolves when the gateway has a worker again. */
  async joined(): Promise<void> {
    await this.#workerReady
    if (this.#hasWorker) return
    await once(this.#events, 'joined', { signal: AbortSignal.timeout(START_MS) }).catch(() => {
      throw new Error(`no worker joined within ${START_MS / 1000} s\n${this.log}`)
    })
  }

  /** What `chrysalis channel VERB` answers. */
  async channel(verb: 'status' | 'settle'): Promise<ChannelReport> {
    return (await callControl(readAccess(this.dir), `channel/${verb}`)) as ChannelReport
  }

  /** Ends as a user ends it: the roles write their compile caches then, which a kill keeps them from. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true
    const late = setTimeout(() => this.#signal('SIGKILL'), STOP_MS)
    for (const role of ['gateway', 'worker', 'chain'] as const) {
      this.#running.get(role)?.kill('SIGTERM')
      await this.gone(role)
    }
    clearTimeout(late)
    await rm(this.dir, { recursive: true, force: true })
  }

  #signal(signal: NodeJS.Signals): void {
    for (const child of this.#running.values()) child.kill(signal)
  }

  get #tokenFile(): string {
    return join(this.dir, 'chain-token')
  }

  #argsOf(role: RoleName, { abandonSeconds }: StartOptions): string[] {
    const port = this.#ports.get(role) ?? '0'
    if (role === 'chain')
      return ['--dir', join(this.dir, 'chain'), '--token-file', this.#tokenFile, '--port', port]
    const shared = [
      ...[
        '--chain-url',
        `http://127.0.0.1:${this.#ports.get('chain')}`,
        '--chain-token-file',
        this.#tokenFile,
      ],
      ...['--log-level', 'info', '--tee', 'simulated'],
    ]
    if (role === 'worker') {
      const price = perMillion(PRICE.worker)
      return [
        ...['--gateway-url', `${this.origin.replace('http', 'ws')}/link`, '--data', this.dir],
        ...['--sequences', String(SEQUENCES), '--price-prompt', price, '--price-cached', price],
        ...['--price-completion', price, '--price-reasoning', price, ...shared],
      ]
    }
    const price = perMillion(PRICE.client)
    return [
      ...['--port', port, '--data', join(this.dir, 'gateway'), '--tee-dir', join(this.dir, 'tee')],
      ...['--price-prompt', price, '--price-cached', price, '--price-completion', price],
      ...['--requests-per-minute', '1000000000', '--bar-seconds', '0'],
      ...(abandonSeconds === undefined ? [] : ['--abandon-seconds', String(abandonSeconds)]),
      ...shared,
    ]
  }

  #keep(line: string, role: RoleName): void {
    // pino's levels from `error` on.
    if (/"level":[56]0/.test(line)) this.#faults.push(`logged: ${line}`)
    if (role === 'gateway' && line.includes('"msg":"worker joined"')) {
      this.#hasWorker = true
      this.#events.emit('joined')
    }
    this.#log.push(line)
    if (this.#log.length > 1000) this.#log.splice(0, 500)
  }
}

/** Between two looks at something that tells nobody when it is done. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

async function firstLine(child: ChildProcess, role: RoleName): Promise<Record<string, unknown>> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const gone = once(child, 'exit').then(([code, signal]) => {
    throw new StartError(role, `ended with ${signal ?? code} before it served`)
  })
  gone.catch(() => {})
  const late = AbortSignal.timeout(START_MS)
  const [line] = (await Promise.race([once(lines, 'line', { signal: late }), gone])) as [string]
  return JSON.parse(line) as Record<string, unknown>
}

/** A role ended before it served. */
export class StartError extends Error {
  readonly role: RoleName

  constructor(role: RoleName, message: string) {
    super(`${role} ${message}`)
    this.role = role
  }
}
