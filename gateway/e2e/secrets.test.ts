/** Where private keys, seeds and API secrets are: each in its own file, and nowhere else that can be looked at. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Address } from '@ton/core'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAccess } from '../cli/channel.ts'
import { callControl } from '../control/index.ts'
import { byteForms, disguises } from './canary.ts'
import { descendantsOf } from './processes.ts'
import { type Proxied, startProxied } from './proxied.ts'
import { ROOT, stopChild } from './stack.ts'

const posix = process.platform !== 'win32'
const linux = process.platform === 'linux'
if (!linux)
  console.warn('secrets.test.ts: arguments and environments are SKIPPED, they are read from Linux /proc')

interface Secret {
  name: string
  /** The one file that may hold it, below the data folder; undefined: none may. */
  home?: string
  /** What to search for, byte by byte. */
  forms: string[]
}

let net: Proxied
let secrets: Secret[]
let sidecar: ChildProcess | undefined
/** What the control plane, the API and the commands answered, by what was asked. */
const answers: [asked: string, answer: string][] = []

beforeAll(async () => {
  net = await startProxied('debug')
  await chat()
  const made = await everyVerb()
  await publicRoutes()
  await payByVoucher()
  await everyCommand()
  secrets = [...secretsOnDisk(), ...made.map((word, index) => text(`secret ${index} of a key`, word))]
}, 240_000)
afterAll(async () => {
  if (sidecar) await stopChild(sidecar, 'SIGTERM')
  await net?.close()
})

async function chat(): Promise<void> {
  const body = {
    model: net.model,
    messages: [{ role: 'user', content: 'What is Chrysalis?' }],
    temperature: 0,
  }
  const response = await net.post('/v1/chat/completions', body)
  expect(response.status).toBe(200)
  note('chat', await response.text())
  note('receipt', await (await net.receipt(response.headers.get('chrysalis-receipt') ?? '')).text())
}

function note(asked: string, answer: unknown): void {
  answers.push([asked, typeof answer === 'string' ? answer : JSON.stringify(answer)])
}

/** Every verb of the control plane. @returns the secrets that it made, each of which is in the answer that made it */
async function everyVerb(): Promise<string[]> {
  const ask = async (verb: string, input: Record<string, unknown> = {}) => {
    const answer = (await callControl(readAccess(net.folder.dir), verb, input).catch((error: Error) => ({
      error: error.message,
    }))) as Record<string, unknown> & { key?: { id: string }; secret?: string }
    const { secret, ...rest } = answer
    note(verb, rest)
    return answer
  }
  const created = await ask('key/create', { name: 'canary' })
  const id = created.key?.id
  const rotated = await ask('key/rotate', { id, graceMs: 60_000 })
  await ask('key/limits', { id, perDay: '1000' })
  await ask('key/list')
  await ask('ledger/verify', { chain: true })
  await ask('ledger/unfreeze', { channel: 'x' })
  await ask('channel/settle')
  await ask('channel/status')
  await ask('key/revoke', { id })
  await ask('no/such', { secret: created.secret })
  return [created.secret ?? expect.fail(), rotated.secret ?? expect.fail()]
}

/** What anybody may ask, and a key that is wrong by its last letter. */
async function publicRoutes(): Promise<void> {
  const paths = [
    '/v1/payment',
    '/v1/models',
    `/v1/attestation?nonce=${'ab'.repeat(32)}`,
    '/openapi.json',
    '/readyz',
  ]
  for (const path of paths) note(path, await (await fetch(net.origin + path)).text())
  const headers = { authorization: `Bearer ${net.apiKey.slice(0, -1)}` }
  note('wrong key', await (await fetch(`${net.origin}/v1/models`, { headers })).text())
}

const launch = (args: string[]) => ['gateway/cli/launch.mjs', ...args]
const onChain = () => [
  ...['--chain-url', words('chain/url'), '--chain-token-file', net.folder.path('chain', 'token')],
]

/** Runs a command to its end, and keeps all that it says. */
async function command(...args: string[]): Promise<void> {
  const run = promisify(execFile)(process.execPath, launch(args), { cwd: ROOT })
  const { stdout, stderr } = await run.catch((error: { stdout: string; stderr: string }) => error)
  expect(stdout + stderr).not.toBe('')
  note(args.slice(0, 2).join(' '), stdout + stderr)
}

/** Opens a channel of our own, and has a sidecar pay for a chat by it; the sidecar goes on. */
async function payByVoucher(): Promise<void> {
  const data = ['--data', net.folder.path('sidecar')]
  await command(
    ...['sidecar', 'open', '--gateway', net.origin, '--deposit', '1', '--faucet'],
    ...[...onChain(), ...data],
  )
  const trust = ['--policy', 'simulated', '--root', net.folder.path('tee', 'root.der')]
  const serve = ['sidecar', '--port', '0', '--json', '--log-level', 'debug', ...trust, ...data]
  const child = spawn(process.execPath, launch(serve), { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  sidecar = child
  child.stderr.on('data', (said: Buffer) => net.log.push(said))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  note('sidecar', line)
  const sdk = new OpenAI({
    ...{ baseURL: (JSON.parse(line) as { url: string }).url, apiKey: words('sidecar/api-key') },
    maxRetries: 0,
  })
  const answer = await sdk.chat.completions.create({
    model: net.model,
    messages: [{ role: 'user', content: 'Hello' }],
  })
  note('chat through the sidecar', answer)
}

/** What people run beside it. */
async function everyCommand(): Promise<void> {
  const mine = ['--data', net.folder.path('sidecar')]
  const server = ['--data', net.folder.dir]
  await command('sidecar', 'status', '--json', ...mine)
  await command('channel', 'list', '--json', ...onChain(), ...mine)
  await command('channel', 'export', ...mine)
  await command('channel', 'status', '--json', ...server)
  await command('ledger', 'verify', '--json', ...server)
  await command('earnings', '--json', ...server)
  const owner = new Address(0, Buffer.alloc(32, 17)).toString({ bounceable: false })
  await command('withdraw', '--to', owner, '--amount', '0.01', '--json', ...onChain(), ...server)
}

const text = (name: string, word: string, home?: string): Secret => ({
  name,
  forms: disguises(word),
  ...(home !== undefined && { home }),
})
const bytes = (name: string, raw: Uint8Array, home: string): Secret => ({ name, home, forms: byteForms(raw) })
const read = (home: string) => readFileSync(join(net.folder.dir, home))
const words = (home: string) => read(home).toString('utf8').trim()

function secretsOnDisk(): Secret[] {
  const seeds = readdirSync(join(net.folder.dir, 'gateway/keys')).map((name) => `gateway/keys/${name}`)
  const inHex = files().filter((file) =>
    /^worker.keys.payout\.key$|^sidecar.(wallet|.*voucher-key)$/.test(file),
  )
  const tokens = ['gateway/api-key', 'sidecar/api-key', 'chain/token']
  const access = 'gateway/control.json'
  return [
    ...seeds.map((home) => bytes(home, read(home), home)),
    ...inHex.map((home) => bytes(home, Buffer.from(words(home), 'hex'), home)),
    ...tokens.map((home) => text(home, words(home), home)),
    text(access, (JSON.parse(words(access)) as { token: string }).token, access),
    ...files()
      .filter((file) => file.startsWith('tee/'))
      .flatMap(privateKeysIn),
  ]
}

/** The private scalars of all PEM keys in a file. */
function privateKeysIn(home: string): Secret[] {
  const pems =
    JSON.stringify(words(home)).match(/-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----/g) ?? []
  return pems.map((escaped, index) => {
    const pem = escaped.replaceAll(/(\\+n)+/g, '\n')
    const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' })
    return bytes(`key ${index} of ${home}`, Buffer.from(d, 'base64url'), home)
  })
}

function files(dir = net.folder.dir): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return files(path)
    return entry.isFile() ? [relative(net.folder.dir, path)] : []
  })
}

/** Names of the secrets that these bytes hold. */
function found(haystack: Uint8Array, among = secrets): string[] {
  const whole = Buffer.from(haystack.buffer, haystack.byteOffset, haystack.length)
  const holds = (form: string) => whole.includes(Buffer.from(form, 'latin1'))
  return among.filter(({ forms }) => forms.some(holds)).map(({ name }) => name)
}

describe('secrets of the stack', () => {
  it('are those of gateway, worker, sidecar, chain and enclave, and the search finds each in every form', () => {
    const homes = new Set(secrets.map(({ home }) => home))
    expect([...homes]).toEqual(
      expect.arrayContaining([
        'gateway/keys/client-vouchers',
        'gateway/keys/client-release',
        'gateway/api-key',
        'worker/keys/payout.key',
        'sidecar/wallet',
        expect.stringMatching(/^sidecar\/channels\/[0-9a-f]{64}\/voucher-key$/),
      ]),
    )
    expect(secrets.filter(({ home }) => home?.startsWith('tee/')).length).toBeGreaterThanOrEqual(4)
    expect(secrets.length).toBeGreaterThanOrEqual(18)
    for (const secret of secrets) {
      for (const form of secret.forms) {
        expect(form.length).toBeGreaterThanOrEqual(24)
        expect(found(Buffer.from(`…${form}…`, 'latin1'), [secret])).toEqual([secret.name])
      }
    }
  })

  it('are each in its own file and no other: not in the books of gateway, worker and sidecar', () => {
    const names = files()
    for (const name of ['gateway/ledger.sqlite', 'gateway/ledger.sqlite-wal', 'worker/receipts.sqlite'])
      expect(names).toContain(name)
    expect(names.some((name) => /^sidecar.*state\.sqlite$/.test(name))).toBe(true)
    for (const name of names) {
      const foreign = secrets.filter(({ home }) => home !== name)
      expect([name, found(read(name), foreign)]).toEqual([name, []])
    }
  })

  it.skipIf(!posix)('whose files nobody else can read', () => {
    for (const { home } of secrets) {
      if (home === undefined) continue
      expect([home, statSync(join(net.folder.dir, home)).mode & 0o077]).toEqual([home, 0])
    }
  })

  it('are in no log line, even at the most talkative level', () => {
    const log = Buffer.concat(net.log)
    expect(log.length).toBeGreaterThan(500)
    expect(found(log)).toEqual([])
  })

  it('are in no answer of control plane or API, and in nothing that a command says', () => {
    expect(answers.length).toBeGreaterThanOrEqual(28)
    for (const [asked, answer] of answers) expect([asked, found(Buffer.from(answer))]).toEqual([asked, []])
  })

  it('are not on the link between gateway and worker', () => {
    const wire = Buffer.concat(net.proxy.captured)
    expect(wire.length).toBeGreaterThan(10_000)
    expect(found(wire)).toEqual([])
  })

  it.skipIf(!linux)('are in no argument or environment of a process', () => {
    const parents = [...Object.values(net.roles), sidecar]
    const pids = parents.flatMap((process) => descendantsOf(process?.pid ?? 0))
    // Chain, gateway, worker and the worker's engine, sidecar.
    expect(pids.length).toBeGreaterThanOrEqual(5)
    for (const pid of pids) {
      const seen = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`))
      expect(Buffer.concat(seen).length).toBeGreaterThan(50)
      expect([pid, found(Buffer.concat(seen))]).toEqual([pid, []])
    }
  })
})
