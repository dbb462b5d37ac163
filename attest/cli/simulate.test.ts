import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CASES } from '../simulate/cases.ts'
import { simulate } from './simulate.ts'
import { attest, type Ran } from './testing.ts'

let cwd: string

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'chrysalis-case-'))
})
afterEach(() => rm(cwd, { recursive: true }))

/** Runs the verb itself, in a world whose folder is fresh. */
async function run(...argv: string[]): Promise<Pick<Ran, 'status' | 'out'>> {
  let out = ''
  const io = {
    out: (text: string) => {
      out += text
    },
    err: () => {},
    outBytes: () => {},
    terminal: false,
    colour: false,
    env: {},
    cwd,
    now: () => Date.UTC(2026, 10, 22),
  }
  return { status: await simulate(argv, io), out }
}

describe('attest simulate', () => {
  it.each([
    ['debug', 'refuse', ['td.debug']],
    ['good-v5-td15', 'accept', []],
  ] as const)('writes %s as a vector that says how it is judged', async (name, expected, failed) => {
    const { status, out } = await run('--case', name, '--out', 'vector', '--at', '2026-06-09T00:00:00Z')
    expect(status).toBe(0)
    expect(out).toBe(`vector: ${name}, ${expected}${failed.length > 0 ? ` (${failed.join(', ')})` : ''}\n`)
    const folder = join(cwd, 'vector')
    expect((await readdir(folder)).sort()).toEqual([
      'bundle.json',
      'case.json',
      'claims.json',
      'collateral.json',
      'eventlog.json',
      'policy.json',
      'quote.bin',
      'root.der',
    ])
    const info = JSON.parse(await readFile(join(folder, 'case.json'), 'utf8'))
    expect(info).toMatchObject({ name, expected, failedFactors: failed, time: '2026-06-09T00:00:00Z' })

    const words = info.command.split(' ')
    const verified = await attest(words.slice(words.indexOf('verify')), { cwd })
    expect(verified.status, verified.err).toBe(expected === 'accept' ? 0 : 1)
    for (const factor of failed) expect(verified.out).toContain(factor)
  })

  it('takes the nonce that a person chose, and a fresh one otherwise', async () => {
    const nonceOf = async (...argv: string[]): Promise<string> => {
      await run('--case', 'good', '--out', 'vector', ...argv)
      return JSON.parse(await readFile(join(cwd, 'vector', 'case.json'), 'utf8')).nonce
    }
    expect(await nonceOf('--nonce', 'AB'.repeat(32))).toBe('ab'.repeat(32))
    const fresh = await nonceOf()
    expect(fresh).toMatch(/^[0-9a-f]{64}$/)
    expect(await nonceOf()).not.toBe(fresh)
  })

  it('lists every case with its verdict', async () => {
    const { status, out } = await run('--list')
    expect(status).toBe(0)
    const lines = out.trimEnd().split('\n')
    expect(lines).toHaveLength(CASES.length)
    expect(lines.find((line) => line.startsWith('migratable '))).toMatch(/^migratable +refuse {2}a TD that/)
  })

  it.each<[string, string[], string]>([
    ['an unknown case', ['--case', 'nothing', '--out', '.'], "no case 'nothing'"],
    ['no case', ['--out', '.'], '--case'],
    ['no folder', ['--case', 'good'], '--out'],
    ['a time that is none', ['--case', 'good', '--out', '.', '--at', 'today'], '--at'],
    ['half a nonce', ['--case', 'good', '--out', '.', '--nonce', 'ab'], '--nonce'],
    ['a folder that is a file', ['--case', 'good', '--out', 'file'], '--out'],
  ])('says what is wrong with %s', async (_name, argv, message) => {
    await writeFile(join(cwd, 'file'), '')
    await expect(run(...argv)).rejects.toMatchObject({
      code: 'ERR_ARGUMENT',
      message: expect.stringContaining(message),
    })
  })
})
