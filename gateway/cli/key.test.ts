import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyVerbs, serveControl } from '../control/index.ts'
import { openKeptKey } from '../kept-key.ts'
import { Ledger } from '../ledger/index.ts'
import { TestBooks } from '../ledger/testing/books.ts'
import { key as command } from './key.ts'
import { parseSpan, parseTime } from './spans.ts'
import { chrysalis, runHere } from './testing/command.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-keys-'))
const books = new TestBooks()
let ledger: Ledger
let control: Awaited<ReturnType<typeof serveControl>>

beforeAll(async () => {
  mkdirSync(join(dir, 'gateway'))
  const file = join(dir, 'gateway', 'ledger.sqlite')
  ledger = await Ledger.open({ file, now: Date.now, signVoucher: books.signVoucher })
  await books.open(ledger)
  control = await serveControl(keyVerbs(ledger))
  writeAccess()
})
afterAll(async () => {
  await control.close()
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Where commands find the control plane. */
function writeAccess(): void {
  const access = JSON.stringify({ url: control.url, token: control.token })
  writeFileSync(join(dir, 'gateway', 'control.json'), access)
}

/** A call that succeeds; `--json` makes it an object. */
async function key(...argv: string[]) {
  const { status, stdout, stderr } = await runHere(command, ...argv, '--data', dir, '--json')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout)
}

async function refused(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(command, ...argv, '--data', dir)
  expect(stdout).toBe('')
  expect(status).toBeGreaterThan(0)
  return stderr
}

describe('chrysalis key', () => {
  it('makes a key, limits it, rotates it and revokes it', async () => {
    const limits = ['--per-request', '0.5', '--per-day', '2', '--models', 'a/b,c', '--expires', '30d']
    const { key: made, secret } = await key('create', '--name', 'bot', ...limits)
    expect(made).toMatchObject({
      name: 'bot',
      channel: books.delegated.id,
      limits: { perRequest: '500000000', perDay: '2000000000', models: ['a/b', 'c'] },
      spentToday: '0',
    })
    expect(made.limits.expiresAt - made.createdAt).toBeGreaterThan(29 * 86_400_000)
    expect(await ledger.keys.find(secret)).toMatchObject({ id: made.id })

    const changed = await key('limits', made.id, '--per-day', '3.5', '--models', 'none')
    const { models: _, ...rest } = made.limits
    expect(changed.key.limits).toEqual({ ...rest, perDay: '3500000000' })

    const rotated = await key('rotate', made.id, '--grace', '1h')
    expect(rotated.key.id).toBe(made.id)
    for (const works of [secret, rotated.secret]) {
      expect(await ledger.keys.find(works)).toMatchObject({ id: made.id })
    }
    const again = await key('rotate', made.id, '--grace', '0')
    expect(await ledger.keys.find(rotated.secret)).toBeUndefined()

    expect((await key('revoke', made.id)).key.revokedAt).toBeGreaterThan(0)
    for (const gone of [secret, again.secret]) expect(await ledger.keys.find(gone)).toBeUndefined()
    const { keys } = await key('list')
    expect(keys.map(({ id }: { id: string }) => id)).toContain(made.id)
    expect(JSON.stringify(keys)).not.toContain('sk-chry-')
    expect(JSON.stringify(keys)).not.toContain('chan_')
  })

  it('shows the secret once, and leaves it nowhere', async () => {
    const { stdout } = await chrysalis('key', 'create', '--data', dir, '--name', 'once')
    const [secret = ''] = /sk-chry-[A-Za-z0-9_-]{43}/.exec(stdout) ?? []
    expect(await ledger.keys.find(secret)).toMatchObject({ name: 'once', limits: {} })
    expect((await runHere(command, 'list', '--data', dir)).stdout).toContain('no limit')
    await ledger.close()
    const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    for (const entry of files) {
      expect(readFileSync(join(entry.parentPath, entry.name)).includes(secret.slice(8))).toBe(false)
    }
    const file = join(dir, 'gateway', 'ledger.sqlite')
    ledger = await Ledger.open({ file, now: Date.now, signVoucher: books.signVoucher })
    await control.close()
    control = await serveControl(keyVerbs(ledger))
    writeAccess()
  })

  it('tells where the secret is kept of the key that the quickstart shows', async () => {
    const file = join(dir, 'gateway', 'api-key')
    const kept = await openKeptKey(file, ledger.keys, books.delegated.id)
    await control.close()
    control = await serveControl(keyVerbs(ledger, kept))
    writeAccess()
    const { stdout } = await runHere(command, 'rotate', kept.id, '--data', dir)
    expect(stdout).toContain(readFileSync(file, 'utf8'))
    expect(stdout).toContain(`${file} has the new secret`)
    expect(stdout).not.toContain('the only time')
    const revoked = await runHere(command, 'revoke', kept.id, '--data', dir)
    expect(revoked.stdout).toContain('its next start makes a new one')
  })

  it('draws on what another wallet deposited only where that channel is named', async () => {
    const { 'key/create': create } = keyVerbs(ledger, undefined, ({ id }) => id !== books.delegated.id)
    await expect(create?.({ name: 'bot' })).rejects.toThrow(/no channel of your own is open/)
    const channel = books.delegated.id
    expect(await create?.({ name: 'bot', channel })).toMatchObject({ key: { channel } })
  })

  it('says what it can do', async () => {
    for (const flag of ['--help', '-h']) {
      const { status, stdout } = await runHere(command, flag)
      expect(status).toBe(0)
      for (const verb of ['create', 'list', 'limits', 'rotate', 'revoke'])
        expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'))
    }
  })

  it('says what is wrong with a call', async () => {
    expect(await refused('create', '--per-day', 'much')).toContain('amount: expected an amount of TON')
    expect(await refused('create', '--channel', 'nowhere')).toContain('channel: expected an address of TON')
    expect(await refused('create', '--channel', books.clientSigned.id)).toContain('signed by its client')
    expect(await refused('create', '--expires', '2020-01-01')).toContain('--expires: is over already')
    expect(await refused('rotate', 'key_none')).toContain('API key key_none is not in the ledger')
    expect(await refused('limits', 'key_none', '--per-day', '1')).toContain('API key key_none is not in')
    expect(await refused('revoke')).toContain('say which key')
    expect(await refused('burn')).toContain('say one of create, list, limits, rotate, revoke')
  })
})

describe('spans and dates', () => {
  it('are read as people type them', () => {
    expect([parseSpan('f', '0'), parseSpan('f', '45s'), parseSpan('f', '7d')]).toEqual([
      0, 45_000, 604_800_000,
    ])
    expect(parseTime('f', '2h', 1000)).toBe(7_201_000)
    expect(parseTime('f', '2027-01-31', 0)).toBe(Date.UTC(2027, 0, 31))
    expect(parseTime('f', '2027-01-31T18:30Z', 0)).toBe(Date.UTC(2027, 0, 31, 18, 30))
    for (const wrong of ['', '5', '1w', '-1d', '2027-13-01', '31.1.2027', '2027-01-31T18:00', '0d']) {
      expect(() => parseTime('f', wrong, 0), wrong).toThrow(/^f: /)
    }
  })
})
