import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ApiError } from '../../worker/protocol/errors.ts'
import type { Job } from '../link/testing/job.ts'
import type { DispatchResponse } from './index.ts'
import { type Books, collect, Harness, openBooks, textOf } from './testing/harness.ts'

let books: Books
let harness: Harness
beforeAll(async () => {
  books = await openBooks()
})
beforeEach(async () => {
  harness = await Harness.open(books)
})
afterEach(() => harness.close())
afterAll(async () => {
  await books.ledger.audit()
  await books.close()
})

/** Reads until the end or the error. */
async function read(
  response: Promise<DispatchResponse>,
): Promise<{ texts: string[]; error: ApiError | undefined }> {
  const texts: string[] = []
  try {
    for await (const event of (await response).events) texts.push(textOf(event))
    return { texts, error: undefined }
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError)
    return { texts, error: error as ApiError }
  }
}

const nothing = { charged: 0n, reserved: 0n, earned: 0n }

/** One event and a partial receipt over it: 5 + 3 nanotons. */
async function begin(job: Job): Promise<void> {
  await job.start()
  await job.send(job.event('a'))
  job.partial()
}

describe('a worker that is lost before its first frame', () => {
  for (const [name, lose] of Object.entries<(job: Job) => unknown>({
    'at once': (job) => job.worker.die(),
    'after the head of the response and a pad': async (job) => {
      await job.start()
      await job.send(job.sealer.pad())
      job.partial()
      job.worker.die()
    },
    'by saying that it is busy': (job) => job.end('busy'),
    'by not answering': () => books.clock.advance(10_000),
  })) {
    it(`${name}: without another worker it is 503, and costs nothing`, async () => {
      const first = await harness.gateway.join({ serve: async (job) => void (await lose(job)) })
      const { texts, error } = await read(harness.dispatch())
      expect(first.jobs).toHaveLength(1)
      expect(texts).toEqual([])
      expect(error).toMatchObject({ status: 503 })
      expect(await harness.account()).toEqual(nothing)
    })

    it(`${name}: with a second worker the client notices nothing`, async () => {
      const served: string[] = []
      const script = async (job: Job) => {
        served.push(job.requestId)
        if (served.length === 1) await lose(job)
        else await job.answer(['b'])
      }
      const [one, two] = [
        await harness.gateway.join({ serve: script }),
        await harness.gateway.join({ serve: script }),
      ]
      expect(await read(harness.dispatch())).toEqual({ texts: ['b'], error: undefined })
      expect(served).toHaveLength(2)
      expect(served[0]).toBe(served[1])
      const seals = [...one.jobs, ...two.jobs].map((job) => job.opened.ctx.sealId)
      expect(new Set(seals).size).toBe(2)
      expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
    })
  }
})

describe('a worker that is lost after its first frame', () => {
  it('ends the stream with an error, charged by the highest partial receipt', async () => {
    await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.send(job.event('b'))
        job.worker.die()
      },
    })
    const { texts, error } = await read(harness.dispatch())
    expect(texts).toEqual(['a', 'b'])
    expect(error).toMatchObject({ status: 502, apiCode: 'upstream_lost' })
    expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
  })

  it('costs nothing without any receipt', async () => {
    await harness.gateway.join({
      serve: async (job) => {
        await job.start()
        await job.send(job.event('a'))
        job.worker.die()
      },
    })
    expect((await read(harness.dispatch())).error).toMatchObject({ status: 502 })
    expect(await harness.account()).toEqual(nothing)
  })

  it('is given up after a silence, charged by its receipt', async () => {
    await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.send(job.event('b'))
      },
    })
    const before = books.clock.pending
    const response = await harness.dispatch()
    const iterator = response.events[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.next()
    const silent = iterator.next()
    // The timers of the deadline and of the silence, once that of the client is gone.
    await new Promise(setImmediate)
    await harness.gateway.until(() => books.clock.pending === before + 2)
    books.clock.advance(10_000)
    await expect(silent).rejects.toMatchObject({ status: 504, apiCode: 'upstream_timeout' })
    expect((await harness.account()).charged).toBe(8n)
  })
})

describe('a client that goes away', () => {
  it('cancels the worker, and pays for what was delivered', async () => {
    const worker = await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.cancelled
        job.stopped()
      },
    })
    const client = new AbortController()
    const response = await harness.dispatch({ signal: client.signal })
    const reading = collect(response)
    const job = await worker.job()
    client.abort()
    await expect(reading).rejects.toMatchObject({ status: 499 })
    await expect(response.done).rejects.toMatchObject({ status: 499 })
    expect(job.isCancelled).toBe(true)
    expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
    await worker.hear('ack', ({ requestIds }) => requestIds.includes(job.requestId))
    await harness.gateway.until(() => harness.gateway.pool.workers()[0]?.active === 0)
  })

  it('while its request is sealed leaves nothing behind, and the worker never hears of it', async () => {
    const client = new AbortController()
    await harness.close()
    harness = await Harness.open(books, { onSign: () => client.abort() })
    const worker = await harness.gateway.join()
    await expect(harness.dispatch({ signal: client.signal })).rejects.toMatchObject({ status: 499 })
    expect(worker.jobs).toHaveLength(0)
    expect(await harness.account()).toEqual(nothing)
    expect(harness.gateway.pool.workers()[0]?.active).toBe(0)
  })

  it('by leaving the loop does the same', async () => {
    const worker = await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.cancelled
        job.stopped()
      },
    })
    const response = await harness.dispatch()
    for await (const event of response.events) {
      expect(textOf(event)).toBe('a')
      break
    }
    await expect(response.done).rejects.toMatchObject({ status: 499 })
    expect((await worker.job()).isCancelled).toBe(true)
  })

  it('is noticed while the answer waits for it: the worker is not held for ever', async () => {
    const worker = await harness.gateway.join({
      serve: (job) => job.answer(Array.from({ length: 500 }, (_, i) => String(i))),
    })
    const client = new AbortController()
    const response = await harness.dispatch({ signal: client.signal })
    const job = await worker.job()
    await harness.gateway.until(() => worker.credit(job.stream) === 0)
    client.abort()
    await expect(response.done).rejects.toMatchObject({ status: 499 })
    const { charged, reserved } = await harness.account()
    // The receipt of the cancelled worker: what it sent within its credit, no more.
    expect(reserved).toBe(0n)
    expect(charged).toBeGreaterThan(0n)
    expect(charged).toBeLessThanOrEqual(5n + 3n * 100n)
  })

  it('a worker that ignores the cancel is waited for in vain, then paid its partial receipt; its slot stays taken', async () => {
    const worker = await harness.gateway.join({ slots: 1, serve: begin })
    const client = new AbortController()
    const response = await harness.dispatch({ signal: client.signal })
    const iterator = response.events[Symbol.asyncIterator]()
    await iterator.next()
    const job = await worker.job()
    client.abort()
    await job.cancelled
    books.clock.advance(5_000)
    await expect(response.done).rejects.toMatchObject({ status: 499 })
    expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
    expect(harness.gateway.pool.pick('tiny')).toEqual({ kind: 'busy' })

    // Its receipt in the end changes nothing, but is acknowledged; the slot is free again.
    worker.say(worker.receiptMessage(job, job.receipt('partial'), true))
    job.end()
    await worker.hear('ack', ({ requestIds }) => requestIds.includes(job.requestId))
    await harness.gateway.until(() => harness.gateway.pool.workers()[0]?.active === 0)
    expect((await harness.account()).charged).toBe(8n)
  })
})

describe('the deadline of the request', () => {
  it('cancels the worker and is told as 504, charged by its receipt', async () => {
    const worker = await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.cancelled
        job.stopped()
      },
    })
    const response = await harness.dispatch({ deadline: books.clock.now() + 9_000 })
    const reading = collect(response)
    await worker.job()
    books.clock.advance(9_000)
    await expect(reading).rejects.toMatchObject({ status: 504, apiCode: 'timeout' })
    expect((await harness.account()).charged).toBe(8n)
  })

  it('also ends a request whose client reads nothing', async () => {
    await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.cancelled
        job.stopped()
      },
    })
    const response = await harness.dispatch({ deadline: books.clock.now() + 9_000 })
    books.clock.advance(9_000)
    await expect(response.done).rejects.toMatchObject({ status: 504 })
    expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
  })
})

describe('a client that stays and reads nothing', () => {
  it('frees the worker after a while, and pays for what was delivered', async () => {
    const worker = await harness.gateway.join({
      slots: 1,
      serve: async (job) => {
        await begin(job)
        await job.cancelled
        job.stopped()
      },
    })
    const deadline = books.clock.now() + 600_000
    const response = await harness.dispatch({ deadline })
    // Ping by ping, so that the link outlives the wait.
    for (let i = 0; i < 4; i++) {
      books.clock.advance(15_000)
      const mark = i + 1
      worker.say({ type: 'heartbeat', active: 1, queued: mark })
      if (i < 3) await harness.gateway.until(() => harness.gateway.pool.workers()[0]?.queued === mark)
    }
    await expect(response.done).rejects.toMatchObject({ status: 408, apiCode: 'client_stalled' })
    expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
    await harness.gateway.until(() => harness.gateway.pool.workers()[0]?.active === 0)
    await expect(read(Promise.resolve(response))).resolves.toMatchObject({ error: { status: 408 } })
  })

  it('is not one that takes each frame in time', async () => {
    await harness.close()
    harness = await Harness.open(books, { limits: { stallMs: 5_000 } })
    await harness.gateway.join({ serve: (job) => job.answer(['a', 'b', 'c', 'd']) })
    const texts: string[] = []
    for await (const event of (await harness.dispatch()).events) {
      books.clock.advance(4_000)
      texts.push(textOf(event))
    }
    expect(texts).toEqual(['a', 'b', 'c', 'd'])
  })
})

it('a ledger that fails to commit: an error, no success, no acknowledgement, the reservation stays for recovery', async () => {
  await harness.close()
  harness = await Harness.open(books, {
    bendLedger: (ledger) => ({
      demandPayable: (request) => ledger.demandPayable(request),
      hold: (request) => ledger.hold(request),
      assign: (requestId, worker) => ledger.assign(requestId, worker),
      release: (requestId, reason) => ledger.release(requestId, reason),
      openReservations: () => [],
      charge: () => Promise.reject(new Error('disk full')),
    }),
  })
  const worker = await harness.gateway.join({ serve: (job) => job.answer(['a']) })
  const request = harness.request()
  const { texts, error } = await read(harness.dispatcher.dispatch(request))
  expect(texts).toEqual(['a'])
  expect(error).toMatchObject({ status: 500 })
  expect(worker.heard.some(({ type }) => type === 'ack')).toBe(false)
  expect(books.ledger.openReservations().map(({ requestId }) => requestId)).toEqual([request.requestId])
  await books.ledger.release(request.requestId, 'test')
})

describe('a reservation that is still being written', () => {
  /** A harness whose reservations are on disk when the test says so. */
  async function slowDisk() {
    const disk = Promise.withResolvers<void>()
    disk.promise.catch(() => {})
    await harness.close()
    harness = await Harness.open(books, {
      bendLedger: (ledger) => ({
        demandPayable: (request) => ledger.demandPayable(request),
        hold: async (request) => {
          const { durable } = await ledger.hold(request)
          const both = Promise.all([durable, disk.promise]).then(() => {})
          both.catch(() => {})
          return { durable: both }
        },
        assign: (requestId, worker) => ledger.assign(requestId, worker),
        release: (requestId, reason) => ledger.release(requestId, reason),
        openReservations: () => [],
        charge: (request) => ledger.charge(request),
      }),
    })
    return disk
  }

  it('has the worker begin meanwhile, but nothing of the answer is shown', async () => {
    const disk = await slowDisk()
    const worker = await harness.gateway.join({ serve: (job) => job.answer(['a', 'b']) })
    let shown = false
    const response = harness.dispatch().then((made) => {
      shown = true
      return made
    })
    await worker.job()
    await new Promise(setImmediate)
    expect(shown).toBe(false)
    disk.resolve()
    expect(await collect(await response)).toEqual(['a', 'b'])
    expect(await harness.account()).toEqual({ charged: 11n, reserved: 0n, earned: 9n })
  })

  it('shows nothing and cancels the worker when it cannot be written', async () => {
    const disk = await slowDisk()
    const worker = await harness.gateway.join({
      serve: async (job) => {
        await begin(job)
        await job.cancelled
        job.stopped()
      },
    })
    const request = harness.request()
    const reading = read(harness.dispatcher.dispatch(request))
    const job = await worker.job()
    disk.reject(new Error('disk full'))
    expect(await reading).toMatchObject({ texts: [], error: { status: 500 } })
    await job.cancelled
    // What was asked of the ledger before this is written by then.
    expect((await harness.account()).charged).toBe(0n)
    await books.ledger.release(request.requestId, 'test')
  })
})
