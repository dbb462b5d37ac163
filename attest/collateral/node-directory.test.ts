import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { fromHex } from '../bytes.ts'
import { SimulatedTee } from '../simulate/index.ts'
import type { Collateral } from '../tdx/index.ts'
import { haveVectors, type VectorCase, vectorBytes, vectorJson, vectorPath } from '../tdx/testing.ts'
import { parseChain } from '../x509/index.ts'
import { collateralFolder } from './node-cache.ts'
import { collateralFromDirectory } from './node-directory.ts'
import { collateralFromFiles } from './raw-files.ts'

const NOW = Date.UTC(2026, 10, 22)
const DAY = 86_400_000
const tee = SimulatedTee.ephemeral({ now: () => NOW })
const quote = await tee.quote(new Uint8Array(64))
const collateral = await tee.collateral()
const keys = JSON.parse(JSON.stringify(collateral)) as Record<string, string>

const root = await mkdtemp(join(tmpdir(), 'collateral-'))
let dir = root
let count = 0
beforeEach(async () => {
  dir = join(root, `${++count}`)
  await mkdir(dir)
})
afterAll(() => rm(root, { recursive: true }))

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir, name), content)
}

const obtain = (now = NOW) => collateralFromDirectory(dir, { now: () => now }).obtain(quote)

describe('a folder', () => {
  it('may hold the nine keys in one file, or be that file', async () => {
    await write({ 'any.json': JSON.stringify(collateral), 'notes.txt': 'hello', 'other.json': '{}' })
    const path = join(dir, 'any.json')
    expect(await obtain()).toEqual({ collateral, source: path, fetchedAt: NOW })
    expect(await collateralFromDirectory(path, { now: () => NOW }).collateral(quote)).toEqual(collateral)
  })

  it('may hold the spellings of other tools', async () => {
    const other = {
      ...collateral,
      root_ca_crl: [...fromHex(collateral.root_ca_crl)],
      pck_crl: collateral.pck_crl.toUpperCase(),
      tcb_info_signature: [...fromHex(collateral.tcb_info_signature)],
      pck_certificate_chain: null,
    }
    await write({ 'c.json': JSON.stringify(other) })
    expect((await obtain()).collateral).toEqual(collateral)
  })

  it('may hold a file for each key', async () => {
    await write({ ...keys, 'README.md': 'x' })
    expect(await obtain()).toEqual({ collateral, source: dir, fetchedAt: NOW })
  })

  it('may hold a file for each key, with endings and a last newline', async () => {
    const { pck_crl, root_ca_crl, ...rest } = collateral
    const endings = { tcb_info: 'json', qe_identity: 'json' } as Record<string, string>
    const texts = Object.entries(rest).map(([key, value]) => {
      const ending = endings[key] ?? (key.endsWith('chain') ? 'pem' : 'hex')
      return [`${key}.${ending}`, `${value}\n`]
    })
    await write({
      ...Object.fromEntries(texts),
      'pck_crl.der': fromHex(pck_crl),
      'root_ca_crl.hex': root_ca_crl,
    })
    expect((await obtain()).collateral).toEqual(collateral)
  })

  it('may hold what curl saved of a PCS', async () => {
    const chain = encodeURIComponent
    const headers = (name: string, value: string): string =>
      `HTTP/1.1 200 OK\r\nContent-Type: x\r\n${name}: ${chain(value)}\r\n\r\n`
    await write({
      'tcb.json': pcsBody('tcbInfo', collateral.tcb_info, collateral.tcb_info_signature),
      'tcb.headers': headers('TCB-Info-Issuer-Chain', collateral.tcb_info_issuer_chain),
      'identity.json': pcsBody('enclaveIdentity', collateral.qe_identity, collateral.qe_identity_signature),
      'identity.headers': headers('sgx-enclave-identity-issuer-chain', collateral.qe_identity_issuer_chain),
      'pckcrl.der': fromHex(collateral.pck_crl),
      'pckcrl.headers': headers('SGX-PCK-CRL-Issuer-Chain', collateral.pck_crl_issuer_chain),
      'IntelSGXRootCA.der': fromHex(collateral.root_ca_crl),
    })
    expect((await obtain()).collateral).toEqual(collateral)
  })

  it('of several sets gives the newest that is valid, and else the newest that was', async () => {
    const at = (days: number): Collateral => tee.issueCollateral({ issuedAt: NOW + days * DAY })
    const other = tee.issueCollateral({ fmspc: new Uint8Array(6) })
    const sets = {
      'a.json': at(-20),
      'b.json': at(-10),
      'c.json': at(10),
      'd.json': other,
      'e.json': { ...other, tcb_info: '' },
    }
    await write(Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, JSON.stringify(set)])))
    expect((await obtain()).source).toBe(join(dir, 'b.json'))
    expect((await obtain(NOW + 11 * DAY)).source).toBe(join(dir, 'c.json'))
    expect((await obtain(NOW + 90 * DAY)).source).toBe(join(dir, 'c.json'))
    expect((await obtain(NOW - 90 * DAY)).source).toBe(join(dir, 'a.json'))
  })

  it.each<[string, Record<string, string>, string, string]>([
    ['nothing', {}, 'NOT_FOUND', 'holds no collateral'],
    ['a key less', without('qe_identity'), 'FILES', 'qe_identity'],
    ['a changed chain', { ...keys, tcb_info_issuer_chain: 'MII' }, 'FILES', 'tcb_info_issuer_chain'],
    ['broken JSON', { 'a.json': '{' }, 'FILES', 'not JSON'],
    [
      'headers of something else',
      { ...without('tcb_info_issuer_chain'), 'tcb.headers': 'a: b' },
      'FILES',
      'no header',
    ],
    [
      'another platform',
      { 'a.json': JSON.stringify(tee.issueCollateral({ fmspc: new Uint8Array(6) })) },
      'NOT_FOUND',
      'FMSPC',
    ],
    ['nine keys and one more', { 'a.json': JSON.stringify({ ...collateral, extra: 1 }) }, 'FILES', 'extra'],
  ])('with %s is refused with the reason', async (_name, content, code, text) => {
    await write(content)
    const error: unknown = await obtain().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: `ERR_COLLATERAL_${code}` })
    expect(String(error)).toContain(text)
  })

  it('that is not there, or holds too much, is refused', async () => {
    await expect(
      collateralFromDirectory(join(dir, 'no'), { now: () => NOW }).collateral(quote),
    ).rejects.toThrow('no file')
    await write({ 'big.json': ' '.repeat(3_000_000) })
    await expect(obtain()).rejects.toThrow('larger')
  })
})

const there = haveVectors()
const cases = there ? vectorJson<{ cases: VectorCase[] }>('tdx/index.json').cases : []

describe.skipIf(!there)('real collateral', () => {
  it.each(cases.slice(0, 7).map((test) => [test.quote, test.collateral, test] as const))(
    'for %s is found in a folder of many: %s',
    async (path, expected, test) => {
      const source = collateralFromDirectory(vectorPath('tdx/collateral'), { now: () => test.unix * 1000 })
      const { collateral } = await source.obtain(vectorBytes(path))
      expect(collateral).toEqual(vectorJson(expected))
    },
  )

  it('is read under the names of Intel’s samples, root first or last', () => {
    const names = ['tcbInfo.json', 'qeIdentity.json', 'tcbSignChain.pem', 'pckSignChain.pem']
    const lists = ['intermediateCaCrl.der', 'rootCaCrl.der']
    const files = [...names, ...lists].map(
      (name) => [name.toLowerCase(), vectorBytes(`tdx/synthetic-intel/${name}`)] as const,
    )
    const collateral = collateralFromFiles(new Map(files))
    expect(JSON.parse(collateral.tcb_info)).toMatchObject({ id: 'TDX' })
    const signers = parseChain(collateral.tcb_info_issuer_chain).map(({ commonName }) => commonName)
    expect(signers).toEqual(['Intel SGX TCB Signing', 'Intel SGX Root CA'])
  })
})

it.skipIf(process.platform === 'win32')('does not wait for a pipe that nobody writes to', async () => {
  execFileSync('mkfifo', [join(dir, 'tcb_info.json')])
  const source = collateralFromDirectory(dir, { now: () => NOW })
  await expect(source.collateral(quote)).rejects.toMatchObject({ code: 'ERR_COLLATERAL_FILES' })
  const key = '514d55000000.platform.0011223344556677'
  execFileSync('mkfifo', [join(dir, `${key}.json`)])
  await expect(collateralFolder(dir).read(key)).rejects.toThrow('is not a plain file')
})

function pcsBody(name: string, text: string, signature: string): string {
  return `{"${name}":${text},"signature":"${signature}"}`
}

function without(key: keyof Collateral): Record<string, string> {
  return Object.fromEntries(Object.entries(keys).filter(([name]) => name !== key))
}
