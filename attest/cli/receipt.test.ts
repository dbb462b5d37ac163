import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toBase64, toHex } from '../bytes.ts'
import { claimsDigest, encodeClaims } from '../evidence/claims.ts'
import { measuredTee, NONCE, NOW, sampleClaims, sampleEvidence } from '../evidence/testing.ts'
import { type ReceiptStatement, receiptDigest, signReceipt } from '../receipt/index.ts'
import { sampleDetails, sampleStatement } from '../receipt/testing.ts'
import { parseCertificate } from '../x509/index.ts'
import { attest } from './testing.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-receipt-'))
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const key = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32))
const claims = sampleClaims({ signingKey: toBase64(key) })
const tee = measuredTee(claims)
const hash = (byte: string): string => byte.repeat(32)
const statement: ReceiptStatement = {
  ...sampleStatement,
  requestId: 'request-1',
  claimsDigest: toHex(claimsDigest(encodeClaims(claims))),
  model: { id: 'tiny', sha256: hash('ab') },
  clientCharge: '3600',
  workerCharge: '1100',
  issuedAt: NOW + 1000,
}
const sign = (changes: Partial<ReceiptStatement> = {}) =>
  signReceipt({ ...statement, ...changes }, sampleDetails, new Uint8Array(32), privateKey)
const receipt = sign()
const answer = {
  id: 'request-1',
  object: 'receipt',
  receipt,
  digest: receiptDigest(receipt),
  signing_key: toHex(key),
  charged: '3600',
}

beforeAll(async () => {
  writeFileSync(join(dir, 'answer.json'), JSON.stringify(answer))
  writeFileSync(join(dir, 'bare.json'), JSON.stringify(receipt))
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify(await sampleEvidence(tee, claims)))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const DAY = 86_400_000
let clock = NOW + 2000
const run = (...argv: string[]) => attest(['receipt', 'verify', ...argv], { cwd: dir, now: () => clock })
afterEach(() => {
  clock = NOW + 2000
})
const judged = ['--policy', 'simulated', '--root', tee.rootSha256, '--nonce', toHex(NONCE)]

describe('attest receipt verify', () => {
  it.each([toHex(key), toHex(key).toUpperCase(), toBase64(key)])('accepts what %s signed', async (text) => {
    for (const file of ['answer.json', 'bare.json']) {
      const { status, out } = await run('--receipt', file, '--key', text)
      expect(out).toContain('ACCEPTED: the enclave signed this')
      expect(out).toContain('SIMULATED')
      expect(status).toBe(0)
    }
  })

  const withBundle = ['--receipt', 'answer.json', '--bundle', 'bundle.json', ...judged]

  it('judges the evidence as of now, but for the epoch, which is over after minutes', async () => {
    clock = NOW + DAY
    const { status, out } = await run(...withBundle)
    expect([status, out]).toEqual([0, expect.stringContaining('ACCEPTED: the enclave signed this')])
    expect(out).toContain('judged by the policy "simulated" as of 2026-11-23T12:00:00Z\n\n')
    expect(JSON.parse((await run(...withBundle, '--json')).out)).toMatchObject({
      verdict: 'accept',
      judged: { policy: 'simulated', at: '2026-11-23T12:00:00.000Z', moment: 'now', tee: 'simulated-tdx' },
      fields: { requestId: 'request-1', clientCharge: '3600' },
    })
    const strict = await run('--receipt', 'answer.json', '--bundle', 'bundle.json')
    expect(strict.status).toBe(1)
  })

  it('lets no receipt choose the moment of a judgement, unless the person says so', async () => {
    clock = NOW + 3 * 365 * DAY
    const late = await run(...withBundle)
    expect(late.status).toBe(1)
    expect(late.out).toMatch(
      /FAIL {2}receipt\.signer .*; bring collateral of today \(--collateral\), or .*--at issued/,
    )
    const issued = await run(...withBundle, '--at', 'issued')
    expect(issued.status).toBe(0)
    expect(issued.out).toContain('as of 2026-11-22T12:00:01Z, as the receipt says')
    const json = JSON.parse((await run(...withBundle, '--at', 'issued', '--json')).out)
    expect(json.judged).toMatchObject({ at: '2026-11-22T12:00:01.000Z', moment: 'issued' })
    const given = await run(...withBundle, '--at', '2026-11-23T00:00:00Z', '--json')
    expect(JSON.parse(given.out).judged).toMatchObject({ at: '2026-11-23T00:00:00.000Z', moment: 'given' })
  })

  it('judges the evidence by collateral of today, and so by what is revoked today', async () => {
    clock = NOW + 60 * DAY
    const issue = (spec: Parameters<typeof tee.issueCollateral>[0]) =>
      writeFileSync(join(dir, 'new.json'), JSON.stringify(tee.issueCollateral({ issuedAt: clock, ...spec })))
    issue({})
    expect((await run(...withBundle, '--collateral', 'new.json')).status).toBe(0)
    issue({ pckRevoked: [fromHex(parseCertificate(tee.platform.certificates.leaf).serial)] })
    const { status, out } = await run(...withBundle, '--collateral', 'new.json')
    expect([status, out]).toEqual([1, expect.stringMatching(/FAIL {2}receipt\.signer .*revo/)])
  })

  it.each<[string, Partial<ReceiptStatement>, string]>([
    ['calls a simulation TDX', { tee: 'tdx' }, 'receipt.tee'],
    ['names another model', { model: { id: 'llama-405b', sha256: hash('ab') } }, 'receipt.model'],
    ['names other weights', { model: { id: 'tiny', sha256: hash('ee') } }, 'receipt.model'],
    ['names other evidence', { claimsDigest: hash('05') }, 'receipt.evidence'],
    ['is of tomorrow', { issuedAt: NOW + 120_000 }, 'receipt.time'],
    ['is of after the epoch', { issuedAt: NOW + 5_000_000 }, 'receipt.signer, receipt.signature'],
    ['is of before the epoch', { issuedAt: NOW - 6000 }, 'receipt.signer, receipt.signature'],
  ])('refuses a receipt that %s', async (_, changes, factor) => {
    if (changes.issuedAt !== NOW + 120_000) clock = NOW + DAY
    writeFileSync(join(dir, 'bent.json'), JSON.stringify(sign(changes)))
    const { status, out } = await run('--receipt', 'bent.json', '--bundle', 'bundle.json', ...judged)
    expect([status, out]).toEqual([1, expect.stringMatching(new RegExp(`REFUSED by ${factor}\n$`))])
    if (!factor.includes('signer')) expect(out).toContain('TEE       SIMULATED')
  })

  it('accepts one of a request that was begun in the epoch and ended after it', async () => {
    clock = NOW + DAY
    writeFileSync(join(dir, 'long.json'), JSON.stringify(sign({ issuedAt: NOW + 700_000 })))
    const { status } = await run('--receipt', 'long.json', '--bundle', 'bundle.json', ...judged)
    expect(status).toBe(0)
  })

  it('refuses what a gateway signed: its key is for no receipts', async () => {
    const gateway = sampleClaims({ role: 'gateway', signingKey: toBase64(key) })
    const other = measuredTee(gateway)
    const claimsOf = toHex(claimsDigest(encodeClaims(gateway)))
    writeFileSync(join(dir, 'gateway.json'), JSON.stringify(await sampleEvidence(other, gateway)))
    writeFileSync(join(dir, 'its.json'), JSON.stringify(sign({ claimsDigest: claimsOf })))
    const flags = ['--policy', 'simulated', '--root', other.rootSha256, '--nonce', toHex(NONCE)]
    const { status, out } = await run('--receipt', 'its.json', '--bundle', 'gateway.json', ...flags)
    expect([status, out]).toEqual([1, expect.stringMatching(/REFUSED by receipt\.role\n$/)])
  })

  it('calls hardware so only as the receipt says, where nothing was judged', async () => {
    writeFileSync(join(dir, 'tdx.json'), JSON.stringify(sign({ tee: 'tdx' })))
    const { out } = await run('--receipt', 'tdx.json', '--key', toHex(key))
    expect(out).toContain('TEE       TDX, as the receipt says\n')
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['another key', { receipt: signAgain() }, 'receipt.signature'],
    ['another digest', { digest: hash('00') }, 'receipt.digest'],
    ['another key beside it', { signing_key: hash('00') }, 'receipt.key'],
    ['another request', { id: 'request-2' }, 'receipt.request'],
    ['a higher charge', { charged: '3601' }, 'receipt.charge'],
    ['no charge', { charged: null }, 'receipt.charge'],
    ['junk in its place', { receipt: { payload: '\u001b[2J', signature: '' } }, 'receipt.signature'],
  ])('refuses a receipt with %s', async (_, changes, factor) => {
    writeFileSync(join(dir, 'changed.json'), JSON.stringify({ ...answer, ...changes }))
    const { status, out } = await run('--receipt', 'changed.json', '--key', toHex(key))
    expect(status).toBe(1)
    expect(out).toContain(`REFUSED by ${factor}`)
    expect(out).not.toContain('\u001b')
  })

  it.each<[string[], RegExp]>([
    [[], /--receipt: is missing/],
    [['--receipt', 'answer.json'], /exactly one of --key, --bundle and --from/],
    [['--receipt', 'answer.json', '--key', 'ab', '--from', 'http://h'], /exactly one/],
    [['--receipt', 'answer.json', '--key', 'ab'], /--key: expected 32 bytes/],
    [['--receipt', 'answer.json', '--key', hash('ab'), '--at', 'issued'], /--at: does not go with --key/],
    [['--receipt', 'answer.json', '--from', 'http://h', '--nonce', hash('ab')], /--nonce: does not go/],
    [[...withBundle, '--at', 'then'], /--at then: is no time/],
    [['--receipt', 'missing.json', '--key', hash('ab')], /--receipt missing\.json: there is no such file/],
  ])('cannot use %j', async (argv, sentence) => {
    const { status, out, err } = await run(...argv)
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(sentence)
  })
})

/** The same statement under the signature of somebody else. */
function signAgain(): unknown {
  return { ...receipt, signature: receipt.signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) }
}
