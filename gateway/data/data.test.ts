import { fork } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openDataFolder, openSecret, readSecret } from './index.ts'

let base: string
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'chrysalis-data-'))
})
afterEach(() => rm(base, { recursive: true, force: true }))

const mode = (path: string) => statSync(path).mode & 0o777
const posix = process.platform !== 'win32'

describe('the data folder', () => {
  it('is made private, with a version, and opens again', async () => {
    const dir = join(base, 'a', 'b')
    const first = await openDataFolder(dir)
    expect(readFileSync(first.path('VERSION'), 'utf8')).toBe('chrysalis-data 1\n')
    if (posix) expect(mode(dir)).toBe(0o700)
    first.close()
    const second = await openDataFolder(dir)
    expect(second.path('gateway', 'x')).toBe(join(dir, 'gateway', 'x'))
    second.close()
  })

  it('narrows the mode of an empty folder that exists', async () => {
    const dir = join(base, 'wide')
    mkdirSync(dir, { mode: 0o755 })
    const folder = await openDataFolder(dir)
    if (posix) expect(mode(dir)).toBe(0o700)
    folder.close()
  })

  it('refuses a folder that holds something else, and leaves it alone', async () => {
    writeFileSync(join(base, 'thesis.txt'), 'years of work')
    await expect(openDataFolder(base)).rejects.toMatchObject({ code: 'ERR_DATA_FOREIGN' })
    await expect(openDataFolder(base, { reset: true })).rejects.toMatchObject({ code: 'ERR_DATA_FOREIGN' })
    expect(readdirSync(base)).toEqual(['thesis.txt'])
  })

  it('refuses a VERSION file that it cannot read', async () => {
    writeFileSync(join(base, 'VERSION'), '1.0.0\n')
    await expect(openDataFolder(base, { reset: true })).rejects.toMatchObject({ code: 'ERR_DATA_FOREIGN' })
  })

  it('refuses a file and the home folder', async () => {
    writeFileSync(join(base, 'file'), '')
    await expect(openDataFolder(join(base, 'file'))).rejects.toMatchObject({ code: 'ERR_DATA_FOLDER' })
    await expect(openDataFolder('/')).rejects.toMatchObject({ code: 'ERR_DATA_FOREIGN' })
  })

  it('resets only what the project made', async () => {
    const first = await openDataFolder(base)
    for (const name of ['gateway', 'chain', 'mine']) mkdirSync(first.path(name))
    writeFileSync(first.path('gateway', 'ledger.sqlite'), 'x')
    const elsewhere = mkdtempSync(join(tmpdir(), 'chrysalis-linked-'))
    writeFileSync(join(elsewhere, 'keep'), '')
    symlinkSync(elsewhere, first.path('tee'))
    first.close()
    const second = await openDataFolder(base, { reset: true })
    expect(readdirSync(base).sort()).toEqual(['VERSION', 'lock.pid', 'lock.sqlite', 'mine'])
    expect(existsSync(join(elsewhere, 'keep'))).toBe(true)
    second.close()
    await rm(elsewhere, { recursive: true })
  })

  it('ends a reset that a crash interrupted', async () => {
    ;(await openDataFolder(base)).close()
    mkdirSync(join(base, 'gateway'))
    writeFileSync(join(base, 'VERSION'), 'chrysalis-data 1 reset\n')
    const folder = await openDataFolder(base)
    expect(existsSync(join(base, 'gateway'))).toBe(false)
    expect(readFileSync(join(base, 'VERSION'), 'utf8')).toBe('chrysalis-data 1\n')
    folder.close()
  })

  it('migrates step by step, and refuses a newer version without touching it', async () => {
    ;(await openDataFolder(base)).close()
    const steps: number[] = []
    const migrations = { 1: async () => void steps.push(1), 2: async () => void steps.push(2) }
    ;(await openDataFolder(base, { version: 3, migrations })).close()
    expect(steps).toEqual([1, 2])
    mkdirSync(join(base, 'gateway'))
    const newer = { code: 'ERR_DATA_VERSION', message: expect.stringContaining('version 3') }
    await expect(openDataFolder(base)).rejects.toMatchObject(newer)
    await expect(openDataFolder(base, { reset: true })).rejects.toMatchObject(newer)
    expect(existsSync(join(base, 'gateway'))).toBe(true)
  })

  it('goes on from the step at which a migration failed', async () => {
    ;(await openDataFolder(base)).close()
    const broken = { 1: async () => {}, 2: () => Promise.reject(new Error('disk')) }
    await expect(openDataFolder(base, { version: 3, migrations: broken })).rejects.toThrow('disk')
    const steps: number[] = []
    const migrations = { 2: async () => void steps.push(2) }
    ;(await openDataFolder(base, { version: 3, migrations })).close()
    expect(steps).toEqual([2])
  })

  it('is locked against a second process, and free again when the first is killed', async () => {
    const holder = fork(join(import.meta.dirname, 'testing', 'holder.ts'), [base], { execArgv: [] })
    await once(holder, 'message')
    const refused = openDataFolder(base)
    await expect(refused).rejects.toMatchObject({ code: 'ERR_DATA_LOCKED' })
    await expect(refused).rejects.toThrow(base)
    await expect(refused).rejects.toThrow(`pid ${holder.pid}`)
    await expect(openDataFolder(base, { reset: true })).rejects.toMatchObject({ code: 'ERR_DATA_LOCKED' })
    const gone = once(holder, 'exit')
    holder.kill('SIGKILL')
    await gone
    ;(await openDataFolder(base)).close()
  })
})

describe('files', () => {
  it('hold a secret that all who race for it share', async () => {
    const path = join(base, 'secret')
    let made = 0
    const create = () => new Uint8Array(32).fill(++made)
    const secrets = await Promise.all(Array.from({ length: 8 }, () => openSecret(path, create)))
    for (const secret of secrets) expect(secret).toEqual(secrets[0])
    expect(readdirSync(base)).toEqual(['secret'])
    if (posix) expect(mode(path)).toBe(0o600)
    expect(await readSecret(join(base, 'none'))).toBeUndefined()
  })

  it.runIf(posix)('refuse a secret that others can reach', async () => {
    const path = join(base, 'secret')
    await openSecret(path, () => new Uint8Array(32))
    chmodSync(path, 0o640)
    await expect(readSecret(path)).rejects.toMatchObject({ code: 'ERR_SECRET_MODE' })
    await expect(openSecret(path, () => new Uint8Array(32))).rejects.toThrow('640')
    chmodSync(path, 0o400)
    expect(await readSecret(path)).toHaveLength(32)
    symlinkSync(path, join(base, 'link'))
    await expect(readSecret(join(base, 'link'))).rejects.toMatchObject({ code: 'ERR_SECRET_MODE' })
  })
})
