/** A gateway whose ledger is in PostgreSQL, as an operator runs it: real processes and a server of this test's own. */

import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postgresPrograms, TestPostgres } from '../ledger/testing/postgres.ts'
import { findings } from './canary.ts'
import { channelStatus, clientChannel } from './money.ts'
import { descendantsOf } from './processes.ts'
import { type Proxied, startProxied } from './proxied.ts'
import { ROOT } from './stack.ts'

const PASSWORD = 'Zanzibarquokka5820'
const programs = postgresPrograms()

describe.skipIf(programs === undefined)('a gateway with its ledger in PostgreSQL', () => {
  let server: TestPostgres
  let net: Proxied
  let dir: string
  /** Has the connection string, password and all. */
  let secretFile: string
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'chrysalis-e2e-pg-'))
    server = await TestPostgres.start(programs ?? '')
    secretFile = join(dir, 'connection')
    // The server trusts its socket: what the password is for here is to be found where it has leaked to.
    writeFileSync(secretFile, `${await server.newSchema()}&password=${PASSWORD}\n`, { mode: 0o600 })
    net = await startProxied('debug', ['--ledger-postgres-file', secretFile])
  })
  afterAll(async () => {
    await net?.close()
    await server?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  async function chat(): Promise<void> {
    const body = { model: net.model, messages: [{ role: 'user', content: 'Hello' }] }
    const response = await net.post('/v1/chat/completions', body)
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('"content":"')])
  }

  const charged = async () => clientChannel(await channelStatus(net.folder)).charged

  /** Runs a command to its end. @returns its exit code and all that it said */
  async function run(...args: string[]): Promise<{ code: number; said: string }> {
    const all = ['--disable-warning=ExperimentalWarning', ...args]
    const ended = promisify(execFile)(process.execPath, all, { cwd: ROOT }).then(
      ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
      ({ code, stdout, stderr }) => ({ code: Number(code), said: String(stdout) + String(stderr) }),
    )
    return await ended
  }
  const verify = (...more: string[]) =>
    run('gateway/cli/launch.mjs', 'ledger', 'verify', '--data', net.folder.dir, ...more)

  it('keeps what it has charged when it is killed, and verifies without a difference, running or not', async () => {
    await chat()
    const before = BigInt(await charged())
    expect(before).toBeGreaterThan(0n)
    const again = once(net.roles.gateway, 'ready')
    process.kill(net.roles.gateway.pid ?? expect.fail(), 'SIGKILL')
    await again
    await net.joined(2)
    expect(BigInt(await charged())).toBe(before)
    await chat()
    expect(BigInt(await charged())).toBeGreaterThan(before)
    expect(existsSync(net.folder.path('gateway', 'ledger.sqlite'))).toBe(false)
    expect(await verify('--chain')).toMatchObject({ code: 0, said: expect.stringContaining('no difference') })
  })

  it('refuses a second gateway with one channel: a copy of its data folder on the same books', async () => {
    const copy = join(dir, 'copy')
    cpSync(net.folder.path('gateway'), copy, { recursive: true })
    const chain = readFileSync(net.folder.path('chain', 'url'), 'utf8').trim()
    const { code, said } = await run(
      ...['gateway/main.ts', '--data', copy, '--port', '0', '--ledger-postgres-file', secretFile],
      ...['--tee', 'simulated', '--tee-dir', net.folder.path('tee')],
      ...['--chain-url', chain, '--chain-token-file', net.folder.path('chain', 'token')],
    )
    expect(code).not.toBe(0)
    expect(said).toContain('the ledger in PostgreSQL is in use by another process')
    expect(findings(Buffer.from(said), [PASSWORD])).toEqual([])
  })

  it('tells nobody the password: no log, no argument, no environment, no other file', () => {
    const pids = Object.values(net.roles).flatMap(({ pid }) => descendantsOf(pid ?? 0))
    const names = process.platform === 'linux' ? ['cmdline', 'environ'] : []
    const seen = pids.flatMap((pid) => names.map((name) => `/proc/${pid}/${name}`))
    const kept = readdirSync(net.folder.dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    expect(kept.length).toBeGreaterThan(8)
    for (const file of [...seen, ...kept])
      expect([file, findings(readFileSync(file), [PASSWORD])]).toEqual([file, []])
    expect(Buffer.concat(net.log).length).toBeGreaterThan(500)
    expect(findings(Buffer.concat(net.log), [PASSWORD])).toEqual([])
    expect(findings(readFileSync(secretFile), [PASSWORD])).not.toEqual([])
  })

  it('has its books verified by a command when it does not run', async () => {
    await net.roles.gateway.stop()
    const { code, said } = await verify('--chain', '--json', '--ledger-postgres-file', secretFile)
    expect([code, said]).toEqual([0, expect.stringContaining('"differences":0')])
    const { report } = JSON.parse(said.trim().split('\n').at(-1) ?? '') as { report: object }
    expect(report).toMatchObject({ requests: 2, channels: 2, onChain: 2 })
    expect(findings(Buffer.from(said), [PASSWORD])).toEqual([])
    const [{ id } = expect.fail()] = (await server.query(
      `select id from channels where role = 'client'`,
      readFileSync(secretFile, 'utf8').trim(),
    )) as { id: string }[]
    await server.query(
      `update channels set charged = charged + 1 where id = '${id}'`,
      readFileSync(secretFile, 'utf8').trim(),
    )
    const found = await verify('--ledger-postgres-file', secretFile)
    expect(found).toMatchObject({ code: 1, said: expect.stringContaining(id) })
  })
})
