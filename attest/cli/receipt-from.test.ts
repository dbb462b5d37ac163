import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fromHex, toBase64, toHex } from '../bytes.ts'
import { createEvidence } from '../evidence/bundle.ts'
import { type Claims, claimsDigest, encodeClaims } from '../evidence/claims.ts'
import { NOW, sampleClaims, sampleTee, simulatedWithoutLog } from '../evidence/testing.ts'
import { encodePolicy } from '../policy/policy.ts'
import { signReceipt } from '../receipt/index.ts'
import { sampleDetails, sampleStatement } from '../receipt/testing.ts'
import { attest } from './testing.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-receipt-from-'))
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const key = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }).subarray(-32))
const claims = sampleClaims({ signingKey: toBase64(key) })
const tee = sampleTee()
const hash = (byte: string): string => byte.repeat(32)

/** Makes the answer of the gateway for the asked nonce. */
let answer: (nonce: Uint8Array) => Promise<Record<string, unknown>>
let server: Server
let origin = ''
beforeAll(async () => {
  server = createServer(async (request, response) => {
    const nonce = fromHex(new URL(request.url ?? '', origin).searchParams.get('nonce') ?? '')
    const body = { object: 'chrysalis.attestation', gateway: null, workers: [], errors: [] }
    response.end(JSON.stringify({ ...body, ...(await answer(nonce)) }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  writeFileSync(join(dir, 'policy.json'), encodePolicy(simulatedWithoutLog(tee.rootSha256)))
})
afterAll(() => {
  server.close()
  rmSync(dir, { recursive: true, force: true })
})

const evidence = (nonce: Uint8Array, of: Claims) => createEvidence({ tee, nonce, claims: encodeClaims(of) })
const worker = async (nonce: Uint8Array, changes: Partial<Claims> = {}, id = toHex(key)) => ({
  id,
  evidence: await evidence(nonce, { ...claims, ...changes }),
})

async function verify(claimsDigestHex = toHex(claimsDigest(encodeClaims(claims)))) {
  const statement = {
    ...sampleStatement,
    claimsDigest: claimsDigestHex,
    model: { id: 'tiny', sha256: 'ab'.repeat(32) },
    issuedAt: NOW + 1000,
  }
  const receipt = signReceipt(statement, sampleDetails, new Uint8Array(32), privateKey)
  writeFileSync(join(dir, 'receipt.json'), JSON.stringify(receipt))
  const argv = ['--receipt', 'receipt.json', '--from', origin, '--policy', 'policy.json']
  return await attest(['receipt', 'verify', ...argv], { cwd: dir, now: () => NOW + 2000 })
}

it('accepts a receipt of a worker that proves itself now, in the same epoch or another', async () => {
  answer = async (nonce) => ({ workers: [await worker(nonce)] })
  const same = await verify()
  expect([same.status, same.out]).toEqual([0, expect.stringContaining('the evidence that the receipt names')])
  const other = await verify(hash('09'))
  expect([other.status, other.out]).toEqual([0, expect.stringContaining('in another epoch than this one')])
})

it.each<[string, (nonce: Uint8Array) => Promise<Record<string, unknown>>, RegExp]>([
  [
    'the gateway alone, which signs no receipts',
    async (nonce) => ({ gateway: await evidence(nonce, { ...claims, role: 'gateway' }) }),
    /no evidence was accepted: there is none of a worker/,
  ],
  [
    'a worker under the name of another',
    async (nonce) => ({ workers: [await worker(nonce, {}, hash('05'))] }),
    /no evidence was accepted: worker 0505.*is that of another/,
  ],
  [
    'a worker whose evidence is refused',
    async () => ({ workers: [await worker(new Uint8Array(32))] }),
    /no evidence was accepted: .*evidence\.freshness/,
  ],
  [
    'no answer of that form',
    async () => ({ object: 'list' }),
    /no evidence was accepted: the answer is not of the form/,
  ],
])('refuses a receipt after %s', async (_, make, reason) => {
  answer = make
  const { status, out } = await verify()
  expect([status, out]).toEqual([
    1,
    expect.stringMatching(/REFUSED by receipt\.signer, receipt\.signature\n$/),
  ])
  expect(out).toMatch(reason)
})

it('believes a worker whatever is wrong with others', async () => {
  answer = async (nonce) => ({
    workers: [
      { id: hash('05') },
      await worker(nonce, { signingKey: toBase64(new Uint8Array(32).fill(9)) }, hash('05')),
      await worker(nonce),
    ],
  })
  expect((await verify()).status).toBe(0)
})
