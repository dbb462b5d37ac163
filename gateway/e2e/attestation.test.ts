import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromHex, toHex } from '../../attest/bytes.ts'
import { simulatedWithoutLog } from '../../attest/evidence/testing.ts'
import { failedFactors, verifyEvidence } from '../../attest/index.ts'
import type { AttestationAnswer } from '../../worker/protocol/index.ts'
import { InProcess } from './inprocess.ts'
import { until } from './turns.ts'

/** Short lives of the worker's epochs, in ms. */
const LIFE = { lifetimeMs: 100_000, earlyMs: 50_000, graceMs: 5_000 }

let net: InProcess
beforeAll(async () => {
  net = await InProcess.open({ epochs: LIFE })
})
afterAll(() => net[Symbol.asyncDispose]())

const freshNonce = () => toHex(new Uint8Array(randomBytes(32)))

async function attestation(query: string): Promise<AttestationAnswer> {
  const response = await fetch(`${net.url}/v1/attestation${query}`)
  expect(response.status).toBe(200)
  return (await response.json()) as AttestationAnswer
}

/** Judges as a stranger who has pinned the root would. */
function judge(evidence: unknown, role: 'gateway' | 'worker', nonce: string) {
  const policy = { ...simulatedWithoutLog(net.tee.rootSha256), roles: [role] }
  return verifyEvidence(evidence, { policy, now: net.clock.now, nonce: fromHex(nonce) })
}

describe('a stranger without a key', () => {
  it('proves with a nonce of his own what runs at the gateway and at its worker', async () => {
    const nonce = freshNonce()
    const { object, gateway, workers, errors, ...rest } = await attestation(`?nonce=${nonce}`)
    expect([object, errors, rest.nonce]).toEqual(['chrysalis.attestation', [], nonce])
    const own = await judge(gateway, 'gateway', nonce)
    expect([own.verdict, failedFactors(own)]).toEqual(['accept', []])
    const [worker] = workers
    const theirs = await judge(worker?.evidence, 'worker', nonce)
    expect([theirs.verdict, failedFactors(theirs)]).toEqual(['accept', []])
    expect(theirs.claims).toMatchObject({ bootId: net.worker.bootId, models: [{ id: net.model }] })
    expect(worker).toMatchObject({ id: toHex(net.worker.signingKey), models: [net.model] })
    // Requests are sealed to the very epoch that this evidence shows.
    expect(theirs.claimsDigest).toBe(net.claimsDigest)
  })

  it('is not taken in by evidence for another nonce', async () => {
    const { gateway, workers } = await attestation(`?nonce=${freshNonce()}`)
    for (const [evidence, role] of [
      [gateway, 'gateway'],
      [workers[0]?.evidence, 'worker'],
    ] as const) {
      expect(failedFactors(await judge(evidence, role, freshNonce()))).toEqual(['evidence.freshness'])
    }
  })

  it('gets the bundle as it crossed the link, byte for byte', async () => {
    const nonce = freshNonce()
    const [worker] = (await attestation(`?nonce=${nonce}`)).workers
    const wire = Buffer.concat(net.proxy.captured).toString('latin1')
    expect(wire).toContain(JSON.stringify(worker?.evidence))
  })

  it('gets, without a nonce, what the worker was let in with, and its nonce', async () => {
    const { nonce, gateway, workers } = await attestation('')
    expect(nonce).toBeNull()
    const again = await attestation('')
    expect([again.gateway, again.workers]).toEqual([gateway, workers])
    const [worker] = workers
    const hexOf = (base64 = '') => toHex(new Uint8Array(Buffer.from(base64, 'base64')))
    for (const [evidence, role] of [
      [gateway, 'gateway'],
      [worker?.evidence, 'worker'],
    ] as const) {
      expect((await judge(evidence, role, hexOf(evidence?.nonce))).verdict).toBe('accept')
      expect(failedFactors(await judge(evidence, role, freshNonce()))).toEqual(['evidence.freshness'])
    }
  })

  it('sees the next epoch once it is attested', async () => {
    const before = net.claimsDigest
    net.clock.advance(LIFE.lifetimeMs - LIFE.earlyMs)
    await until(() => net.claimsDigest !== before)
    const nonce = freshNonce()
    const { workers, gateway } = await attestation(`?nonce=${nonce}`)
    expect((await judge(workers[0]?.evidence, 'worker', nonce)).claimsDigest).toBe(net.claimsDigest)
    expect((await judge(gateway, 'gateway', nonce)).verdict).toBe('accept')
    const stapled = (await attestation('')).workers[0]?.evidence
    expect((await judge(stapled, 'worker', nonce)).claimsDigest).toBe(net.claimsDigest)
  })

  it('is a program on this machine, or uses a name of it: no web page of another site', async () => {
    for (const headers of [{ origin: 'https://example.org' }, { origin: 'null' }]) {
      expect((await fetch(`${net.url}/v1/attestation`, { headers })).status).toBe(403)
    }
  })
})

it('a worker that leaves while it is asked is an error, and the gateway goes on', async () => {
  await using other = await InProcess.open()
  other.proxy.meddle = (message) => {
    const text = message.binary ? '' : message.data.toString()
    if (!text.includes('"evidence-for"')) return [message]
    other.proxy.cut()
    return []
  }
  const id = toHex(other.worker.signingKey)
  const response = await fetch(`${other.url}/v1/attestation?nonce=${freshNonce()}&worker=${id}`)
  expect(response.status).toBe(503)
  expect(((await response.json()) as { error: { code: string } }).error.code).toBe('worker_gone')
  const after = await fetch(`${other.url}/v1/attestation?nonce=${freshNonce()}`)
  expect(await after.json()).toMatchObject({ gateway: { tee: 'simulated-tdx' }, workers: [] })
})

it('who asks too often is told when to come back', async () => {
  await using other = await InProcess.open({ attestationsPerMinute: 17 })
  const statuses: number[] = []
  let last: Response | undefined
  for (let i = 0; i < 9; i++) {
    last = await fetch(`${other.url}/v1/attestation?nonce=${freshNonce()}`)
    statuses.push(last.status)
  }
  expect(statuses).toEqual([...new Array(8).fill(200), 429])
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
})
