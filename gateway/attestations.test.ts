import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { toHex } from '../attest/bytes.ts'
import { createEvidence, type EvidenceBundle } from '../attest/evidence/index.ts'
import type { AttestationAnswer } from '../worker/protocol/index.ts'
import { serveFace } from './api/testing/face.ts'
import { AttestationDesk, type AttestationOptions } from './attestations.ts'
import type { EvidenceSource } from './link/index.ts'
import { answerRelayed, type FakeWorker, MODEL } from './link/testing/fake-worker.ts'
import { TestGateway } from './link/testing/gateway.ts'

const NONCE = 'ab'.repeat(32)
const closers: (() => Promise<void>)[] = []
let gateway: TestGateway
/** Nonces that the gateway's own TEE was asked for, hex. */
let own: string[]
beforeEach(async () => {
  gateway = await TestGateway.open()
  own = []
})
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
  await gateway.close()
})

const ownEvidence = (nonce: Uint8Array): Promise<EvidenceBundle> => {
  own.push(toHex(nonce))
  return createEvidence({ tee: gateway.tee, nonce, claims: new TextEncoder().encode('{}') })
}

/** The route on a real socket, over a real link to scripted workers. */
async function serve(options: Partial<AttestationOptions> = {}) {
  const desk = new AttestationDesk({
    identity: { evidence: ownEvidence, stapled: () => ownEvidence(new Uint8Array(32)) },
    sources: () => gateway.pool.sources(),
    perMinute: 6_000,
    monotonic: () => gateway.clock.now(),
    log: gateway.logger,
    ...options,
  })
  const face = await serveFace(() => Promise.reject(new Error('must not be dispatched')), {
    attestation: desk,
  })
  closers.push(face.close)
  return async (query = '', init: RequestInit = {}) => {
    const response = await fetch(`${face.url}/v1/attestation${query}`, init)
    return {
      response,
      status: response.status,
      body: (await response.json()) as AttestationAnswer & Envelope,
    }
  }
}

interface Envelope {
  error: { message: string; type: string; param: string | null; code: string | null }
}

const idOf = (worker: FakeWorker) => toHex(worker.boot.publicKey)

describe('GET /v1/attestation', () => {
  it('needs no key, may not be cached, and answers GET only', async () => {
    await gateway.join()
    const get = await serve()
    const { response, status, body } = await get(`?nonce=${NONCE.toUpperCase()}`)
    expect(status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(body).toMatchObject({ object: 'chrysalis.attestation', nonce: NONCE, errors: [] })
    const post = await get('', { method: 'POST' })
    expect([post.status, post.response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it.each([
    ['a short nonce', `?nonce=${'a'.repeat(63)}`, 'nonce'],
    ['a long nonce', `?nonce=${NONCE}a`, 'nonce'],
    ['a nonce in base64', '?nonce=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D', 'nonce'],
    ['an empty nonce', '?nonce=', 'nonce'],
    ['a nonce twice', `?nonce=${NONCE}&nonce=${NONCE}`, 'nonce'],
    ['a misspelt nonce', `?Nonce=${NONCE}`, 'Nonce'],
    ['an unknown parameter', '?constructor=1', 'constructor'],
  ])('refuses %s by name', async (_, query, param) => {
    const get = await serve()
    const { status, body } = await get(query)
    expect([status, body.error.param, body.error.type]).toEqual([400, param, 'invalid_request_error'])
    expect(own).toEqual([])
  })

  it('picks workers by id and by model, and knows no others', async () => {
    const [first, second] = [await gateway.join(), await gateway.join()]
    const renamed = () =>
      gateway.pool.sources().map((source) => {
        const [model] = source.models
        return source.workerId === idOf(second) && model
          ? { ...source, models: [{ ...model, id: 'big' }] }
          : source
      })
    const get = await serve({ sources: renamed })
    const idsOf = async (query: string) =>
      (await get(query)).body.workers.map(({ id, models }) => [id, ...models])
    expect(await idsOf(`?nonce=${NONCE}`)).toEqual([
      [idOf(first), MODEL.id],
      [idOf(second), 'big'],
    ])
    expect(await idsOf(`?nonce=${NONCE}&worker=${idOf(first)}`)).toEqual([[idOf(first), MODEL.id]])
    expect(await idsOf('?model=big')).toEqual([[idOf(second), 'big']])
    for (const [query, param, code] of [
      [`?worker=${'0'.repeat(64)}`, 'worker', 'worker_not_found'],
      ['?model=unheard', 'model', 'model_not_found'],
      [`?model=big&worker=${idOf(first)}`, 'model', 'model_not_found'],
    ]) {
      const { status, body } = await get(query)
      expect([status, body.error.param, body.error.code]).toEqual([404, param, code])
    }
  })

  it('makes a bundle for a nonce only once, however many ask at that moment', async () => {
    const gate = Promise.withResolvers<void>()
    const worker = await gateway.join({
      relay: async (message, self) => {
        await gate.promise
        await answerRelayed(message, self)
      },
    })
    let came = 0
    const sources = () => {
      came += 1
      return gateway.pool.sources()
    }
    const get = await serve({ sources })
    const asked = [1, 2, 3].map(() => get(`?nonce=${NONCE}`))
    await worker.hear('attest-for')
    await gateway.until(() => came === 3)
    gate.resolve()
    const answers = await Promise.all(asked)
    expect(new Set(answers.map(({ body }) => JSON.stringify(body.workers))).size).toBe(1)
    expect(worker.heard.filter(({ type }) => type === 'attest-for')).toHaveLength(1)
  })
})

describe('a worker without an answer', () => {
  it('is named in the errors beside the evidence of the others', async () => {
    const good = await gateway.join()
    const silent = await gateway.join({ relay: () => {} })
    const left = await gateway.join({ relay: (_, self) => self.die() })
    const get = await serve()
    const asked = get(`?nonce=${NONCE}`)
    await silent.hear('attest-for')
    await left.closed
    await gateway.until(() => gateway.pool.sources().length === 2)
    gateway.clock.advance(gateway.pool.limits.relayMs)
    const { status, body } = await asked
    expect(status).toBe(200)
    expect(body.gateway?.nonce).toBeTruthy()
    expect(body.workers.map(({ id }) => id)).toEqual([idOf(good)])
    expect(body.errors.map(({ worker, code }) => [worker, code])).toEqual([
      [idOf(silent), 'worker_timeout'],
      [idOf(left), 'worker_gone'],
    ])
  })

  it.each([
    ['gone', { relay: (_: unknown, self: FakeWorker) => self.die() }, 503, null],
    [
      'rate_limited',
      {
        relay: ({ ticket }: { ticket: number }, self: FakeWorker) =>
          self.say({ type: 'no-evidence-for', ticket, code: 'rate_limited', retryMs: 4_200 }),
      },
      429,
      '5',
    ],
  ] as const)('that was asked for by name is an error: %s', async (relay, options, expected, retryAfter) => {
    const worker = await gateway.join(options)
    const get = await serve()
    const { response, status, body } = await get(`?nonce=${NONCE}&worker=${idOf(worker)}`)
    expect([status, response.headers.get('retry-after')]).toEqual([expected, retryAfter])
    expect(body.error.code).toBe(relay === 'rate_limited' ? 'rate_limit_exceeded' : `worker_${relay}`)
  })

  it('in time is a 504 to who named it', async () => {
    const worker = await gateway.join({ relay: () => {} })
    const get = await serve()
    const asked = get(`?nonce=${NONCE}&model=${MODEL.id}`)
    await worker.hear('attest-for')
    gateway.clock.advance(gateway.pool.limits.relayMs)
    expect((await asked).status).toBe(504)
  })

  it('does not keep the gateway from answering for itself, nor the reverse', async () => {
    const worker = await gateway.join()
    const failing = {
      evidence: () => Promise.reject(new Error('secret detail')),
      stapled: () => Promise.reject(),
    }
    const get = await serve({ identity: failing })
    const { status, body } = await get(`?nonce=${NONCE}`)
    expect([status, body.gateway, body.workers[0]?.id]).toEqual([200, null, idOf(worker)])
    expect(body.errors).toMatchObject([{ worker: null, code: 'gateway_evidence' }])
    expect(JSON.stringify([body, gateway.log])).not.toContain('secret detail')
  })

  it('among very many is not asked: who wants its evidence names it', async () => {
    await gateway.join()
    const [source] = gateway.pool.sources()
    if (!source) throw new Error('no worker')
    const crowd = Array.from({ length: 20 }, (_, i) => ({ ...source, workerId: String(i) }))
    const get = await serve({ sources: () => crowd })
    const { body } = await get()
    expect(body.workers).toHaveLength(16)
    expect(body.errors).toEqual([
      { worker: null, code: 'too_many_workers', message: expect.stringContaining('4 more') },
    ])
    expect((await get('?worker=19')).body.workers.map(({ id }) => id)).toEqual(['19'])
  })
})

describe('too many questions', () => {
  /** A desk whose own TEE waits for `gate`, and one worker that answers at once, asked by several addresses. */
  function slow(gate: Promise<void>) {
    const relayed: string[] = []
    const source = {
      workerId: 'w',
      models: [],
      stapled: undefined,
      evidence: async (nonce: Uint8Array) => {
        relayed.push(toHex(nonce))
        return ownEvidence(nonce)
      },
    } as unknown as EvidenceSource
    let now = 0
    const desk = new AttestationDesk({
      identity: {
        evidence: async (nonce) => {
          made.push(toHex(nonce).slice(-4))
          await gate
          return ownEvidence(nonce)
        },
        stapled: () => ownEvidence(new Uint8Array(32)),
      },
      sources: () => [source],
      perMinute: 6_000,
      monotonic: () => now,
      log: gateway.logger,
    })
    const made: string[] = []
    let nonces = 0
    const ask = (address: string, worker?: string) => {
      nonces += 1
      const nonce = new Uint8Array(32)
      new DataView(nonce.buffer).setUint32(28, nonces)
      return desk.answer({ nonce, ...(worker && { worker }) }, address)
    }
    return { ask, made, relayed, advance: (ms: number) => (now += ms) }
  }
  /** How a question stands at this moment. */
  const now = (asked: Promise<unknown>) =>
    Promise.race([asked.catch((error) => error), new Promise((resolve) => setImmediate(resolve, {}))])
  const busy = { status: 429, apiCode: 'gateway_busy', headers: { 'retry-after': '1' } }

  it('do not queue at the TEE: three of one address, nine in all, one of them with it, so that a join waits for one', async () => {
    const gate = Promise.withResolvers<void>()
    const { ask, made } = slow(gate.promise)
    const asked = [1, 2, 3].flatMap((i) => [1, 2, 3].map(() => ask(`192.0.2.${i}`)))
    for (const address of ['192.0.2.1', '192.0.2.4']) expect(await now(ask(address))).toMatchObject(busy)
    expect(made).toEqual(['0001'])
    gate.resolve()
    await Promise.all(asked)
    expect(made).toHaveLength(9)
    await ask('192.0.2.4')
  })

  it('of one address leave places to others', async () => {
    const gate = Promise.withResolvers<void>()
    const { ask } = slow(gate.promise)
    const asked = [1, 2, 3].map(() => ask('192.0.2.1'))
    expect(await now(ask('192.0.2.1'))).toMatchObject(busy)
    const other = ask('192.0.2.2')
    gate.resolve()
    await Promise.all([...asked, other])
  })

  it('of two addresses leave something of what a worker gives to a third', async () => {
    const { ask, relayed, advance } = slow(Promise.resolve())
    for (let i = 0; i < 20; i++)
      for (const address of ['192.0.2.1', '192.0.2.2']) await ask(address, 'w').catch(() => {})
    // Five for whoever comes first and two for each: below the ten that a worker gives at once.
    expect(relayed).toHaveLength(9)
    await expect(ask('192.0.2.1', 'w')).rejects.toMatchObject({
      status: 429,
      apiCode: 'rate_limit_exceeded',
      headers: { 'retry-after': '2' },
    })
    expect((await ask('192.0.2.3', 'w')).workers).toHaveLength(1)
    relayed.length = 0
    for (let second = 0; second < 600; second++) {
      advance(1_000)
      for (const address of ['192.0.2.1', '192.0.2.2']) await ask(address, 'w').catch(() => {})
    }
    // In ten minutes, of the 600 that the worker gives.
    expect(relayed.length).toBeLessThan(430)
    expect((await ask('192.0.2.1')).errors).toMatchObject([{ worker: 'w', code: 'worker_rate_limited' }])
  })

  it('are counted in bundles for each address, and told when to come back', async () => {
    await gateway.join()
    const get = await serve({ perMinute: 20 })
    // Two bundles each: of the gateway and of the worker.
    for (let i = 0; i < 10; i++) expect((await get(`?nonce=${NONCE}`)).status).toBe(200)
    const { response, status, body } = await get(`?nonce=${NONCE}`)
    expect([status, body.error.code, response.headers.get('retry-after')]).toEqual([
      429,
      'rate_limit_exceeded',
      '6',
    ])
    expect(own).toHaveLength(10)
    gateway.clock.advance(6_000)
    expect((await get(`?nonce=${NONCE}`)).status).toBe(200)
  })

  it('of many addresses together are refused too; an IPv6 network is one address', async () => {
    const desk = new AttestationDesk({
      identity: { evidence: ownEvidence, stapled: () => ownEvidence(new Uint8Array(32)) },
      sources: () => [],
      perMinute: 20,
      monotonic: () => 0,
      log: gateway.logger,
    })
    const ask = (address: string) =>
      desk.answer({}, address).then(
        () => 200,
        (error) => error.status as number,
      )
    const many = (address: string) => Promise.all(Array.from({ length: 20 }, () => ask(address)))
    await many('2001:db8::1')
    for (const same of ['2001:db8::2', '2001:DB8:0:0:ffff::7', '2001:db8:0:0:1:2:3:4'])
      expect(await ask(same)).toBe(429)
    for (const other of ['2001:db8:0:1::1', '::ffff:10.0.0.1', '10.0.0.2']) expect(await ask(other)).toBe(200)
    for (let i = 0; i < 10; i++) await many(`192.0.2.${i}`)
    expect(await ask('198.51.100.1')).toBe(429)
  })
})
