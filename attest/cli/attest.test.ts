import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../bytes.ts'
import { measuredTee, NONCE, NOW, sampleEvidence } from '../evidence/testing.ts'
import { printable } from '../inspect/text.ts'
import { readArguments, verb } from './command.ts'
import { readTime } from './files.ts'
import { mayColour, styled } from './io.ts'
import { safeJson } from './json.ts'
import { attest } from './testing.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'chrysalis-attest-'))
const tee = measuredTee()
beforeAll(async () => {
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(await sampleEvidence(tee)))
  writeFileSync(join(dir, 'root.der'), tee.platform.certificates.root)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** As `npm run --silent attest -- …` does it: from the package's folder, with the person's own named. */
function asNpmDoes(...argv: string[]) {
  const launch = ['gateway/cli/launch.mjs', '--run', 'attest/cli/attest.ts', ...argv]
  const env = { ...process.env, npm_lifecycle_event: 'attest', INIT_CWD: dir, NO_COLOR: '' }
  return spawnSync(process.execPath, launch, { cwd: ROOT, env, encoding: 'utf8' })
}

describe('the process', () => {
  const at = ['--at', new Date(NOW + 1).toISOString()]
  const policy = ['--policy', 'simulated', '--root', 'root.der']
  it.each([
    [0, ['verify', '--bundle', 'bundle.json', ...policy, ...at, '--nonce', toHex(NONCE)]],
    [1, ['verify', '--bundle', 'bundle.json', ...policy, ...at]],
    [2, ['verify', '--bundle', 'bundle.json', ...policy, '--at', 'now']],
  ])('exits %i for %j, with paths from where it was typed and without colours in a pipe', (status, argv) => {
    const ran = asNpmDoes(...argv)
    expect([ran.status, status === 2 ? ran.stdout : ran.stderr]).toEqual([status, ''])
    expect(ran.stdout + ran.stderr).not.toContain('\u001b')
  })

  it('keeps its verdict when nobody reads to the end', () => {
    const command = `node gateway/cli/launch.mjs --run attest/cli/attest.ts inspect bundle.json | head -n 1; exit \${PIPESTATUS[0]}`
    const env = {
      ...process.env,
      npm_lifecycle_event: 'attest',
      INIT_CWD: dir,
      PATH: `${ROOT}node_modules/.bin:${process.env.PATH}`,
    }
    const ran = spawnSync('bash', ['-c', command], { cwd: ROOT, env, encoding: 'utf8' })
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([0, 'bundle.json: an evidence bundle\n', ''])
  })
})

/** A device that takes no byte, as a full disk does. */
const FULL = '/dev/full'

describe.skipIf(!existsSync(FULL))('the process, where nothing can be written,', () => {
  function run(full: 1 | 2, ...argv: string[]) {
    const launch = ['gateway/cli/launch.mjs', '--run', 'attest/cli/attest.ts', ...argv]
    const device = openSync(FULL, 'w')
    const stdio = ['ignore', full === 1 ? device : 'pipe', full === 2 ? device : 'pipe'] as const
    const ran = spawnSync(process.execPath, launch, { cwd: ROOT, stdio: [...stdio], encoding: 'utf8' })
    closeSync(device)
    return ran
  }

  it('never exits as if its output were there', () => {
    const { status, stderr } = run(1, 'policy', 'strict')
    expect([status, stderr]).toEqual([
      2,
      'attest: its output cannot be written (ENOSPC), so nothing in it counts\n',
    ])
  })

  it('says by its exit status what no sentence can', () => {
    expect(run(2, 'nonsense').status).toBe(2)
    expect(run(2, 'policy', 'strict').status).toBe(0)
  })
})

describe('the frame', () => {
  it('names every command, and each explains itself', async () => {
    const { status, out } = await attest(['--help'])
    expect(status).toBe(0)
    const names = out.split('\n').flatMap((line) => /^ {2}([a-z]+( verify)?) {2,}/.exec(line)?.[1] ?? [])
    expect(names).toEqual(expect.arrayContaining(['verify', 'inspect', 'policy', 'receipt verify']))
    // Verbs with settings of another kind print their help through the process.
    for (const name of names.filter((name) => !['measure', 'simulate'].includes(name))) {
      const help = await attest([...name.split(' '), '--help'])
      expect([help.status, help.err]).toEqual([0, ''])
      expect(help.out).toMatch(/^Usage: attest /)
      for (const line of help.out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(124)
    }
  })

  it.each([
    [[]],
    [['verfy']],
    [['receipt']],
    [['receipt', 'sign']],
    [['constructor']],
    [['verify\u001b[2J']],
  ])('refuses %j with status 2 and the list of commands', async (argv) => {
    const { status, out, err } = await attest(argv)
    expect(status).toBe(2)
    expect(out + err).toContain('Usage: attest COMMAND')
    expect(out + err).not.toContain('\u001b')
  })

  it('tells of a defect only where it is', async () => {
    const now = (): number => {
      throw new TypeError('secret')
    }
    const { status, err } = await attest(['inspect', 'package.json'], { now, cwd: ROOT })
    expect(status).toBe(2)
    expect(err).toMatch(/^attest: a defect of this program \(ERR_UNEXPECTED at .*\); please report it\n$/)
  })
})

describe('arguments', () => {
  const help = {
    name: 'test',
    usage: [''],
    summary: '',
    flags: { file: { value: 'FILE', about: '' }, json: { about: '' } },
    operands: 1,
  } as const

  it('are read in one way only, whatever they are', () => {
    const word = fc.oneof(
      fc.constantFrom('--file', '--json', '--', '-', 'x', '--file=x', '-f', ''),
      fc.string(),
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), (argv) => {
        try {
          const { given, operands } = readArguments(help, argv)
          expect(Object.keys(given)).toEqual(['file', 'json'])
          expect(operands.length).toBeLessThanOrEqual(1)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_ARGUMENT' })
        }
      }),
    )
  })

  it('may begin with a dash after --', async () => {
    const seen: unknown[] = []
    const main = verb(help, (given, operands) => {
      seen.push(given.file, operands)
      return 0
    })
    const io = {} as Parameters<typeof main>[1]
    expect(await main(['--file=--odd', '--', '-name'], io)).toBe(0)
    expect(seen).toEqual(['--odd', ['-name']])
  })

  it('of time are one moment', () => {
    expect(readTime('--at', '2026-06-09T02:00:00+02:00')).toBe(Date.UTC(2026, 5, 9))
    expect(readTime('--at', '2024-02-29T23:59:59.5Z')).toBe(Date.UTC(2024, 1, 29, 23, 59, 59, 500))
    for (const bad of [
      '',
      '2026',
      '2023-02-29T00:00:00Z',
      '2026-06-09T24:00:01Z',
      '2026-06-09 00:00:00Z',
      '1780963200',
    ])
      expect(() => readTime('--at', bad), bad).toThrow('--at')
  })
})

describe('what is printed', () => {
  it('never moves a cursor, colours or turns writing around', () => {
    expect(printable('a\u001b[31m\u202e\u009b\n\\')).toBe('a\\u{1b}[31m\\u{202e}\\u{9b}\\u{a}\\\\')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        const json = safeJson({ [text]: text })
        expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
        expect(JSON.parse(json)).toEqual({ [text]: text })
      }),
    )
  })

  it('is coloured on a terminal alone, and never against NO_COLOR', () => {
    expect(mayColour({}, true)).toBe(true)
    expect(mayColour({ NO_COLOR: '' }, true)).toBe(true)
    expect(mayColour({ NO_COLOR: '1' }, true)).toBe(false)
    expect(mayColour({ TERM: 'dumb' }, true)).toBe(false)
    expect(mayColour({}, false)).toBe(false)
    expect(styled({ colour: false }, 'red', 'x')).toBe('x')
    expect(styled({ colour: true }, 'red', 'x')).toBe('\u001b[31mx\u001b[0m')
  })
})
