import { afterEach, beforeEach, expect, it } from 'vitest'
import { toHex } from '../../attest/bytes.ts'
import type { RegistryView } from '../../attest/policy/index.ts'
import { parseQuote } from '../../attest/tdx/quote.ts'
import { registersOf } from '../../attest/tdx/registers.ts'
import { ContractsError } from '../../contracts/errors.ts'
import { MODEL } from './testing/fake-worker.ts'
import { TestGateway } from './testing/gateway.ts'

/** What the fake workers claim. */
const registry = { globalId: -77, address: `0:${'ee'.repeat(32)}` }
const follows = { claims: { registry } }

let gateway: TestGateway
let view: RegistryView
/** Why nothing of the registry can be relied on. */
let outage: ContractsError | undefined
let permitted: boolean

beforeEach(async () => {
  outage = undefined
  permitted = true
  gateway = await TestGateway.open({
    registry: {
      view: () => {
        if (outage) throw outage
        return view
      },
      permits: () => permitted,
    },
  })
  const { mrTd, rtmr } = registersOf(parseQuote(await gateway.tee.quote(new Uint8Array(64))).body)
  const [zero = '', one = '', two = ''] = rtmr
  view = {
    ...{ ...registry, version: 1, hash: toHex(new Uint8Array(32)), minSoftware: '0.0.0' },
    expiresAt: gateway.clock.now() / 1000 + 86_400,
    measurements: [{ roles: ['worker'], set: { mrTd, rtmr: [zero, one, two, null] } }],
    models: [{ ...MODEL }],
    gateways: [],
    revoked: [],
  }
})
afterEach(() => gateway.close())

it('a worker that the registry still allows, at its price, stays', async () => {
  const worker = await gateway.join(follows)
  view = { ...view, version: 2, gateways: ['00'.repeat(32)] }
  gateway.pool.reconsider()
  expect(gateway.pool.pick(MODEL.id).kind).toBe('lease')
  expect(worker.heard.some(({ type }) => type === 'drain')).toBe(false)
})

it('one that it no longer allows is cut off, and is told why', async () => {
  const worker = await gateway.join(follows)
  view = { ...view, version: 2, models: [] }
  gateway.pool.reconsider()
  expect(gateway.pool.pick(MODEL.id).kind).toBe('none')
  const reason = `the registry has no model "${MODEL.id}" with this digest`
  expect(await worker.hear('refused')).toMatchObject({
    code: 'evidence',
    factors: ['registry.allowed'],
    reason,
  })
})

it('one whose price it lowered finishes what runs and gets nothing new', async () => {
  const worker = await gateway.join(follows)
  permitted = false
  gateway.pool.reconsider()
  await worker.hear('drain')
  expect(gateway.pool.pick(MODEL.id).kind).toBe('none')
})

it('one whose next epoch comes while nothing can be relied on finishes what runs, too', async () => {
  const worker = await gateway.join(follows)
  outage = new ContractsError('ERR_REGISTRY_STALE', 'registry: not read for 900 s')
  worker.say({ type: 'attest-request' })
  await worker.hear('drain')
  expect(gateway.pool.pick(MODEL.id).kind).toBe('none')
})

it('while nothing of it can be relied on, all finish what runs and nobody is let in', async () => {
  const worker = await gateway.join(follows)
  outage = new ContractsError('ERR_REGISTRY_STALE', 'registry: not read for 900 s')
  gateway.pool.reconsider()
  await worker.hear('drain')
  expect(gateway.pool.pick(MODEL.id).kind).toBe('none')
  const late = await gateway.dial(follows)
  expect(await late.hear('refused')).toMatchObject({ code: 'busy', reason: outage.message })
})
