import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toBase64, toHex } from '../bytes.ts'
import { claimsDigest, encodeClaims } from '../evidence/claims.ts'
import { measuredTee, NONCE, NOW, sampleClaims, sampleEvidence } from '../evidence/testing.ts'
import { receiptDigest, signReceipt } from '../receipt/index.ts'
import { attest } from './testing.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-receipt-'))
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const key = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32))
const claims = sampleClaims({ signingKey: toBase64(key) })
const tee = measuredTee(claims)
const hash = (byte: string): string => byte.repeat(32)
const receipt = signReceipt(
  {
    requestId: 'request-1',
    h: hash('01'),
    authHash: hash('02'),
    claimsDigest: toHex(claimsDigest(encodeClaims(claims))),
    transcript: hash('03'),
    model: { id: 'tiny', sha256: hash('ab') },
    quoteDigest: hash('04'),
    clientCharge: '3600',
    workerCharge: '1100',
    status: 'complete',
    tee: 'simulated-tdx',
    payerKind: 'gateway',
    issuedAt: NOW + 1000,
  },
  {
    promptTokens: 1,
    cachedTokens: 0,
    completionTokens: 2,
    reasoningTokens: 0,
    finishReason: 'stop',
    startedAt: 1,
    firstTokenAt: null,
    endedAt: 2,
  },
  new Uint8Array(32),
  privateKey,
)
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

const run = (...argv: string[]) => attest(['receipt', 'verify', ...argv], { cwd: dir })
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

  it('judges the evidence of the enclave as of the time of the receipt', async () => {
    const argv = ['--receipt', 'answer.json', '--bundle', 'bundle.json', ...judged]
    expect((await run(...argv)).status).toBe(0)
    const json = JSON.parse((await run(...argv, '--json')).out)
    expect(json).toMatchObject({
      verdict: 'accept',
      fields: { requestId: 'request-1', clientCharge: '3600' },
    })
    const late = await run(...argv, '--at', new Date(NOW + 700_000).toISOString())
    expect([late.status, late.out]).toEqual([
      1,
      expect.stringMatching(/FAIL {2}receipt\.signer .*epoch\.valid/),
    ])
    const strict = await run('--receipt', 'answer.json', '--bundle', 'bundle.json')
    expect(strict.status).toBe(1)
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
