/** Gateway and worker under a registry on the local chain: who may join, what bars them, and what fails closed. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { simulatedRootOf } from '../../attest/cli/open-tee.ts'
import { platformRevocationKey, verifyEvidence } from '../../attest/evidence/index.ts'
import { simulated } from '../../attest/policy/index.ts'
import type { Registers } from '../../attest/tdx/registers.ts'
import { markFile } from '../../contracts/registry/settings.ts'
import type { AttestationAnswer } from '../../worker/protocol/index.ts'
import type { WorkerStatus } from '../../worker/status.ts'
import type { RunningGateway } from '../server.ts'
import { MODEL, measuredBy, PRICES, RegistryNetwork, type Tables } from './registry-network.ts'

let network: RegistryNetwork
let measurements: Registers[]
let platforms: readonly string[]
let wallet: string

async function attestation({ url }: RunningGateway): Promise<AttestationAnswer> {
  const response = await fetch(`${url}/v1/attestation?nonce=${'07'.repeat(32)}`)
  return (await response.json()) as AttestationAnswer
}

async function chat({ url }: RunningGateway) {
  const key = (await readFile(join(network.dir, 'gateway', 'api-key'), 'utf8')).trim()
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL.id, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20 }),
  })
  return { status: response.status, body: (await response.json()) as { error?: { code: string } } }
}

async function readiness({ url }: RunningGateway): Promise<unknown> {
  return (await fetch(`${url}/readyz`)).json()
}

/** Where gateway and worker keep the highest version that they saw. */
function marksOf(registry: string): string[] {
  const name = { globalId: network.chain.globalId, address: Address.parse(registry) }
  return ['gateway', 'worker/worker'].map((folder) => markFile(join(network.dir, folder), name))
}

const ready = ({ state }: WorkerStatus) => state === 'ready'
const refusedBy = (by: WorkerStatus['by']) => (status: WorkerStatus) =>
  status.state === 'refused' && status.by === by

/** All that gateway and worker of this network need. */
const all = (): Tables => ({ measurements, model: PRICES, gateway: wallet })

/** Both under a new registry, joined. */
async function joined(tables: Tables = all()) {
  const registry = await network.deploy(tables)
  const gateway = await network.gateway({ registry: registry.address })
  const worker = await network.worker(gateway, ['--registry', registry.address])
  await worker.status(ready)
  return { registry, gateway, worker }
}

beforeAll(async () => {
  network = await RegistryNetwork.open()
  wallet = await network.gatewayWallet()
  // As without a registry: what runs here is what the owners then put into theirs.
  const gateway = await network.gateway()
  await (await network.worker(gateway)).status(ready)
  expect((await chat(gateway)).status).toBe(200)
  const { gateway: own, workers } = await attestation(gateway)
  const worker = workers[0]?.evidence ?? expect.fail('the worker has evidence')
  measurements = [own ?? expect.fail('the gateway has evidence'), worker].map(measuredBy)
  const root = await simulatedRootOf(join(network.dir, 'tee'), Date.now)
  const nonce = new Uint8Array(32).fill(7)
  const verdict = await verifyEvidence(worker, { policy: simulated(root), now: Date.now, nonce })
  expect(verdict.claims?.registry).toEqual({ globalId: network.chain.globalId, address: '' })
  platforms = verdict.subject?.platforms ?? expect.fail('the worker was accepted')
  await network.stop()
}, 60_000)
afterEach(() => network.stop())
afterAll(() => network[Symbol.asyncDispose]())

describe('under a registry', () => {
  it('gateway and worker join, answer, and say which one they follow', async () => {
    const { registry, gateway } = await joined()
    expect((await chat(gateway)).status).toBe(200)
    const { gateway: own, workers } = await attestation(gateway)
    for (const bundle of [own, workers[0]?.evidence]) {
      const claims = JSON.parse(Buffer.from(bundle?.claims ?? '', 'base64').toString())
      expect(claims.registry).toEqual({
        globalId: network.chain.globalId,
        address: expect.stringMatching(/^0:[0-9a-f]{64}$/),
      })
    }
    for (const file of marksOf(registry.address))
      expect(await readFile(file, 'utf8')).toContain('"version":1')
  })

  it('clients pay no more than the registry lets a model cost', async () => {
    const { gateway } = await joined()
    const key = (await readFile(join(network.dir, 'gateway', 'api-key'), 'utf8')).trim()
    const response = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })
    const text = await response.text()
    // The gateway asks 50 and 200 million for prompt and answer, and 10 million for cached tokens.
    for (const price of ['40000000', '10000000', '150000000']) expect(text).toContain(`"${price}"`)
    for (const price of ['50000000', '200000000']) expect(text).not.toContain(`"${price}"`)
  })

  it('a worker that asks more than the registry allows is not wanted', async () => {
    const registry = await network.deploy({ ...all(), model: { ...PRICES, completion: 59_999_999n } })
    const gateway = await network.gateway({ registry: registry.address })
    const worker = await network.worker(gateway, ['--registry', registry.address])
    expect(await worker.status(refusedBy('gateway'))).toMatchObject({ code: 'terms' })
  })

  it.each<[string, () => string]>([
    ['its model', () => MODEL.sha256],
    ['its platform', () => platformRevocationKey(platforms[0] ?? '')],
  ])('a revocation of %s bars a running worker at the next look', async (what, key) => {
    const { registry, gateway, worker } = await joined()
    expect((await chat(gateway)).status).toBe(200)
    await registry.revoke(key())
    const { by, factors } = await worker.status(({ state }) => state === 'refused')
    // One platform carries both here, so either may be the first to see it.
    if (what === 'its model') expect(by).toBe('gateway')
    expect(factors).toContain('registry.allowed')
    // The worker may hear of it first: until the gateway has, it answers.
    while ((await chat(gateway)).status !== 503);
  })

  it('a worker leaves a gateway that is revoked, and joins none that is not listed', async () => {
    const { registry, worker } = await joined()
    await registry.revoke(wallet.split(':')[1] ?? '')
    expect(await worker.status(refusedBy('worker'))).toMatchObject({
      code: 'ERR_GATEWAY_EVIDENCE',
      factors: ['registry.allowed'],
      reason: 'the registry does not list this gateway',
    })
    await network.stop()
    const other = await network.deploy({ ...all(), gateway: `0:${'00'.repeat(32)}` })
    const gateway = await network.gateway({ registry: other.address })
    const turned = await network.worker(gateway, ['--registry', other.address])
    expect(await turned.status(refusedBy('worker'))).toMatchObject({ factors: ['registry.allowed'] })
  })

  it.each<[string, () => Tables, string]>([
    ['without its measurements', () => ({ ...all(), measurements: [] }), 'measurement.allowed'],
    ['with older software', () => ({ ...all(), minSoftware: '65535.0.0' }), 'registry.allowed'],
  ])('a worker %s is not let in', async (_, tables, factor) => {
    const registry = await network.deploy(tables())
    const gateway = await network.gateway({ registry: registry.address })
    const worker = await network.worker(gateway, ['--registry', registry.address])
    const { by, factors } = await worker.status(({ state }) => state === 'refused')
    expect(by).toBe('gateway')
    expect(factors).toContain(factor)
  })

  it('a worker that follows none, or another one, is not let in', async () => {
    const registry = await network.deploy(all())
    const gateway = await network.gateway({ registry: registry.address })
    const worker = await network.worker(gateway)
    expect((await worker.status(refusedBy('gateway'))).factors).toEqual([
      'registry.expected',
      'registry.allowed',
    ])
  })
})

describe('a registry that cannot be relied on', () => {
  it('expired: the gateway answers 503, and the worker leaves it', async () => {
    const { gateway, worker } = await joined()
    await network.server.node.advanceTime(31 * 86_400)
    // Either may be the first to look: one leaves, or the other lets nobody in any more.
    const { reason } = await worker.status(({ state }) => state === 'refused')
    expect(reason).toBe('registry: the snapshot has expired; its owners have to renew it')
    await expect
      .poll(async () => await chat(gateway), { timeout: 30_000 })
      .toMatchObject({ status: 503, body: { error: { code: 'registry_unavailable' } } })
    expect(await readiness(gateway)).toMatchObject({ missing: expect.arrayContaining(['registry']) })
  })

  it('older than it was ends the start of both', async () => {
    const registry = await network.deploy(all())
    const mark = JSON.stringify({ version: 9, hash: '0'.repeat(64) })
    for (const file of marksOf(registry.address)) await writeFile(file, mark)
    const rollback = expect.objectContaining({ code: 'ERR_REGISTRY_ROLLBACK' })
    await expect(network.gateway({ registry: registry.address })).rejects.toEqual(rollback)
    const nowhere = { url: 'http://127.0.0.1:9' }
    await expect(network.worker(nowhere, ['--registry', registry.address])).rejects.toEqual(rollback)
  })
})
