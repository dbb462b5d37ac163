import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { measuredEvents } from '../attest/eventlog/index.ts'
import { SimulatedTee } from '../attest/simulate/index.ts'
import { systemClock } from './clock.ts'
import { readSettings, workerSettings } from './config.ts'
import type { ReadyLine } from './run.ts'
import type { WorkerStatus } from './status.ts'
import { FakeGateway, type Peer } from './testing/fake-gateway.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const linux = process.platform === 'linux'

/** The worker process, as a supervisor has it. */
class Process {
  readonly child: ChildProcess
  readonly exited: Promise<[number | null, NodeJS.Signals | null]>
  readonly line: Promise<string>
  out = ''
  log = ''
  /** What came over the IPC channel. */
  readonly statuses: WorkerStatus[] = []

  constructor(args: readonly string[], { ipc = false, shell = '' } = {}) {
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...args]
    const [file = '', ...rest] =
      shell === '' ? command : ['/bin/sh', '-c', `${shell}; exec "$@"`, 'sh', ...command]
    const env = { ...process.env, ...(ipc && { CHRYSALIS_SUPERVISED: '1' }) }
    this.child = spawn(file, rest, {
      env,
      stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
    })
    this.exited = once(this.child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
    this.child.on('message', (message) => this.statuses.push(message as WorkerStatus))
    const lines = createInterface({ input: this.child.stdout as NodeJS.ReadableStream })
    lines.on('line', (text) => {
      this.out += `${text}\n`
    })
    this.line = once(lines, 'line').then(([text]) => String(text))
    this.child.stderr?.on('data', (data) => {
      this.log += String(data)
    })
  }

  get pid(): number {
    return this.child.pid ?? -1
  }

  async ready(): Promise<ReadyLine> {
    const early = this.exited.then(([code]) => Promise.reject(new Error(`exited with ${code}: ${this.log}`)))
    return JSON.parse(await Promise.race([this.line, early]))
  }
}

let folder: string
let gateway: FakeGateway
const started: Process[] = []

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'worker-'))
  const tee = await SimulatedTee.open(join(folder, 'tee'), {
    now: systemClock.now,
    // What the fake gateway claims.
    events: measuredEvents({ software: { version: '0', commit: 'test' }, models: [] }, {}),
  })
  gateway = await FakeGateway.open(systemClock, tee)
})

afterEach(async () => {
  for (const { child, exited } of started.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exited
  }
})

afterAll(async () => {
  await gateway.close()
  await rm(folder, { recursive: true, force: true })
})

function start(args: readonly string[] = [], options: { ipc?: boolean; shell?: string } = {}): Process {
  const common = [
    '--gateway-url',
    gateway.url,
    '--data',
    folder,
    '--unpaid',
    '--gpu',
    'off',
    '--threads',
    '1',
  ]
  const made = new Process([...common, ...args], options)
  started.push(made)
  return made
}

async function join_(options: { ipc?: boolean; shell?: string; args?: readonly string[] } = {}) {
  const made = start(options.args, options)
  const connected = gateway.connection()
  const exit = made.exited.then(([code]) => Promise.reject(new Error(`exited with ${code}: ${made.log}`)))
  const peer: Peer = await Promise.race([connected, exit])
  await peer.welcome()
  return { made, peer, line: await made.ready() }
}

function chat(peer: Peer, content: string, stream = true) {
  const model = peer.claims?.models[0]?.id
  return peer.request({
    body: { model, messages: [{ role: 'user', content }], stream, temperature: 0 },
    stream,
  })
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
      if (/\) Z /.test(stat)) return
    } catch {
      return
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the worker process', () => {
  test('says that it is ready, answers with the embedded model, drains and leaves nothing', async () => {
    const shell = 'ulimit -c unlimited 2>/dev/null || ulimit -S -c "$(ulimit -H -c)"'
    const args = ['--log-level', 'debug', '--attestation-port', '0']
    const { made, peer, line } = await join_({ args, ...(linux && { shell }) })
    expect(line).toMatchObject({
      event: 'ready',
      role: 'worker',
      tee: 'simulated-tdx',
      bootId: peer.claims?.bootId,
    })
    const reader = await (await chat(peer, 'CANARYPROMPT hello')).read()
    expect(reader.final?.status).toBe(200)
    expect(reader.settled.details.completionTokens).toBeGreaterThan(0)
    const [, url = ''] = /"url":"(http[^"]+)"/.exec(made.log) ?? []
    const evidence = await fetch(`${url}/v1/attestation?nonce=${'5a'.repeat(32)}`)
    expect(await evidence.json()).toMatchObject({ workers: [{ evidence: { tee: 'simulated-tdx' } }] })
    const engines = linux ? await childrenOf(made.pid) : []
    // Core dumps are off although the shell allowed them.
    for (const pid of linux ? [made.pid, ...engines] : []) {
      expect(await readFile(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 /m)
    }
    made.child.kill('SIGTERM')
    expect(await peer.next('draining')).toEqual({ type: 'draining' })
    expect(await made.exited).toEqual([0, null])
    for (const pid of engines) await gone(pid)
    expect(made.out.trim().split('\n')).toHaveLength(1)
    expect(made.log).toContain('"msg":"joined"')
    for (const text of made.log.trim().split('\n')) JSON.parse(text)
    expect(made.log).not.toContain('CANARY')
    for (const name of await readdir(join(folder, 'worker'), { recursive: true, withFileTypes: true })) {
      const file = join(name.parentPath, name.name)
      if (name.isFile()) expect(await readFile(file, 'latin1')).not.toContain('CANARY')
    }
  })

  test.runIf(linux)('outlives its engine and SIGINT under a supervisor, and not the supervisor', async () => {
    const { made, peer } = await join_({ ipc: true })
    const [engine = -1] = await childrenOf(made.pid)
    process.kill(engine, 'SIGKILL')
    await gone(engine)
    made.child.kill('SIGINT')
    let status = 0
    while (status !== 200) {
      // Until the new engine runs the answer is a refusal, and never a wrong one.
      const reader = await (await chat(peer, 'hello', false)).read()
      status = reader.final?.status ?? 0
      expect([200, 503]).toContain(status)
    }
    while (!made.statuses.some(({ receipts }) => receipts > 0)) await once(made.child, 'message')
    expect(made.statuses.slice(0, 3)).toMatchObject([
      { event: 'status', state: 'starting', bootId: null, receipts: 0, earned: '0' },
      { state: 'joining', models: peer.claims?.models.map(({ id }) => id) },
      { state: 'ready', bootId: peer.claims?.bootId, epoch: peer.claims?.epoch.id },
    ])
    expect(Number(made.statuses.at(-1)?.earned)).toBeGreaterThan(0)
    const engines = await childrenOf(made.pid)
    expect(engines).toHaveLength(1)
    expect(engines).not.toContain(engine)
    made.child.disconnect()
    expect(await made.exited).toEqual([0, null])
    for (const pid of engines) await gone(pid)
  })

  test.each([
    [
      'chainTokenFile',
      2,
      ['--chain-url', 'http://127.0.0.1:1', '--tee', 'simulated', '--log-level', 'error'],
    ],
    ['gatewayPolicy', 2, ['--gateway-policy', '/nowhere/policy.json']],
  ])('refuses a wrong setting in one sentence: %s', async (setting, status, args) => {
    const made = new Process(['--data', folder, ...args])
    expect(await made.exited).toEqual([status, null])
    expect(made.log).toMatch(new RegExp(`^setting ${setting}: [^\\n]*\\n$`))
  })

  test.skipIf(existsSync('/sys/class/misc/tdx_guest'))(
    'says on a machine that is no TDX guest what it lacks',
    async () => {
      const made = new Process(['--data', folder, '--tee', 'tdx'])
      expect(await made.exited).toEqual([1, null])
      expect(made.log).toMatch(/^not a TDX guest: [^\n]*\n$/)
    },
  )
})

describe('settings', () => {
  test('--help tells a stranger what this is and what every setting does', () => {
    let help = ''
    const onHelp = (text: string): never => {
      help = text
      throw new Error('help')
    }
    expect(() => readSettings({ argv: ['--help'], env: {}, onHelp })).toThrow('help')
    expect(help).toContain('Lends a model to a gateway')
    for (const key of Object.keys(workerSettings.shape)) {
      expect(help).toContain(`--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
      expect(workerSettings.shape[key as keyof typeof workerSettings.shape].description, key).toBeTruthy()
    }
  })

  test('defaults, environment, flags', () => {
    expect(readSettings({ argv: [], env: {} })).toMatchObject({ gpu: 'off', sequences: 4, unpaid: false })
    const env = { CHRYSALIS_SEQUENCES: '2', CHRYSALIS_UNPAID: '1' }
    expect(readSettings({ argv: ['--sequences', '3'], env })).toMatchObject({ sequences: 3, unpaid: true })
  })

  test.each([
    [['--gateway-url', 'http://x'], 'ws://HOST:PORT/link'],
    [['--gateway-url', 'wss://name:secret@host/link'], 'wss://HOST'],
    [['--tee', 'sgx'], '--tee'],
    [['--simulate-gpus', '17'], '--simulate-gpus'],
    [['--attestation-port', '65536'], '--attestation-port'],
    [['--sequences', '0'], '--sequences'],
    [['--price-prompt', '-1'], '--price-prompt'],
    [['--payout-address', 'EQ'], '--payout-address'],
    [['--nonsense'], 'nonsense'],
  ])('%j is refused by name', (argv, words) => {
    expect(() => readSettings({ argv, env: {} })).toThrow(words)
  })
})
