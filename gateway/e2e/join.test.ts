import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { makeCertificate } from '../../attest/simulate/certificates.ts'
import { newKey } from '../../attest/simulate/platform.ts'
import { encodePem } from '../../attest/x509/index.ts'
import { allGone, descendantsOf } from './processes.ts'
import { cleanUp, ROOT, type Stack, startStack, temporaryFolder } from './stack.ts'

const linux = process.platform === 'linux' && existsSync('/bin/sh')
if (!linux) console.warn('join.test.ts: SKIPPED, it needs /bin/sh, process groups and /proc')

const MODEL = 'chrysalis/tiny'
const DAY = 86_400_000

/** The command of the README for a second worker beside `npm start`. */
const [, README = ''] =
  /<!-- setup: run by gateway\/e2e\/join\.test\.ts -->\n```sh\n([\s\S]*?)```/.exec(
    readFileSync(join(ROOT, 'README.md'), 'utf8'),
  ) ?? []

let stack: Stack
beforeAll(async () => {
  if (!linux) return
  // Under a file that its user names the gateway pins no models, and its own worker serves another id.
  const file = join(await temporaryFolder(), 'first.gguf')
  await copyFile(join(ROOT, 'worker/model/chrysalis-tiny.gguf'), file)
  stack = await startStack({ args: ['--model', file] })
})
afterAll(cleanUp)

interface Line {
  event: string
  state?: string
  ok?: boolean
  checks?: { name: string; result: string }[]
  models?: string[]
  receipts?: number
  earned?: string
  factors?: string[]
  cure?: string
}

/** The README's command as a person runs it in a terminal of their own, with what differs. */
class Join {
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  out = ''
  err = ''

  constructor(change: (command: string) => string = (command) => command, env: Record<string, string> = {}) {
    const here = README.replace('http://127.0.0.1:8787', stack.origin)
      .replaceAll('.chrysalis/', `${stack.dir}/`)
      .trim()
    this.child = spawn('/bin/sh', ['-c', `exec ${change(here)}`], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text
    })
    this.exited = once(this.child, 'close').then(([code]) => code)
    onTestFinished(() => {
      if (this.child.exitCode === null && this.child.signalCode === null) this.signal('SIGKILL')
    })
  }

  get lines(): Line[] {
    return this.out
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  }

  get last(): Line | undefined {
    return this.lines.at(-1)
  }

  /** To the whole group, as a terminal does it; npm then passes it on once more. */
  signal(signal: NodeJS.Signals): void {
    process.kill(-(this.child.pid ?? 0), signal)
  }

  /** Resolves once it has said so. */
  async until(holds: () => boolean): Promise<void> {
    const ended = this.exited.then((code) => {
      throw new Error(`ended with ${code}:\n${this.out}\n${this.err}`)
    })
    ended.catch(() => {})
    while (!holds()) {
      if (this.child.stdout) await Promise.race([once(this.child.stdout, 'data'), ended])
    }
  }
}

const ask = (content: string) =>
  stack.sdk.chat.completions.create({ model: MODEL, messages: [{ role: 'user', content }] })

/** Resolves once the gateway hands requests to the joined worker: it learns of its readiness a message later. */
async function served(): Promise<void> {
  while (!(await stack.sdk.models.list()).data.some(({ id }) => id === MODEL));
}

/** Runs `attest verify` on the stack, which pins its root. */
async function verify(): Promise<{ status: number | null; out: string }> {
  const root = join(stack.dir, 'tee', 'root.der')
  const flags = ['verify', stack.origin, '--policy', 'simulated', '--root', root]
  const child = spawn(
    process.execPath,
    ['gateway/cli/launch.mjs', '--run', 'attest/cli/attest.ts', ...flags],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const [status] = await once(child, 'close')
  return { status, out }
}

describe.skipIf(!linux)('a GPU owner’s one command', () => {
  it('checks, joins, works, earns, is proven to a stranger, and drains on Ctrl-C', async () => {
    const joined = new Join((command) => `${command} --json`)
    await joined.until(() => joined.last?.state === 'ready')
    const pids = descendantsOf(joined.child.pid ?? 0)
    const [preflight, ...states] = joined.lines
    expect(preflight).toMatchObject({ event: 'preflight', ok: true })
    const results = Object.fromEntries(preflight?.checks?.map(({ name, result }) => [name, result]) ?? [])
    expect(results).toMatchObject({ gateway: 'pass', disk: 'pass', memory: 'pass', node: 'pass' })
    expect(states.map(({ state }) => state)).toEqual(['starting', 'joining', 'ready'])
    expect(joined.last).toMatchObject({ models: [MODEL], receipts: 0, earned: '0' })

    // Only the joined worker serves this id.
    expect(stack.ready.models).not.toContain(MODEL)
    await served()
    const { choices } = await ask('What is Chrysalis?')
    expect(choices[0]?.message.content?.length).toBeGreaterThan(3)
    await joined.until(() => joined.last?.receipts === 1)
    const first = BigInt(joined.last?.earned ?? 0)
    expect(first).toBeGreaterThan(0n)
    await ask('Good morning!')
    await joined.until(() => joined.last?.receipts === 2)
    expect(BigInt(joined.last?.earned ?? 0)).toBeGreaterThan(first)

    const { status, out } = await verify()
    expect(status).toBe(0)
    expect(out).toContain('ACCEPTED: all evidence of 3 enclaves')
    for (const id of [MODEL, ...stack.ready.models]) expect(out).toMatch(new RegExp(`models +${id} `))

    const stream = await stack.sdk.chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content: 'Write a short story about a lighthouse.' }],
      stream: true,
    })
    let chunks = 0
    let finish: string | null | undefined
    for await (const chunk of stream) {
      if (++chunks === 2) joined.signal('SIGINT')
      finish = chunk.choices[0]?.finish_reason ?? finish
    }
    expect(['stop', 'length']).toContain(finish)
    expect(await joined.exited).toBe(0)
    expect(joined.lines.slice(-2).map(({ state }) => state)).toEqual(['draining', 'stopped'])
    expect(joined.err).not.toContain('ending at once')
    await allGone(pids)
  })

  it('works through a TLS server in front of the gateway, and shows a person how it goes', async () => {
    const { url, ca } = await behindTls()
    const change = (command: string) => command.replace(stack.origin, url)
    const joined = new Join(change, { NODE_EXTRA_CA_CERTS: ca })
    await joined.until(() => /^working/m.test(joined.out))
    expect(joined.out).toMatch(/pass {2}gateway +localhost:\d+ answers/)
    await served()
    await ask('Hello')
    joined.signal('SIGTERM')
    expect(await joined.exited).toBe(0)
    expect(joined.out).toMatch(
      // What the command says of the signal and what the worker says of itself come in either order.
      /finishing what has begun {2}chrysalis\/tiny {2}1 receipt {2}0\.\d+ TON earned\n(?:finishing[^\n]*\n)*ended\n/,
    )
  })

  it('names what keeps it from joining, with the cure, and exits 1', async () => {
    const { url } = await behindTls()
    const [stranger, unpaid, untrusted] = [
      new Join((command) => `${command.replace(/--tee-dir \S+/, '').replace('/second', '/third')} --json`),
      new Join((command) => command.replace(/--chain-[\s\S]*/, '').replace('/second', '/fourth')),
      new Join((command) => command.replace(stack.origin, url).replace('/second', '/fifth')),
    ]
    expect(await Promise.all([stranger.exited, unpaid.exited, untrusted.exited])).toEqual([1, 1, 1])
    const refused = stranger.lines.find(({ state }) => state === 'refused')
    expect(refused).toMatchObject({ by: 'gateway', code: 'evidence' })
    expect(refused?.factors).toContain('anchor.pinned')
    expect(refused?.cure).toContain('--tee-dir')
    expect(stranger.lines.filter(({ state }) => state === 'refused')).toHaveLength(1)
    expect(unpaid.out).toMatch(/refuses the gateway {2}this worker has no chain .*cure: .*--chain-url/)
    expect(untrusted.out).toMatch(
      /FAIL {2}gateway +localhost:\d+ .*UNABLE_TO\w+\)\n +cure: .*NODE_EXTRA_CA_CERTS/,
    )
    expect(untrusted.out).toContain('nothing was started')
  })
})

/** A TLS server in front of the gateway, with a certificate for localhost by an authority of its own. */
async function behindTls(): Promise<{ url: string; ca: string }> {
  const [issuerKey, subjectKey] = [newKey(), newKey()]
  const dates = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY }
  const common = { ...dates, issuer: 'Test CA', issuerKey }
  const root = makeCertificate({ ...common, subject: 'Test CA', subjectKey: issuerKey, caPathLength: 0 })
  const leaf = makeCertificate({ ...common, subject: 'localhost', subjectKey })
  const ca = join(await temporaryFolder(), 'ca.pem')
  await writeFile(ca, encodePem([root]))
  const key = subjectKey.export({ type: 'pkcs8', format: 'pem' })
  const target = Number(new URL(stack.origin).port)
  const server = tls.createServer({ cert: encodePem([leaf]), key }, (socket) => {
    const inner = connect(target, '127.0.0.1')
    for (const end of [socket, inner]) end.on('error', () => {})
    socket.pipe(inner).pipe(socket)
  })
  server.on('tlsClientError', () => {})
  server.listen(0)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `https://localhost:${(server.address() as AddressInfo).port}`, ca }
}
