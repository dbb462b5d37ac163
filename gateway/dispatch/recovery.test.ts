import { generateKeyPairSync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import type { SignedReceipt } from '../../attest/receipt/index.ts'
import { type FakeWorker, makeBoot } from '../link/testing/fake-worker.ts'
import { channelsInUse, type DispatchLedger } from './index.ts'
import { type Books, collect, Harness, openBooks } from './testing/harness.ts'

const ABANDON_MS = 900_000

let books: Books
let former: Harness
let harness: Harness | undefined

beforeAll(async () => {
  books = await openBooks()
})
beforeEach(async () => {
  former = await Harness.open(books, { bendLedger: dead })
})
afterEach(async () => {
  await harness?.close()
  harness = undefined
  for (const { requestId } of books.ledger.openReservations()) await books.ledger.release(requestId, 'test')
})
afterAll(async () => {
  await books.ledger.audit()
  await books.close()
})

/** The ledger of a gateway that is killed in mid-request: it reserves, and never comes to settle anything. */
function dead(ledger: Books['ledger']): DispatchLedger {
  return {
    demandPayable: (request) => ledger.demandPayable(request),
    hold: (request) => ledger.hold(request),
    assign: (requestId, worker) => ledger.assign(requestId, worker),
    openReservations: () => [],
    charge: () => new Promise(() => {}),
    release: () => new Promise(() => {}),
  }
}

interface Cut {
  requestId: string
  worker: FakeWorker
  partials: SignedReceipt[]
}

/** A request that the former gateway did not live to settle, with two partial receipts in the worker's hands. */
async function cutInMidRequest(): Promise<Cut> {
  const partials: SignedReceipt[] = []
  const worker = await former.gateway.join({
    serve: async (job) => {
      await job.start()
      for (const text of ['a', 'b']) {
        await job.send(job.event(text))
        partials.push(job.receipt('partial'))
      }
    },
  })
  const response = await former.dispatch()
  const iterator = response.events[Symbol.asyncIterator]()
  await iterator.next()
  await iterator.next()
  worker.die()
  await former.gateway.until(() => former.gateway.pool.workers().length === 0)
  return { requestId: response.requestId, worker, partials }
}

async function restart(): Promise<Harness> {
  harness = await Harness.open(books, { abandonMs: ABANDON_MS })
  return harness
}

const held = (requestId: string, receipts: readonly SignedReceipt[]) =>
  receipts.map((receipt, i) => ({ requestId, receipt, final: i === receipts.length - 1 }))

it('the highest receipt that the worker kept is charged, once, and acknowledged', async () => {
  const { requestId, worker, partials } = await cutInMidRequest()
  const next = await restart()
  expect(next.dispatcher.recovering).toBe(1)
  const options = { boot: worker.boot, held: held(requestId, partials) }
  const again = await next.gateway.join(options)
  await again.hear('ack', ({ requestIds }) => requestIds.includes(requestId))
  await again.hear('voucher')
  expect(next.dispatcher.recovering).toBe(0)
  expect(await next.account()).toEqual({ charged: 11n, reserved: 0n, earned: 9n })
  expect(await books.ledger.receipt(requestId)).toBeDefined()

  // It shows them once more: acknowledged again, not charged again.
  again.die()
  const third = await next.gateway.join(options)
  await third.hear('ack', ({ requestIds }) => requestIds.includes(requestId))
  expect((await next.account()).charged).toBe(11n)
})

it('a receipt is accepted from a later boot of the worker too: the reservation names the key', async () => {
  const { requestId, partials } = await cutInMidRequest()
  const next = await restart()
  // The channel that its receipt will be paid on is in use, though nobody is connected.
  const inUse = () => channelsInUse(next.gateway.pool, books.ledger)
  expect(inUse()).toEqual(new Set(['worker-channel']))
  const reborn = await next.gateway.join({ held: held(requestId, partials) })
  await reborn.hear('ack', ({ requestIds }) => requestIds.includes(requestId))
  expect((await next.account()).charged).toBe(11n)
  expect(inUse()).toEqual(new Set(['worker-channel']))
  reborn.die()
  await next.gateway.until(() => next.gateway.pool.workers().length === 0)
  expect(inUse()).toEqual(new Set())
})

it('a request that comes while the only worker comes back waits for it', async () => {
  const { requestId, worker, partials } = await cutInMidRequest()
  const gate = Promise.withResolvers<void>()
  const slow = (ledger: Books['ledger']): DispatchLedger => ({
    ...dead(ledger),
    openReservations: () => ledger.openReservations(),
    charge: async (charge) => {
      await gate.promise
      return await ledger.charge(charge)
    },
    release: (id, reason) => ledger.release(id, reason),
  })
  harness = await Harness.open(books, { abandonMs: ABANDON_MS, bendLedger: slow })
  const { gateway } = harness
  await gateway.dial({
    boot: worker.boot,
    held: held(requestId, partials),
    serve: (job) => job.answer(['a']),
  })
  await gateway.until(() => gateway.pool.workers()[0]?.state === 'recovering')
  const asked = harness.dispatch()
  gate.resolve()
  expect((await collect(await asked)).length).toBeGreaterThan(0)
})

it('what the same boot does not know is let go with nothing', async () => {
  const { worker } = await cutInMidRequest()
  const next = await restart()
  await next.gateway.join({ boot: worker.boot })
  await next.gateway.until(() => next.dispatcher.recovering === 0)
  expect(await next.account()).toEqual({ charged: 0n, reserved: 0n, earned: 0n })
})

it('another worker that gives out the boot for its own lets nothing of it go', async () => {
  const { requestId, worker, partials } = await cutInMidRequest()
  const next = await restart()
  // Boot ids are in everybody's evidence.
  const thief = await next.gateway.join({
    boot: { ...(await makeBoot(books.clock)), bootId: worker.boot.bootId },
  })
  expect(next.dispatcher.recovering).toBe(1)
  thief.die()
  await next.gateway.until(() => next.gateway.pool.workers().length === 0)
  const again = await next.gateway.join({ boot: worker.boot, held: held(requestId, partials) })
  await again.hear('ack', ({ requestIds }) => requestIds.includes(requestId))
  expect((await next.account()).charged).toBe(11n)
})

it('another boot without the receipt changes nothing; after the stated time it is let go', async () => {
  const { requestId } = await cutInMidRequest()
  const next = await restart()
  const stranger = await next.gateway.join()
  expect(next.dispatcher.recovering).toBe(1)
  stranger.die()
  books.clock.advance(ABANDON_MS - 1)
  expect(books.ledger.openReservations().map((open) => open.requestId)).toEqual([requestId])
  books.clock.advance(1)
  await next.gateway.until(() => books.ledger.openReservations().length === 0)
  expect(await next.account()).toEqual({ charged: 0n, reserved: 0n, earned: 0n })
})

it('a receipt by a key that the reservation does not name is worth nothing', async () => {
  const { requestId, worker } = await cutInMidRequest()
  const [job] = worker.jobs
  if (!job) throw new Error('no job')
  worker.boot.signingKey = generateKeyPairSync('ed25519').privateKey
  const forged = job.receipt('partial', { clientCharge: '3000', workerCharge: '2000' })
  const next = await restart()
  const stranger = await next.gateway.join({ held: held(requestId, [forged]) })
  expect(next.gateway.logged('held receipt refused')).toMatchObject([
    { request: requestId, code: 'ERR_RECEIPT_SIGNATURE' },
  ])
  expect(stranger.heard.some(({ type }) => type === 'ack')).toBe(false)
  expect((await next.account()).charged).toBe(0n)
})

it('receipts of requests that nobody knows are acknowledged, so that no worker keeps them for ever', async () => {
  const { partials } = await cutInMidRequest()
  const next = await restart()
  const worker = await next.gateway.join({ held: held('never-heard-of', partials) })
  await worker.hear('ack', ({ requestIds }) => requestIds.includes('never-heard-of'))
})
