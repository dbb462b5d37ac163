import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../attest/bytes.ts'
import { ConfigError } from '../attest/cli/config.ts'
import { failedFactors, verifyEvidence } from '../attest/evidence/index.ts'
import { simulatedWithoutLog } from '../attest/evidence/testing.ts'
import { type AttestationServer, serveAttestation } from './attestation.ts'
import { silentLog } from './log.ts'
import type { AttestationAnswer } from './protocol/index.ts'
import { Harness } from './testing/harness.ts'

let harness: Harness
let server: AttestationServer
beforeEach(async () => {
  harness = await Harness.open()
  server = await serve()
})
afterEach(async () => {
  await server.close()
  await harness[Symbol.asyncDispose]()
})

function serve(options: Partial<Parameters<typeof serveAttestation>[0]> = {}): Promise<AttestationServer> {
  const { worker, clock } = harness
  const { monotonic } = clock
  return serveAttestation({ worker, host: '127.0.0.1', port: 0, monotonic, log: silentLog, ...options })
}

const freshNonce = () => toHex(new Uint8Array(randomBytes(32)))
const ask = (query: string, init: RequestInit = {}) => fetch(`${server.url}/v1/attestation${query}`, init)

describe("a worker's own evidence", () => {
  test('is made for the nonce of whoever asks, and for no other', async () => {
    const nonce = freshNonce()
    const response = await ask(`?nonce=${nonce}`)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { workers, ...rest } = (await response.json()) as AttestationAnswer
    expect(rest).toEqual({ object: 'chrysalis.attestation', nonce, gateway: null, errors: [] })
    const { worker, gateway, clock } = harness
    expect(workers).toMatchObject([{ id: toHex(worker.signingKey), models: [worker.model.id] }])
    const policy = simulatedWithoutLog(gateway.tee.rootSha256)
    const judge = (hex: string) =>
      verifyEvidence(workers[0]?.evidence, { policy, now: clock.now, nonce: fromHex(hex) })
    expect((await judge(nonce)).claims?.bootId).toBe(worker.bootId)
    expect(failedFactors(await judge(freshNonce()))).toEqual(['evidence.freshness'])
  })

  test.each([
    ['no nonce', '', 400, 'missing_required_parameter', 'nonce'],
    ['a short nonce', '?nonce=00', 400, 'invalid_value', 'nonce'],
    ['a pick of workers', `?nonce=${'0'.repeat(64)}&worker=x`, 400, 'unknown_parameter', 'worker'],
  ])('is refused: %s', async (_, query, status, code, param) => {
    const response = await ask(query)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ error: { code, param } })
  })

  test('is all that there is, by GET, and not for pages of other sites', async () => {
    expect((await fetch(`${server.url}/v1/models`)).status).toBe(404)
    const post = await ask('', { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect((await ask('', { headers: { origin: 'https://example.org' } })).status).toBe(403)
  })

  test('comes thirty times a minute to one address', async () => {
    for (let i = 0; i < 30; i++) expect((await ask(`?nonce=${freshNonce()}`)).status).toBe(200)
    const response = await ask(`?nonce=${freshNonce()}`)
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2'])
    harness.clock.advance(2_000)
    expect((await ask(`?nonce=${freshNonce()}`)).status).toBe(200)
  })

  test('is made one nonce at a time, and a crowd is turned away', async () => {
    const gate = Promise.withResolvers<void>()
    const { worker } = harness
    let made = 0
    await server.close()
    server = await serve({
      worker: {
        signingKey: worker.signingKey,
        model: worker.model,
        evidence: async (nonce) => {
          made += 1
          await gate.promise
          return worker.evidence(nonce)
        },
      },
    })
    const statuses: number[] = []
    const crowded = Promise.withResolvers<void>()
    const come = async (nonce: string) => {
      const { status } = await ask(`?nonce=${nonce}`)
      if (statuses.push(status) === 3) crowded.resolve()
    }
    // Nine find room, and the rest is turned away while the first one is still being made.
    const asked = Array.from({ length: 12 }, () => come(freshNonce()))
    await crowded.promise
    expect([statuses, made]).toEqual([[429, 429, 429], 1])
    gate.resolve()
    await Promise.all(asked)
    expect(statuses.slice(3)).toEqual(new Array(9).fill(200))
    expect(made).toBe(9)
  })

  test('is made once for those who ask for the same nonce at once', async () => {
    const nonce = freshNonce()
    const answers = await Promise.all([1, 2, 3].map(async () => (await ask(`?nonce=${nonce}`)).json()))
    const bundles = (answers as AttestationAnswer[]).map(({ workers }) => workers[0]?.evidence.nonce)
    expect(new Set(bundles).size).toBe(1)
  })

  test('that the TEE does not give is a fault without detail', async () => {
    const { signingKey, model } = harness.worker
    await server.close()
    const evidence = () => Promise.reject(new Error('secret detail'))
    server = await serve({ worker: { signingKey, model, evidence } })
    const response = await ask(`?nonce=${freshNonce()}`)
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret detail')
  })

  test('cannot be served at a port that is taken', async () => {
    const port = Number(new URL(server.url).port)
    const failed = serve({ port })
    await expect(failed).rejects.toThrow(ConfigError)
    await expect(failed).rejects.toThrow(/attestationPort.*EADDRINUSE/)
  })
})
