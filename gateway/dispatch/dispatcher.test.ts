import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../attest/bytes.ts'
import { ApiError } from '../../worker/protocol/errors.ts'
import { MODEL } from '../link/testing/fake-worker.ts'
import type { Job } from '../link/testing/job.ts'
import { boundUncharged, Uncharged } from '../uncharged.ts'
import type { DispatchResponse } from './index.ts'
import {
  type Books,
  CANARY,
  collect,
  Harness,
  openBooks,
  textOf,
  voucherFor,
  WORKER_CHANNEL,
} from './testing/harness.ts'

let books: Books
let harness: Harness
beforeAll(async () => {
  books = await openBooks()
})
beforeEach(async () => {
  harness = await Harness.open(books)
})
afterEach(async () => {
  expect(JSON.stringify(harness.gateway.log)).not.toContain(CANARY)
  await harness.close()
})
afterAll(async () => {
  await books.ledger.audit()
  await books.close()
})

/** The ApiError that a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

describe('a request that goes well', () => {
  it('streams every event, charges exactly the counts, and pays the worker', async () => {
    const worker = await harness.gateway.join({ serve: (job) => job.answer(['a', 'b', 'c']) })
    const response = await harness.dispatch()
    expect(await collect(response)).toEqual(['a', 'b', 'c'])
    const final = await response.done
    expect(final).toMatchObject({ status: 200, charged: 14n, finishReason: 'stop' })
    expect(final.usage).toEqual({ prompt_tokens: 5, completion_tokens: 3 })
    expect(await harness.account()).toEqual({ charged: 14n, reserved: 0n, earned: 11n })
    expect(await books.ledger.receipt(response.requestId)).toBeDefined()
    expect(await worker.hear('ack')).toEqual({ type: 'ack', requestIds: [response.requestId] })
    const ceiling = harness.ceiling(11n)
    expect(await worker.hear('voucher')).toEqual({
      type: 'voucher',
      channel: WORKER_CHANNEL,
      ceiling: String(ceiling),
      signature: voucherFor(ceiling),
    })
    expect(response.worker).toMatchObject({ bootId: worker.boot.bootId, tee: 'simulated-tdx' })
  })

  it('binds the context to worker, model, price and payer', async () => {
    const worker = await harness.gateway.join()
    const request = harness.request({ stream: false })
    await collect(await harness.dispatcher.dispatch(request))
    const { ctx, body } = (await worker.job()).opened
    expect(body).toEqual(request.body)
    expect(ctx).toMatchObject({
      requestId: request.requestId,
      gateway: 'gateway-under-test',
      maxCharge: '3050',
      maxPromptTokens: 50,
      maxOutputTokens: 1000,
      n: 1,
      deadline: request.deadline,
      responseMode: { stream: false, padding: 'bucket', cadence: 0 },
      payer: { kind: 'gateway', channel: 'client', account: books.key.id },
    })
  })

  it('passes body frames on as bytes and leaves pad frames out', async () => {
    await harness.gateway.join({
      serve: async (job) => {
        await job.start()
        await job.send(job.sealer.pad())
        for (const unit of job.sealer.body(utf8('{"whole":1}'))) await job.send(unit)
        await job.finish()
      },
    })
    const events = []
    for await (const event of (await harness.dispatch({ stream: false })).events) events.push(event)
    expect(events).toEqual([{ type: 'body', bytes: utf8('{"whole":1}') }])
  })

  it('resolves without any frame when there is none', async () => {
    await harness.gateway.join({ serve: (job) => job.answer([]) })
    const response = await harness.dispatch()
    expect(await collect(response)).toEqual([])
    expect((await response.done).charged).toBe(5n)
  })

  it('ends the events only after the charge is committed', async () => {
    const gate = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    await harness.close()
    harness = await Harness.open(books, {
      bendLedger: (ledger) =>
        Object.assign(Object.create(ledger), {
          hold: ledger.hold.bind(ledger),
          openReservations: ledger.openReservations.bind(ledger),
          charge: async (request: Parameters<typeof ledger.charge>[0]) => {
            asked.resolve()
            await gate.promise
            return ledger.charge(request)
          },
        }),
    })
    const worker = await harness.gateway.join()
    const response = await harness.dispatch()
    let ended = false
    const reading = collect(response).then(() => {
      ended = true
    })
    await asked.promise
    expect(ended).toBe(false)
    expect(worker.heard.some(({ type }) => type === 'ack')).toBe(false)
    gate.resolve()
    await reading
    expect((await harness.account()).charged).toBe(8n)
  })

  it('serves many requests side by side, each charged once', async () => {
    await harness.gateway.join({ slots: 3, serve: (job) => job.answer(['x', 'y']) })
    const all = Array.from({ length: 12 }, async () => collect(await harness.dispatch()))
    for (const texts of await Promise.all(all)) expect(texts).toEqual(['x', 'y'])
    expect(await harness.account()).toEqual({ charged: 12n * 11n, reserved: 0n, earned: 12n * 9n })
    expect(harness.dispatcher.stats()).toEqual({ queued: 0, active: 0 })
  })
})

describe('back-pressure', () => {
  it('a consumer that stops makes the worker stop, and nothing is lost when it goes on', async () => {
    const texts = Array.from({ length: 400 }, (_, i) => String(i))
    const worker = await harness.gateway.join({ serve: (job) => job.answer(texts) })
    const response = await harness.dispatch({ deadline: books.clock.now() + 1e9 })
    const iterator = response.events[Symbol.asyncIterator]()
    const first = await iterator.next()
    const job = await worker.job()
    // The worker runs into the end of its credit: the window, and what was granted for two chunks taken.
    await harness.gateway.until(() => worker.credit(job.stream) === 0)
    expect(job.sent).toBe(64)
    const seen = first.done ? [] : [textOf(first.value)]
    for (;;) {
      const next = await iterator.next()
      if (next.done) break
      seen.push(textOf(next.value))
      expect(job.sent - seen.length).toBeLessThanOrEqual(64 + 32)
    }
    expect(seen).toEqual(texts)
  })

  it('what is taken and has not left the process is not granted again', async () => {
    const texts = Array.from({ length: 100 }, (_, i) => String(i))
    const worker = await harness.gateway.join({ serve: (job) => job.answer(texts) })
    const asked = Promise.withResolvers<void>()
    const left = Promise.withResolvers<void>()
    const flushed = () => {
      asked.resolve()
      return left.promise
    }
    const response = await harness.dispatch({ deadline: books.clock.now() + 1e9, flushed })
    const answer = collect(response)
    const job = await worker.job()
    await asked.promise
    await harness.gateway.until(() => worker.credit(job.stream) === 0)
    expect(job.sent).toBe(64)
    left.resolve()
    expect((await answer).length).toBeGreaterThan(0)
    expect(job.sent).toBeGreaterThan(100)
  })
})

describe('refusals by the worker', () => {
  it('are told in its words, and cost nothing', async () => {
    const error = {
      message: 'no such pair',
      type: 'invalid_request_error',
      param: 'target_language',
      code: 'pair',
    }
    await harness.gateway.join({
      serve: async (job) => {
        await job.start()
        await job.finish({
          status: 400,
          error,
          frame: { headers: { 'retry-after': '3', 'set-cookie': 'x' } },
        })
      },
    })
    const request = harness.request()
    const refused = await failure(harness.dispatcher.dispatch(request))
    expect(refused).toMatchObject({ status: 400, param: 'target_language', apiCode: 'pair' })
    expect(refused.headers).toEqual({ 'retry-after': '3' })
    expect(await harness.account()).toEqual({ charged: 0n, reserved: 0n, earned: 0n })
    expect(await books.ledger.receipt(request.requestId)).toBeDefined()
  })

  it('count as what costs its client nothing, but not when it was the worker that failed', async () => {
    const uncharged = new Uncharged({ burst: 1, perMinute: 1, now: () => 0 })
    await harness.close()
    harness = await Harness.open(books, { bendLedger: (ledger) => boundUncharged(ledger, uncharged) })
    let status = 503
    await harness.gateway.join({
      serve: async (job) => {
        await job.start()
        await job.finish({ status, error: { message: 'no', type: 'error', param: null, code: 'no' } })
      },
    })
    for (let i = 0; i < 2; i++) expect(await failure(harness.dispatch())).toMatchObject({ status: 503 })
    status = 400
    for (const apiCode of ['no', 'uncharged_requests'])
      expect(await failure(harness.dispatch())).toMatchObject({ apiCode })
  })

  it('after the first frame become an error of the stream, after the charge', async () => {
    await harness.gateway.join({
      serve: async (job) => {
        await job.start()
        await job.send(job.event('a'))
        const error = { message: 'engine lost', type: 'server_error', param: null, code: 'engine_lost' }
        await job.finish({
          status: 500,
          error,
          statement: { status: 'partial', clientCharge: '8', workerCharge: '7' },
        })
      },
    })
    const response = await harness.dispatch()
    expect(await failure(collect(response))).toMatchObject({ status: 500, apiCode: 'engine_lost' })
    expect(await harness.account()).toEqual({ charged: 8n, reserved: 0n, earned: 7n })
  })
})

describe('before any worker', () => {
  it('402 without funds, 409 for a used id, 503 without a worker', async () => {
    expect(await failure(harness.dispatch())).toMatchObject({ status: 503, apiCode: 'no_worker' })
    await harness.gateway.join({ serve: (job) => job.answer(['a']) })
    expect(await failure(harness.dispatch({ key: books.poorKey }))).toMatchObject({ status: 402 })
    const requestId = 'used-before'
    await collect(await harness.dispatch({ requestId }))
    expect(await failure(harness.dispatch({ requestId }))).toMatchObject({ status: 409 })
    expect(harness.gateway.pool.workers()[0]?.active).toBe(0)
  })

  it('413 for a body that no seal takes, with nothing left reserved', async () => {
    await harness.gateway.join()
    const error = await failure(harness.dispatch({ body: new Uint8Array(5 * 1024 * 1024) }))
    expect(error.status).toBe(413)
    expect((await harness.account()).reserved).toBe(0n)
  })

  it('waits for a slot, in turn; 429 when the queue is full or the wait too long', async () => {
    await harness.close()
    harness = await Harness.open(books, { limits: { maxQueued: 2, queueMs: 20_000 } })
    const gates: Job[] = []
    const worker = await harness.gateway.join({
      slots: 1,
      serve: async (job) => {
        gates.push(job)
      },
    })
    const [first, second, third] = [harness.dispatch(), harness.dispatch(), harness.dispatch()]
    await worker.job(0)
    await harness.gateway.until(() => harness.dispatcher.stats().queued === 2)
    const full = await failure(harness.dispatch())
    expect(full).toMatchObject({ status: 429, apiCode: 'queue_full' })
    expect(Number(full.headers['retry-after'])).toBeGreaterThan(0)

    await gates[0]?.answer(['one'])
    expect(await collect(await first)).toEqual(['one'])
    await worker.job(1)
    books.clock.advance(9_000)
    await gates[1]?.start()
    await gates[1]?.send(gates[1].event('two'))
    await second
    books.clock.advance(11_000)
    expect(await failure(third)).toMatchObject({ status: 429, apiCode: 'queue_timeout' })
  })

  it('402 at once, without a place in the queue, for whoever surely cannot pay', async () => {
    const gate = Promise.withResolvers<Job>()
    const worker = await harness.gateway.join({ slots: 1, serve: async (job) => gate.resolve(job) })
    // Holds the most of the channel, of which nearly all will come back.
    const first = harness.dispatch({ maxOutputTokens: 300_000 })
    await worker.job(0)
    const client = new AbortController()
    const waits = failure(harness.dispatch({ maxOutputTokens: 300_000, signal: client.signal }))
    await harness.gateway.until(() => harness.dispatcher.stats().queued === 1)
    const { key: spent } = await books.ledger.keys.create({
      name: 'spent',
      channel: 'client',
      limits: { perDay: 3049n },
    })
    await books.ledger.keys.load(spent.id)
    for (const [changes, apiCode] of [
      [{ key: books.poorKey }, 'insufficient_quota'],
      [{ key: spent }, 'insufficient_quota'],
      [{ maxOutputTokens: 400_000 }, 'insufficient_quota'],
      [{ maxCharge: 3049n }, 'price_above_amount'],
    ] as const)
      expect(await failure(harness.dispatch(changes))).toMatchObject({ apiCode })
    expect(harness.dispatcher.stats()).toEqual({ queued: 1, active: 1 })
    client.abort()
    await waits
    await (await gate.promise).answer(['x'])
    expect(await collect(await first)).toEqual(['x'])
  })

  it('429 when one key has too many under way, and others go on', async () => {
    await harness.close()
    harness = await Harness.open(books, { limits: { maxActivePerKey: 2 } })
    const gates: Job[] = []
    const worker = await harness.gateway.join({
      serve: async (job) => {
        gates.push(job)
      },
    })
    const running = [harness.dispatch(), harness.dispatch()]
    await worker.job(1)
    const refused = await failure(harness.dispatch())
    expect(refused).toMatchObject({ status: 429, apiCode: 'too_many_active' })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    const { key } = await books.ledger.keys.create({ name: 'other', channel: 'client' })
    running.push(harness.dispatch({ key }))
    await worker.job(2)
    for (const job of gates) await job.answer(['x'])
    for (const response of running) expect(await collect(await response)).toEqual(['x'])
    running.push(harness.dispatch())
    await worker.job(3)
    await gates[3]?.answer(['y'])
    expect(await collect(await (running[3] as Promise<DispatchResponse>))).toEqual(['y'])
  })

  it('asks only workers with the weights and the context that the request is for', async () => {
    await harness.gateway.join()
    const wrong = [{ sha256: 'cd'.repeat(32) }, { contextLength: 513 }]
    for (const changes of wrong)
      expect(await failure(harness.dispatch(changes))).toMatchObject({ status: 503 })
    const response = await harness.dispatch({ sha256: MODEL.sha256, contextLength: 512 })
    expect(await collect(response)).toEqual(['hello'])
  })

  it('leaves the queue when the client does', async () => {
    const worker = await harness.gateway.join({ slots: 1, serve: async () => {} })
    void harness.dispatch().catch(() => {})
    await worker.job(0)
    const client = new AbortController()
    const waiting = failure(harness.dispatch({ signal: client.signal }))
    await harness.gateway.until(() => harness.dispatcher.stats().queued === 1)
    client.abort()
    expect(await waiting).toMatchObject({ status: 499 })
    expect(harness.dispatcher.stats().queued).toBe(0)
  })

  it('takes nothing new once it drains, and waits for what runs', async () => {
    const worker = await harness.gateway.join({ serve: async () => {} })
    const running = harness.dispatch()
    const job = await worker.job(0)
    const drained = harness.dispatcher.drain(5_000)
    expect(await failure(harness.dispatch())).toMatchObject({ status: 503, apiCode: 'server_draining' })
    await job.answer(['last'])
    expect(await collect(await running)).toEqual(['last'])
    await drained
  })
})
