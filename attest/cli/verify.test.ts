import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../bytes.ts'
import { measuredTee, NONCE, NOW, sampleEvidence } from '../evidence/testing.ts'
import { FACTORS } from '../policy/factors.ts'
import { encodePolicy } from '../policy/policy.ts'
import { simulated } from '../policy/presets.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { attest } from './testing.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-attest-'))
const tee = measuredTee()
const AT = new Date(NOW + 1000).toISOString()
const here = { cwd: dir }
const simulatedPolicy = ['--policy', 'simulated', '--root', tee.rootSha256, '--at', AT]

beforeAll(async () => {
  const bundle = await sampleEvidence(tee)
  const quote = Buffer.from(bundle.quote, 'base64')
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(bundle))
  writeFileSync(join(dir, 'quote.bin'), quote)
  writeFileSync(join(dir, 'quote.hex'), `${quote.toString('hex').replace(/.{64}/g, '$&\n')}\n`)
  writeFileSync(join(dir, 'quote.b64'), bundle.quote)
  writeFileSync(join(dir, 'collateral.json'), JSON.stringify(bundle.collateral))
  writeFileSync(join(dir, 'root.der'), tee.platform.certificates.root)
  writeFileSync(join(dir, 'broken.json'), '{"tcb_info"')
  writeFileSync(
    join(dir, 'policy.json'),
    encodePolicy({ ...simulated(tee.rootSha256), name: 'mine', freshness: ['none'] }),
  )
  const { collateral: _, ...bare } = bundle
  writeFileSync(join(dir, 'bare.json'), JSON.stringify(bare))
  mkdirSync(join(dir, 'folder'))
  mkdirSync(join(dir, 'sets'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const JSON_MEMBERS = ['verdict', 'tcbStatus', 'advisories', 'factors', 'fields']

describe('attest verify with a bundle', () => {
  const argv = ['verify', '--bundle', 'bundle.json', '--nonce', toHex(NONCE), ...simulatedPolicy]

  it('accepts what holds: exit 0, and says what it does not say', async () => {
    const { status, out, err } = await attest(argv, here)
    expect([status, err]).toEqual([0, ''])
    expect(out).toMatch(/^ACCEPTED: 64 factors, none against it/m)
    expect(out).toContain('SIMULATED')
    expect(out).toContain('says nothing of what runs')
    // Neighbours that say the same share a row; nothing that passed or failed is hidden in one.
    expect(out).toMatch(/^ {2}n\/a {3}gpu\.\* \(16\) +no accelerator is claimed$/m)
    for (const name of ['reportdata.binding', 'quote.signature', 'td.debug'])
      expect(out).toContain(`  pass  ${name} `)
  })

  it('prints exactly five members with --json, every factor once', async () => {
    const { status, out } = await attest([...argv, '--json'], here)
    const json = JSON.parse(out)
    expect(status).toBe(0)
    expect(Object.keys(json)).toEqual(JSON_MEMBERS)
    expect(json).toMatchObject({ verdict: 'accept', tcbStatus: 'UpToDate', advisories: [] })
    expect(json.factors.map(({ name }: { name: string }) => name)).toEqual([...FACTORS])
    expect(json.fields).toMatchObject({
      tee: 'simulated-tdx',
      at: AT,
      role: 'worker',
      signingKey: '07'.repeat(32),
    })
  })

  it('refuses another nonce, names the factor, and repeats no claim that it did not prove', async () => {
    const other = argv.with(4, '00'.repeat(32))
    const { status, out } = await attest(other, here)
    expect(status).toBe(1)
    expect(out).toContain('REFUSED by 1 of 64 factors\n  failed: evidence.freshness\n')
    const json = JSON.parse((await attest([...other, '--json'], here)).out)
    expect(json.verdict).toBe('refuse')
    expect(json.fields.signingKey).toBeUndefined()
  })

  it('is strict when nobody names a policy', async () => {
    const { status, out } = await attest(['verify', '--bundle', 'bundle.json', '--at', AT, '--json'], here)
    expect(status).toBe(1)
    const json = JSON.parse(out)
    expect(json.fields.policy).toBe('strict')
    expect(json.tcbStatus).toBe(null)
    const failed = json.factors.filter(({ result }: { result: string }) => result === 'fail')
    expect(failed.map(({ name }: { name: string }) => name)).toContain('anchor.pinned')
  })

  it('takes collateral beside a bundle that has none', async () => {
    const bare = argv.with(2, 'bare.json')
    expect((await attest(bare, here)).out).toContain('collateral.format')
    expect((await attest(bare, here)).status).toBe(1)
    expect((await attest([...bare, '--collateral', 'collateral.json'], here)).status).toBe(0)
  })
})

describe('attest verify with files', () => {
  const argv = ['verify', '--quote', 'quote.bin', '--collateral', 'collateral.json', '--at', AT]

  it.each(['quote.bin', 'quote.hex', 'quote.b64'])('reads %s, and a policy from a file', async (quote) => {
    const { out } = await attest([...argv.with(2, quote), '--policy', 'policy.json', '--json'], here)
    const json = JSON.parse(out)
    expect(json.tcbStatus).toBe('UpToDate')
    expect(json.fields.policy).toBe('mine')
    const result = new Map(json.factors.map((f: { name: string; result: string }) => [f.name, f.result]))
    expect(result.get('quote.signature')).toBe('pass')
    expect(result.get('claims.format')).toBe('skip')
  })

  it.each([
    ['text that is no JSON', 'broken.json', 'collateral.format'],
    ['a file of another kind', 'bundle.json', 'collateral.format'],
  ])('refuses %s as collateral, by its factor', async (_, collateral, factor) => {
    const { status, out } = await attest([...argv.with(4, collateral), ...simulatedPolicy.slice(0, 4)], here)
    expect(status).toBe(1)
    expect(out).toMatch(new RegExp(`^  FAIL  ${factor} `, 'm'))
  })

  it('finds the set for the platform in a folder, and refuses one that was changed', async () => {
    const own = ['--policy', 'policy.json']
    expect((await attest([...argv.with(4, 'sets'), ...own], here)).status).toBe(2)
    const collateral = readFileSync(join(dir, 'collateral.json'), 'utf8')
    const said = async (text: string): Promise<string> => {
      writeFileSync(join(dir, 'sets', 'one.json'), text)
      return (await attest([...argv.with(4, 'sets'), ...own], here)).out
    }
    expect(await said(collateral)).toMatch(/^ {2}pass {2}tcbinfo\.signature /m)
    expect(await said(collateral.replace('UpToDate', 'UpToDatf'))).toMatch(
      /^ {2}FAIL {2}collateral\.format /m,
    )
  })

  it('refuses a quote that is none', async () => {
    const { status, out } = await attest([...argv.with(2, 'root.der'), '--policy', 'platform'], here)
    expect(status).toBe(1)
    expect(out).toMatch(/^ {2}FAIL {2}quote\.format /m)
    // What speaks against acceptance has its own row each, however alike.
    expect(out).toMatch(/^ {2}SKIP {2}td\.debug .*\n {2}SKIP {2}td\.migratable /m)
  })
})

describe('attest verify with arguments that cannot be used', () => {
  const files = ['--quote', 'quote.bin', '--collateral', 'collateral.json']
  it.each<[string[], RegExp]>([
    [[], /needs --quote, --gpu, --bundle or a URL/],
    [
      ['--quote', 'missing.bin', '--collateral', 'collateral.json'],
      /--quote missing\.bin: there is no such file/,
    ],
    [['--quote', 'folder', '--collateral', 'collateral.json'], /--quote folder: is a folder/],
    [['--quote', 'bundle.json', '--collateral', 'collateral.json'], /say --bundle bundle\.json/],
    [['--quote', 'quote.bin'], /--collateral: is missing/],
    [
      ['--quote', 'quote.bin', '--collateral', 'missing.json'],
      /--collateral missing\.json: there is no such file/,
    ],
    [
      ['--quote', 'quote.bin', '--collateral', 'folder'],
      /--collateral folder: .*holds no collateral: neither/,
    ],
    [['--collateral', 'collateral.json', '--gpu', 'x'], /--quote: is missing/],
    [[...files, '--at', 'yesterday'], /--at yesterday: is no time; write it as 2026-/],
    [[...files, '--at', '2026-06-09'], /--at/],
    [[...files, '--at', '2026-02-30T00:00:00Z'], /--at/],
    [[...files, '--policy', 'lax'], /--policy lax: is no preset \(platform, strict/],
    [[...files, '--policy', './missing.json'], /--policy \.\/missing\.json: there is no such file/],
    [[...files, '--policy', 'collateral.json'], /--policy collateral\.json: format: expected/],
    [[...files, '--policy', 'simulated'], /needs --root/],
    [[...files, '--policy', 'simulated', '--root', 'quote.bin'], /--root quote\.bin: is neither/],
    [[...files, '--policy', 'strict', '--root', '00'.repeat(32)], /--root: goes with --policy simulated/],
    [[...files, '--nonce', 'abc'], /--nonce: expected 32 bytes/],
    [[...files, '--nonse', 'abc'], /there is no flag --nonse; see attest verify --help/],
    [[...files, '-q'], /there is no flag -q/],
    [[...files, '--quote', 'quote.bin'], /--quote: given twice/],
    [[...files, '--json=yes'], /--json: is a switch/],
    [['--quote', '--json'], /--quote: needs a value, --quote FILE/],
    [['--quote='], /--quote: needs a value/],
    [[...files, '--bundle', 'bundle.json'], /--quote: does not go with --bundle/],
    [[...files, 'http://127.0.0.1:1'], /--quote: does not go with a URL/],
    [['http://127.0.0.1:1', 'stray'], /'stray' is one argument too many/],
    [
      ['--quote', 'quote.bin', '--collateral', 'http://pccs.example'],
      /--collateral http:\/\/pccs\.example: .*https/,
    ],
    [
      ['--quote', 'quote.bin', '--collateral', 'collateral.json', '--model', 'tiny'],
      /--model: goes with a URL/,
    ],
    [[...files, '--role', 'worker'], /--role: goes with a URL/],
    [['ftp://127.0.0.1'], /write it as http:\/\/host:port/],
    [['http://127.0.0.1:1/v1/models'], /write it as http:\/\/host:port/],
    [['http://user@127.0.0.1:1'], /write it as http:\/\/host:port/],
  ])('%j: exit 2, and one sentence', async (argv, sentence) => {
    const { status, out, err } = await attest(['verify', ...argv], here)
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(sentence)
    expect(err.trim().split('\n')).toHaveLength(1)
  })
})

describe.skipIf(!haveVectors())('attest verify with GPU evidence alone', () => {
  it.each([
    ['its own nonce', (nonce: string) => nonce, 'pass'],
    ['another nonce', () => '00'.repeat(32), 'fail'],
  ])('judges it by %s', async (_, choose, expected) => {
    const evidence = vectorBytes('nvidia/evidence/hopper_evidence.json')
    const [{ nonce }] = JSON.parse(Buffer.from(evidence).toString()) as [{ nonce: string }]
    writeFileSync(join(dir, 'gpu.json'), evidence)
    const argv = ['verify', '--gpu', 'gpu.json', '--policy', 'platform', '--at', '2026-06-09T00:00:00Z']
    const { out } = await attest([...argv, '--nonce', choose(nonce), '--json'], here)
    const { factors } = JSON.parse(out) as { factors: { name: string; result: string }[] }
    const result = new Map(factors.map((factor) => [factor.name, factor.result]))
    expect([result.get('gpu.signature'), result.get('gpu.nonce')]).toEqual(['pass', expected])
    expect(result.get('quote.format')).toBe('skip')
  })
})

describe.skipIf(!haveVectors())('attest verify with real evidence', () => {
  interface Case {
    quote: string
    collateral: string
    time: string
    expected: 'accept' | 'refuse'
    tcbStatus: string | null
    policy: string
  }
  const cases = haveVectors() ? vectorJson<{ cases: Case[] }>('tdx/index.json').cases : []
  const two = ['accept', 'refuse'].flatMap((word) => cases.find(({ expected }) => expected === word) ?? [])

  it.each(two)('$expected $quote', async ({ quote, collateral, time, expected, policy }) => {
    writeFileSync(join(dir, 'real.bin'), vectorBytes(quote))
    writeFileSync(join(dir, 'real.json'), vectorBytes(collateral))
    const argv = [
      'verify',
      '--quote',
      'real.bin',
      '--collateral',
      'real.json',
      '--at',
      time,
      '--policy',
      policy,
    ]
    expect(['accept', 'refuse'][(await attest(argv, here)).status]).toBe(expected)
  })
})
