import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../bytes.ts'
import { createEvidence } from '../evidence/bundle.ts'
import { encodeClaims } from '../evidence/claims.ts'
import { NONCE, NOW, sampleClaims, sampleTee, simulatedWithoutLog } from '../evidence/testing.ts'
import { encodePolicy } from '../policy/policy.ts'
import { fetchJson } from './http.ts'
import { attest } from './testing.ts'

const tee = sampleTee()
// Gateway and worker share one enclave here, which measured neither.
const policyFile = join(mkdtempSync(join(tmpdir(), 'attest-remote-')), 'policy.json')
writeFileSync(policyFile, encodePolicy(simulatedWithoutLog(tee.rootSha256)))
const simulatedPolicy = ['--policy', policyFile, '--at', new Date(NOW + 1000).toISOString()]

describe('attest verify URL', () => {
  let server: Server
  let origin = ''
  let answer: RequestListener = () => {}
  beforeAll(async () => {
    server = createServer((request, response) => answer(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => {
    server.close()
    rmSync(dirname(policyFile), { recursive: true, force: true })
  })

  /** Answers as a gateway with one worker does, but for `changes`. */
  function gateway(
    changes: Record<string, unknown> = {},
    nonceOf = (asked: Uint8Array) => asked,
    first: 'gateway' | 'worker' = 'gateway',
  ): RequestListener {
    return async (request, response) => {
      const url = new URL(request.url ?? '', origin)
      const asked = fromHex(url.searchParams.get('nonce') ?? '')
      const evidence = async (role: 'gateway' | 'worker') => {
        const models = role === 'gateway' ? { models: [] } : {}
        const claims = encodeClaims(sampleClaims({ role, ...models }))
        return await createEvidence({ tee, nonce: nonceOf(asked), claims })
      }
      const workers = [{ id: 'w1', models: ['tiny'], evidence: await evidence('worker') }]
      const body = {
        object: 'chrysalis.attestation',
        nonce: toHex(asked),
        gateway: await evidence(first),
        workers,
        errors: [],
      }
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ ...body, ...changes }))
    }
  }
  const run = (...more: string[]) => attest(['verify', origin, ...simulatedPolicy, ...more])

  it('accepts a gateway and its worker, each over a nonce never used before', async () => {
    const nonces = new Set<string>()
    answer = (request, response) => {
      nonces.add(new URL(request.url ?? '', origin).searchParams.get('nonce') ?? '')
      gateway()(request, response)
    }
    const { status, out } = await run()
    expect(out).toContain('ACCEPTED: all evidence of 2 enclaves')
    expect(status).toBe(0)
    const json = JSON.parse((await run('--json')).out)
    expect(json).toMatchObject({ verdict: 'accept', url: origin, errors: [], notJudged: [] })
    expect(json.evidence.map(({ who }: { who: string }) => who)).toEqual(['gateway', 'worker w1'])
    expect(nonces.size).toBe(2)
  })

  it.each<[string, RequestListener, RegExp]>([
    ['evidence of an old nonce', gateway({}, () => NONCE), /evidence\.freshness/],
    ['no evidence at all', gateway({ gateway: null, workers: [] }), /shown no evidence/],
    [
      'a worker in the place of the gateway',
      gateway({}, (nonce) => nonce, 'worker'),
      /failed: role\.expected/,
    ],
    [
      'a worker that did not answer',
      gateway({ errors: [{ worker: 'w2', code: 'timeout', message: 'gave none' }] }),
      /no evidence: worker w2: gave none \(timeout\)/,
    ],
    ['evidence that is missing', gateway({ workers: [{ id: 'w1' }] }), /bundle\.format/],
    ['an answer of another form', gateway({ object: 'list' }), /not of the form/],
    ['JSON that is no object', (_, response) => response.end('null'), /not of the form/],
    ['an id that moves the cursor', gateway({ workers: [{ id: '\u001b[2J' }] }), /worker \\u\{1b\}\[2J/],
  ])('refuses %s', async (_, listener, said) => {
    answer = listener
    const { status, out } = await run()
    expect(status).toBe(1)
    expect(out).toMatch(said)
    expect(out).not.toContain('\u001b')
  })

  it('reads no answer beyond its limit, and waits no longer than its time', async () => {
    answer = (_, response) => response.end(`"${'x'.repeat(100)}"`)
    const ask = (limit: number, timeout: number) => fetchJson(new URL(origin), { limit, timeout })
    expect(await ask(102, 60_000)).toHaveLength(100)
    await expect(ask(101, 60_000)).rejects.toThrow('larger than 101 bytes')
    answer = () => {}
    await expect(ask(101, 50)).rejects.toThrow('no answer within 0.05 s')
  })

  it.each<[string, RequestListener, RegExp]>([
    ['nobody listens', (request) => request.socket.destroy(), /cannot be reached/],
    ['the answer is not JSON', (_, response) => response.end('hello'), /not JSON/],
    [
      'it points elsewhere',
      (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      /points elsewhere/,
    ],
    [
      'it refuses',
      (_, response) => response.writeHead(429).end('{"error":{"message":"too many nonces"}}'),
      /HTTP 429: too many nonces/,
    ],
  ])('exit 2 when %s', async (_, listener, said) => {
    answer = listener
    const { status, out, err } = await run()
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(said)
  })
})
