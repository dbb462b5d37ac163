import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toBase64, toHex } from '../bytes.ts'
import { createEvidence } from '../evidence/bundle.ts'
import { type Claims, encodeClaims } from '../evidence/claims.ts'
import { NONCE, NOW, sampleClaims, sampleTee, simulatedWithoutLog } from '../evidence/testing.ts'
import { encodePolicy } from '../policy/policy.ts'
import { fetchJson } from './http.ts'
import { askUrl } from './remote.ts'
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

  /** Evidence over the asked nonce of an enclave whose signing key is of this byte alone. */
  function evidence(role: Claims['role'], nonce: Uint8Array, key: number, models?: Claims['models']) {
    const serving = role === 'gateway' ? { models: [] } : models && { models }
    const signingKey = toBase64(new Uint8Array(32).fill(key))
    return createEvidence({
      tee,
      nonce,
      claims: encodeClaims(sampleClaims({ role, signingKey, ...serving })),
    })
  }

  /** Answers with what `make` says for the asked nonce. */
  const answering =
    (make: (nonce: Uint8Array) => Promise<Record<string, unknown>>): RequestListener =>
    async (request, response) => {
      const url = new URL(request.url ?? '', origin)
      const nonce = fromHex(url.searchParams.get('nonce') ?? '')
      const body = { object: 'chrysalis.attestation', gateway: null, workers: [], errors: [] }
      response.end(JSON.stringify({ ...body, ...(await make(nonce)) }))
    }
  const worker = async (nonce: Uint8Array, key: number, id = `${key}`.padStart(2, '0').repeat(32)) => ({
    id,
    models: ['tiny'],
    evidence: await evidence('worker', nonce, key),
  })

  /** Answers as a gateway with one worker does, but for `changes`. */
  function gateway(
    changes: Record<string, unknown> = {},
    nonceOf = (asked: Uint8Array) => asked,
    first: 'gateway' | 'worker' = 'gateway',
  ): RequestListener {
    return answering(async (asked) => ({
      nonce: toHex(asked),
      gateway: await evidence(first, nonceOf(asked), 6),
      workers: [await worker(nonceOf(asked), 7)],
      ...changes,
    }))
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
    expect(json.evidence.map(({ who }: { who: string }) => who)).toEqual([
      'gateway',
      `worker ${'07'.repeat(32)}`,
    ])
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
    [
      'errors in which nothing is a text',
      gateway({ errors: [{ worker: {}, code: { toString: 1 }, message: [] }, null, 7] }),
      /no evidence: gateway: no reason given \(no code\)/,
    ],
    ['evidence that is missing', gateway({ workers: [{ id: 'w1' }] }), /bundle\.format/],
    ['an answer of another form', gateway({ object: 'list' }), /not of the form/],
    [
      'more workers than anybody shows',
      gateway({ workers: Array.from({ length: 65 }, () => ({ id: '' })) }),
      /fault: more than 64 workers are shown/,
    ],
    ['workers that are no list', gateway({ workers: {} }), /not of the form/],
    ['JSON that is no object', (_, response) => response.end('null'), /not of the form/],
    ['an id that moves the cursor', gateway({ workers: [{ id: '\u001b[2J' }] }), /worker \\u\{1b\}\[2J/],
  ])('refuses %s', async (_, listener, said) => {
    answer = listener
    const { status, out } = await run()
    expect(status).toBe(1)
    expect(out).toMatch(said)
    expect(out).not.toContain('\u001b')
  })

  it.each<[string, (nonce: Uint8Array) => Promise<Record<string, unknown>>, string]>([
    [
      'workers without their gateway',
      async (nonce) => ({ workers: [await worker(nonce, 7)] }),
      'fault: the gateway shows no evidence of its own',
    ],
    [
      "a worker under another's name",
      async (nonce) => ({
        gateway: await evidence('gateway', nonce, 6),
        workers: [await worker(nonce, 7, '08'.repeat(32))],
      }),
      `fault: worker ${'08'.repeat(32)}: its evidence is that of another, ${'07'.repeat(32)}`,
    ],
    [
      'a worker without a name',
      async (nonce) => ({
        gateway: await evidence('gateway', nonce, 6),
        workers: [{ evidence: await evidence('worker', nonce, 7) }],
      }),
      'fault: worker ?: its evidence is that of another',
    ],
    [
      'one worker twice',
      async (nonce) => ({
        gateway: await evidence('gateway', nonce, 6),
        workers: [await worker(nonce, 7), await worker(nonce, 7)],
      }),
      `fault: worker ${'07'.repeat(32)}: its evidence is there already`,
    ],
    [
      "one key behind two enclaves' evidence",
      async (nonce) => ({
        gateway: await evidence('gateway', nonce, 7),
        workers: [await worker(nonce, 7)],
      }),
      `fault: worker ${'07'.repeat(32)}: its evidence is there already, as gateway`,
    ],
  ])('refuses %s, although each evidence is good', async (_, make, said) => {
    answer = answering(make)
    const { status, out } = await run()
    expect(out).toContain(said)
    expect(out).toMatch(/^REFUSED: .*1 fault of the answer/m)
    expect(status).toBe(1)
    const json = JSON.parse((await run('--json')).out)
    expect([json.verdict, json.faults]).toEqual(['refuse', [expect.stringContaining(said.slice(7))]])
  })

  it('with --model: refuses unless a worker is there, and every one proves that it serves the model', async () => {
    const others = sampleClaims().models.map((model) => ({ ...model, id: 'other' }))
    const shown = async (...workers: ((nonce: Uint8Array) => Promise<unknown>)[]) => {
      answer = answering(async (nonce) => ({
        gateway: await evidence('gateway', nonce, 6),
        workers: await Promise.all(workers.map((make) => make(nonce))),
      }))
      return await run('--model', 'tiny')
    }
    const serving = (nonce: Uint8Array) => worker(nonce, 7)
    // What it is said to serve counts for nothing.
    const lying = async (nonce: Uint8Array) => ({
      ...(await worker(nonce, 8)),
      evidence: await evidence('worker', nonce, 8, others),
    })
    expect(await shown(serving)).toMatchObject({ status: 0 })
    const none = await shown()
    expect([none.status, none.out]).toEqual([1, expect.stringContaining('nobody is proven to serve tiny')])
    const one = await shown(serving, lying)
    expect(one.status).toBe(1)
    expect(one.out).toContain(`worker ${'08'.repeat(32)}: its evidence does not name the model tiny`)
  })

  it('with --role worker: takes the evidence of that one worker alone', async () => {
    const paths: string[] = []
    const alone = answering(async (nonce) => ({ workers: [await worker(nonce, 7)] }))
    answer = (request, response) => {
      paths.push(request.url ?? '')
      alone(request, response)
    }
    expect(await run('--role', 'worker', '--model', 'tiny')).toMatchObject({ status: 0 })
    // A worker takes no name of a model.
    expect(paths.join()).not.toContain('model')
    expect((await run('--role', 'worker', '--model', 'other')).out).toContain('does not name the model other')
    answer = gateway()
    expect((await run('--role', 'worker')).out).toContain('fault: this is no worker of its own')
    answer = answering(async (nonce) => ({ workers: [await worker(nonce, 7), await worker(nonce, 8)] }))
    expect((await run('--role', 'worker')).out).toContain('fault: this is no worker of its own')
    answer = alone
    expect((await run('--role', 'gateway')).status).toBe(1)
    expect(await run('--role', 'owner')).toMatchObject({ status: 2, err: expect.stringContaining('--role') })
  })

  it('judges what the policy is about, and counts what is missing of that', async () => {
    const about = async (role: Claims['role'], ...more: string[]) => {
      const now = () => NOW + 1000
      const policy = { ...simulatedWithoutLog(tee.rootSha256), roles: [role] }
      const asked = { policy, now, ...(more[0] !== undefined && { model: more[0] }) }
      return await askUrl(origin, asked)
    }
    const lack = { worker: '09'.repeat(32), code: 'worker_timeout', message: 'gave none' }
    answer = gateway({ errors: [lack] })
    expect(await about('worker')).toMatchObject({
      accepted: false,
      errors: [expect.stringContaining('09: gave none')],
    })
    expect(await about('gateway')).toMatchObject({ accepted: true })
    expect(await about('gateway', 'tiny')).toMatchObject({
      accepted: false,
      faults: [expect.stringContaining('no worker was judged')],
    })
    answer = gateway({ errors: [{ worker: null, code: 'too_many_workers', message: '3 more' }] })
    expect(await about('gateway')).toMatchObject({ accepted: true })
    answer = gateway({ errors: [{ worker: null, code: 'gateway_evidence', message: 'failed' }] })
    expect(await about('gateway')).toMatchObject({ accepted: false })
    // A gateway that is not judged may be anything, and what it shows too.
    const notJudged = { accepted: false, faults: [expect.stringContaining('not about gateways')] }
    expect(await about('worker')).toMatchObject(notJudged)
    answer = gateway({ gateway: {} })
    expect(await about('worker')).toMatchObject(notJudged)
    answer = answering(async (nonce) => ({ workers: [await worker(nonce, 7)] }))
    expect(await about('worker')).toMatchObject({ accepted: false })
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
