import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { eventDigest } from '../eventlog/index.ts'
import { extendRtmr3, NodeFiles, nodeExec, preflight, readMeasurements, TdxGuest } from './index.ts'
import { GuestLock } from './lock.ts'

const root = mkdtempSync(join(tmpdir(), 'guest-'))
afterAll(() => rmSync(root, { recursive: true }))
const files = new NodeFiles(`${root}/`)
const put = (path: string, content: string | Uint8Array) => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), content)
}

describe('files of a real tree', () => {
  it('are read whole, up to the limit', async () => {
    const big = new Uint8Array(200_000).fill(5)
    put('/a/big', big)
    put('/a/empty', '')
    expect(await files.read('/a/big', 200_000)).toEqual(big)
    expect(await files.read('/a/empty', 0)).toEqual(new Uint8Array(0))
    await expect(files.read('/a/big', 199_999)).rejects.toMatchObject({ code: 'EFBIG' })
    await expect(files.read('/a/none', 1)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('are written in place: neither created nor cut', async () => {
    put('/b/value', 'abcdef')
    await files.write('/b/value', utf8('xy'))
    expect(readFileSync(join(root, 'b/value'), 'utf8')).toBe('xycdef')
    await expect(files.write('/b/none', utf8('x'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it.skipIf(process.platform === 'win32')(
    'are created once, replaced whole, and only ours to read',
    async () => {
      await files.ensureFolder('/run/x')
      await files.create('/run/x/lock', utf8('1'))
      await expect(files.create('/run/x/lock', utf8('2'))).rejects.toMatchObject({ code: 'EEXIST' })
      await files.replace('/run/x/record', utf8('longer'))
      await files.replace('/run/x/record', utf8('new'))
      expect(readFileSync(join(root, 'run/x/record'), 'utf8')).toBe('new')
      expect(readdirSync(join(root, 'run/x')).sort()).toEqual(['lock', 'record'])
      expect(statSync(join(root, 'run/x/record')).mode & 0o777).toBe(0o600)
      expect(statSync(join(root, 'run/x')).mode & 0o777).toBe(0o700)
    },
  )

  it('have room also where the folder is yet to be made', async () => {
    expect(await files.freeBytes('/not/yet/there')).toBeGreaterThan(0)
  })
})

describe('a fake tree of a guest', () => {
  // Windows has no colons in file names.
  it.skipIf(process.platform === 'win32')('has registers and a lock that real files serve', async () => {
    const folder = '/sys/class/misc/tdx_guest/measurements'
    for (const name of ['mrtd:sha384', 'mrconfigid', 'mrowner', 'mrownerconfig'])
      put(`${folder}/${name}`, new Uint8Array(48).fill(7))
    for (const i of [0, 1, 2, 3]) put(`${folder}/rtmr${i}:sha384`, new Uint8Array(48))
    expect((await readMeasurements(files)).mrTd[0]).toBe(7)
    // A file keeps what is written, which a register never does: the read-back sees it.
    await expect(extendRtmr3(files, eventDigest('a', utf8('')))).rejects.toThrow(/another program/)
    await files.ensureFolder('/run/chrysalis')
    put('/proc/1/stat', `1 (x) S ${Array(40).fill('3').join(' ')}`)
    const lock = await GuestLock.take(files, '/run/chrysalis/lock', 1)
    await expect(GuestLock.take(files, '/run/chrysalis/lock', 2)).rejects.toMatchObject({
      code: 'ERR_GUEST_LOCKED',
    })
    await lock.release()
    expect(readdirSync(join(root, 'run/chrysalis'))).toEqual([])
  })
})

describe('this machine', () => {
  const isGuest = process.platform === 'linux' && readdirSync('/sys/class').length > 0 && existsGuest()

  it.skipIf(isGuest)('is no TDX guest, and says so', async () => {
    await expect(TdxGuest.open({ events: [] })).rejects.toMatchObject({
      code: 'ERR_NOT_TDX_GUEST',
      message: expect.stringMatching(/^not a TDX guest: /),
    })
  })

  it('can be checked', async () => {
    const checks = await preflight({ gpu: false, disk: { folder: root, bytes: 1 }, memoryBytes: 1 })
    const guest = checks.find(({ name }) => name === 'tdx-guest')
    expect(guest?.result).toBe(isGuest ? 'ok' : 'fail')
    expect(checks.find(({ name }) => name === 'node')?.result).toBe('ok')
  })
})

function existsGuest(): boolean {
  try {
    return statSync('/sys/class/misc/tdx_guest').isDirectory()
  } catch {
    return false
  }
}

describe('programs', () => {
  const limits = { timeoutMs: 20_000, maxBytes: 1000 }
  const script = (code: string) => nodeExec(process.execPath, ['-e', code], limits)

  it('give status, output and errors, and see none of our environment', async () => {
    process.env.CHRYSALIS_TEST_SECRET = 'x'
    const code =
      'process.stdout.write(String(process.env.CHRYSALIS_TEST_SECRET)); console.error("e"); process.exit(3)'
    const { status, stdout, stderr } = await script(code)
    delete process.env.CHRYSALIS_TEST_SECRET
    expect([status, Buffer.from(stdout).toString(), stderr]).toEqual([3, 'undefined', 'e\n'])
    expect((await script('')).status).toBe(0)
  })

  it('that are missing, hang or talk too much are errors', async () => {
    await expect(nodeExec('/no/such/program', [], limits)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(
      nodeExec(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 300, maxBytes: 10 }),
    ).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await expect(script('process.stdout.write("x".repeat(5000))')).rejects.toMatchObject({
      code: 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER',
    })
  })
})
