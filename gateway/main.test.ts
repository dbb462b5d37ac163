import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const CANARY = 'xylocanaryphone'

/** Loaded into the process before ours: errors as a library might leave behind, at the parent's word. */
const STRAY = `data:text/javascript,${encodeURIComponent(`
  process.on('message', (what) => {
    const error = new Error('could not parse "${CANARY}"')
    if (what === 'reject') Promise.reject(error)
    if (what === 'throw') setImmediate(() => { throw error })
  })
`)}`

let dir: string
/** A chain that takes a call and never answers: the gateway stays in its start. */
let chain: Server
let child: ChildProcess | undefined
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-main-'))
  writeFileSync(join(dir, 'token'), 'token')
  chain = createServer().listen(0, '127.0.0.1')
  await once(chain, 'listening')
})
afterEach(() => child?.kill('SIGKILL'))
afterAll(() => {
  chain.closeAllConnections()
  chain.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Where the process keeps what is its own, and what it is. */
const folders = () => [
  '--data',
  join(dir, 'gateway'),
  '--tee-dir',
  join(dir, 'tee'),
  '--port',
  '0',
  '--tee',
  'simulated',
]

/** How it reaches the chain. */
function connection(): string[] {
  const { port } = chain.address() as AddressInfo
  return ['--chain-url', `http://127.0.0.1:${port}`, '--chain-token-file', join(dir, 'token')]
}

/** Starts the process as the supervisor does. */
function start(more: string[] = []) {
  const common = [...folders(), ...connection()]
  const started = spawn(process.execPath, ['--import', STRAY, MAIN, ...common, ...more], {
    env: { ...process.env, CHRYSALIS_SUPERVISED: '1' },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  child = started
  let output = ''
  for (const stream of [started.stdout, started.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = once(started, 'close').then(([code]) => ({ code: code as number | null, output }))
  return { child: started, ended }
}

describe('the gateway process', () => {
  it.skipIf(process.platform !== 'linux')(
    'turns core dumps off by itself when started without a supervisor',
    async () => {
      const called = once(chain, 'request')
      const shell = 'ulimit -c unlimited 2>/dev/null || ulimit -S -c "$(ulimit -H -c)"; exec "$@"'
      const { CHRYSALIS_SUPERVISED: _, ...env } = process.env
      const command = [process.execPath, MAIN, ...connection(), ...folders()]
      child = spawn('/bin/sh', ['-c', shell, 'sh', ...command], { env, stdio: 'ignore' })
      await called
      expect(readFileSync(`/proc/${child.pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 /m)
    },
  )

  it.each([
    ['reject', 'unhandled rejection'],
    ['throw', 'uncaught exception'],
  ])('tells of a stray error (%s) its code and place only, and ends', async (what, msg) => {
    const called = once(chain, 'request')
    const { child, ended } = start()
    await called
    child.send(what)
    const { code, output } = await ended
    expect(code).toBe(1)
    expect(output).not.toContain(CANARY)
    expect(JSON.parse(output)).toMatchObject({ msg, code: 'ERR_UNEXPECTED', at: 'elsewhere' })
  })

  it('tells why it does not start without quoting what failed', async () => {
    const { code, output } = await start(['--data', join(dir, 'token', CANARY)]).ended
    expect(code).toBe(1)
    expect(output).toMatch(/^gateway: failed to start \(ENOTDIR at gateway.data.files\.ts:\d+\)\n$/)
  })

  it('refuses a policy that cannot be read, in one sentence', async () => {
    const { code, output } = await start(['--policy', '/nowhere/policy.json']).ended
    expect(code).toBe(2)
    expect(output).toMatch(/^gateway: setting policy: [^\n]*\n$/)
  })

  it.each(['message', 'disconnect'])('ends when asked to during its start, by %s', async (how) => {
    const called = once(chain, 'request')
    const { child } = start()
    const exited = once(child, 'exit')
    await called
    if (how === 'message') child.send({ type: 'stop' })
    else child.disconnect()
    // A child that its parent has disconnected never emits 'close'.
    expect(await exited).toEqual([0, null])
  })
})
