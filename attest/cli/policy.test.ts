import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { decodePolicy, encodePolicy, type Policy } from '../policy/policy.ts'
import { PRESETS, preset, strict } from '../policy/presets.ts'
import { attest } from './testing.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-policy-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const ROOT = 'ab'.repeat(32)
const HASH = 'ef'.repeat(48)
const run = (...argv: string[]) => attest(['policy', ...argv], { cwd: dir })

describe('attest policy', () => {
  it.each(PRESETS)('prints %s as a file that is that policy', async (name) => {
    const root = name === 'simulated' ? ['--root', ROOT] : []
    const { status, out } = await run(name, ...root)
    expect(status).toBe(0)
    expect(decodePolicy(Buffer.from(out))).toEqual(preset(name, ROOT))
    expect((await run('--list')).out).toContain(name)
    expect((await run(name, ...root, '--words')).out).toMatch(/^The policy /)
  })

  it('says in words what a file demands, each pin among it', async () => {
    const pinned: Policy = {
      ...strict({
        models: { 'my/model': [ROOT] },
        measurements: [{ name: 'release 1', mrTd: 'cd'.repeat(48), rtmr: [null, null, null, null] }],
        software: ['1.2.3'],
        configurations: ['09'.repeat(32), '0a'.repeat(32)],
        registry: { globalId: -239, address: '0:ff' },
        modules: ['ef'.repeat(48)],
        revokedPlatforms: ['00'.repeat(16)],
      }),
      name: 'mine\u001b[2J',
      minimumTeeTcbSvn: '07'.repeat(16),
      tcb: { statuses: ['SWHardeningNeeded'], advisories: ['INTEL-SA-00001'] },
    }
    writeFileSync(join(dir, 'mine.json'), encodePolicy(pinned))
    const { status, out } = await run('mine.json')
    expect(status).toBe(0)
    const words = [
      'my/model',
      'release 1 (leaves open RTMR0, RTMR1, RTMR2, RTMR3)',
      'one of 2',
      '1.2.3',
      '0:ff',
      '07'.repeat(16),
      'SWHardeningNeeded',
      'INTEL-SA-00001',
    ]
    for (const word of [...words, 'the Intel SGX Root CA', '1 platform', 'demanded of a worker'])
      expect(out).toContain(word)
    expect(out).not.toContain('\u001b')
  })

  it.each([
    [undefined, 'tokens of a service are not asked for'],
    [{ issuer: 'https://nras.example' }, 'tokens of https://nras.example asked for'],
    [{ issuer: 'https://nras.example', required: true }, 'tokens of https://nras.example demanded'],
  ])('says whether tokens of a service are wanted: %j', async (eat, words) => {
    const { gpu, ...rest } = strict()
    if (gpu === undefined) throw new Error('no GPU')
    writeFileSync(join(dir, 'tokens.json'), encodePolicy({ ...rest, gpu: { ...gpu, ...(eat && { eat }) } }))
    expect((await run('tokens.json')).out).toContain(words)
  })

  it.each<[Policy['measurements'], RegExp]>([
    [undefined, /measurements +not pinned\n[\s\S]*configurations +not pinned\n/],
    [[], /measurements +none is allowed\n[\s\S]*configurations +not pinned\n/],
    [
      [{ mrTd: 'cd'.repeat(48), rtmr: [HASH, HASH, null, HASH] }],
      /\(leaves open RTMR2\)\n[\s\S]*pinned by RTMR3\n/,
    ],
    [[{ mrTd: 'cd'.repeat(48), rtmr: [HASH, HASH, HASH, HASH] }], /one of 1 set: MRTD cdcdcdcdcdcdcdcd…\n/],
  ])(
    'says which registers %j leaves open, and whether the configuration is pinned',
    async (measurements, words) => {
      writeFileSync(join(dir, 'open.json'), encodePolicy(strict({ ...(measurements && { measurements }) })))
      expect((await run('open.json')).out).toMatch(words)
    },
  )

  it('does not pass off another root as the known one', async () => {
    writeFileSync(
      join(dir, 'other.json'),
      encodePolicy({ ...strict(), roots: [{ sha256: ROOT, kind: 'intel' }] }),
    )
    expect((await run('other.json')).out).toContain(`${ROOT}, NOT the root of intel that this program knows`)
  })

  it.each<[string[], RegExp]>([
    [[], /needs a name or a file/],
    [['lax'], /is no preset/],
    [['simulated'], /needs --root/],
    [['broken.json'], /broken\.json: not JSON/],
  ])('refuses %j', async (argv, sentence) => {
    writeFileSync(join(dir, 'broken.json'), '{')
    const { status, err } = await run(...argv)
    expect(status).toBe(2)
    expect(err).toMatch(sentence)
  })
})
