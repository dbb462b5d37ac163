import { describe, expect, test, vi } from 'vitest'
import { Account } from '../earnings/index.ts'
import { Gate } from '../engine/testing/scripted.ts'
import { CLOSE, encodeChunk, newRequestId } from '../protocol/index.ts'
import type { Peer } from '../testing/fake-gateway.ts'
import { Harness } from '../testing/harness.ts'

const hi = (fields: Record<string, unknown>) => ({
  model: 'chrysalis/scripted',
  messages: [{ role: 'user', content: 'Hi' }],
  stream: true,
  ...fields,
})

/** Reads what is left until the socket closes. */
async function closeOf(peer: Peer): Promise<{ code: number; reason: string }> {
  return await peer.next('closed')
}

describe('requests', () => {
  test('a stream: sealed events, receipts, a final frame, the right bill', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const reader = await (
      await peer.request({ body: hi({ stream_options: { include_usage: true } }) })
    ).read()
    expect(reader.text).toBe('Hello world!')
    expect(reader.hint).toBeUndefined()
    expect(reader.final).toMatchObject({
      status: 200,
      finishReason: 'stop',
      usage: { prompt_tokens: 2, completion_tokens: 3 },
    })
    const { body, details } = reader.settled
    expect(body).toMatchObject({
      status: 'complete',
      requestId: reader.sealed.ctx.requestId,
      clientCharge: '8',
      workerCharge: '8',
    })
    expect(body.transcript).toBe(reader.final?.transcript)
    expect(details).toMatchObject({ promptTokens: 2, completionTokens: 3, finishReason: 'stop' })
    expect(reader.receipts.at(-1)).toEqual(body)
  })

  test('a whole body', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const reader = await (await peer.request({ stream: false })).read()
    expect(JSON.parse(reader.body)).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { content: 'Hello world!' } }],
    })
    expect(reader.settled.body.status).toBe('complete')
  })

  test('a byte-identical repeat gets the stored frames and does no work', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const first = await (await peer.request()).read()
    const again = peer.transmit(first.sealed.request)
    const units: Uint8Array[] = []
    while (units.length < first.units.length) {
      const heard = await peer.next('chunk')
      expect(heard.stream).toBe(again)
      units.push(heard.payload)
    }
    expect(units).toEqual(first.units)
    expect(await peer.next('end')).toEqual({ type: 'end', stream: again })
    expect(harness.engine.runs).toHaveLength(1)
  })

  test.each([
    [400, 'temperature', { body: hi({ temperature: 5 }) }],
    [400, 'web_search_options', { body: hi({ web_search_options: {} }) }],
    [400, null, { body: new TextEncoder().encode('{') }],
    [404, null, { context: { path: '/v1/audio/speech' } }],
    [404, null, { context: { method: 'GET' as const } }],
    [404, 'model', { context: { model: { id: 'chrysalis/scripted', sha256: '00'.repeat(32) } } }],
    [400, null, { context: { tee: 'tdx' as const } }],
    [400, 'n', { context: { n: 2 } }],
    [400, 'stream', { body: hi({ stream: false }) }],
    [400, 'messages', { context: { maxPromptTokens: 1 } }],
    [400, null, { context: { maxCharge: '1' } }],
  ])('after the seal is opened a refusal is sealed too: %i at %s', async (status, param, options) => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const reader = await (await peer.request(options)).read()
    expect(reader.hint).toBeUndefined()
    expect(reader.final).toMatchObject({ status, error: { param }, usage: null })
    expect(reader.settled.body).toMatchObject({ status: 'refused', clientCharge: '0', workerCharge: '0' })
  })

  test('what cannot be opened gets a hint and nothing else', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const ask = async (options: Parameters<Peer['request']>[0]) => {
      const reader = await (await peer.request(options)).read()
      expect(reader.units).toEqual([])
      return reader.hint
    }
    expect(await ask({ sign: () => new Uint8Array(64) })).toBe('seal_refused')
    expect(await ask({ context: { gateway: 'another' } })).toBe('seal_refused')
    expect(await ask({ context: { quoteDigest: '00'.repeat(32) } })).toBe('seal_refused')
    expect(await ask({ context: { requestId: 'with/slash' } })).toBe('seal_refused')
    expect(await ask({ context: { deadline: harness.clock.now() - 1 } })).toBe('deadline_passed')
    const requestId = newRequestId()
    expect(await ask({ context: { requestId } }).catch(() => 'served')).toBe('served')
    expect(await ask({ context: { requestId } })).toBe('replayed')
    const { request } = await peer.seal()
    request[request.length - 1] = (request.at(-1) ?? 0) ^ 1
    const id = peer.transmit(request)
    expect(await peer.next('end')).toEqual({ type: 'end', stream: id, hint: 'seal_refused' })
    expect(harness.logged.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('a request above the limit is turned away before it is whole', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const id = peer.transmit(new Uint8Array(4 * 1024 * 1024 + 1), 256 * 1024)
    expect(await peer.next('end')).toEqual({ type: 'end', stream: id, hint: 'too_large' })
    expect((await (await peer.request()).read()).final?.status).toBe(200)
  })

  test('more than slots and queue take is busy', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { sequences: 1, script: () => [gate, 'x'] } })
    const peer = await harness.joined()
    const running = await Promise.all([peer.request(), peer.request(), peer.request()])
    for (const reader of running) await reader.read(() => reader.units.length > 0)
    expect((await (await peer.request()).read()).hint).toBe('busy')
    gate.open()
    for (const reader of running) expect((await reader.read()).final?.status).toBe(200)
  })
})

test('a gateway beyond its credit gets a hint before anything is opened', async () => {
  await using harness = await Harness.open()
  const peer = await harness.joined()
  const account = Account.prototype
  const creditworthy = vi.spyOn(account, 'creditworthy', 'get').mockReturnValue(false)
  const reader = await (await peer.request()).read()
  expect([reader.hint, reader.units.length]).toEqual(['credit_exhausted', 0])
  creditworthy.mockRestore()
  expect((await (await peer.request()).read()).final?.status).toBe(200)
})

test('an answer that would cost more than was allowed is stopped and charged as far as it was', async () => {
  await using harness = await Harness.open({
    worker: {
      runTask: async function* ({ context: { meter } }) {
        for (meter.promptTokens = 1; ; meter.completionTokens += 10) yield { type: 'event', json: '{}' }
      },
    },
  })
  const peer = await harness.joined()
  const reader = await (await peer.request({ context: { maxCharge: '50' } })).read()
  expect(reader.final).toMatchObject({ status: 500, finishReason: 'error' })
  expect(reader.settled.body).toMatchObject({ status: 'partial', clientCharge: '41' })
})

describe('stopping', () => {
  test('a cancel stops the engine within one token and bills what was delivered', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', 'b', gate, 'c', 'd'] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'ab')
    await gate.reached
    peer.send({ type: 'cancel', stream: reader.id })
    await reader.read()
    const run = await harness.engine.run(0)
    await run.settled
    expect(run).toMatchObject({ state: 'cancelled', produced: 2 })
    expect(reader.final).toMatchObject({ status: 499, error: { code: 'request_cancelled' } })
    expect(reader.settled.details.completionTokens).toBe(2)
    expect(reader.settled.body).toMatchObject({ status: 'partial', clientCharge: '6' })
  })

  test('a cancelled whole answer is billed for the prompt and what was made', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', 'b', gate, 'c'] } })
    const peer = await harness.joined()
    const reader = await peer.request({ stream: false })
    await gate.reached
    peer.send({ type: 'cancel', stream: reader.id })
    await reader.read()
    expect(reader.body).toBe('')
    expect(reader.final).toMatchObject({ status: 499, usage: null })
    expect(reader.settled.body).toMatchObject({ status: 'partial', clientCharge: '6', workerCharge: '6' })
    expect(reader.settled.details).toMatchObject({ promptTokens: 2, completionTokens: 2 })
  })

  test('a whole answer that is cancelled before its prompt is read costs nothing', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => [gate, 'a'] } })
    const peer = await harness.joined()
    const reader = await peer.request({ stream: false })
    await gate.reached
    peer.send({ type: 'cancel', stream: reader.id })
    await reader.read()
    expect(reader.settled.body).toMatchObject({ status: 'refused', clientCharge: '0' })
  })

  test('a cancel before the request is whole ends the stream', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    peer.ws.send(encodeChunk(1, 1, new Uint8Array(10)))
    peer.send({ type: 'cancel', stream: 1 })
    expect(await peer.next('end')).toEqual({ type: 'end', stream: 1, hint: 'cancelled' })
  })

  test('without credit nothing is asked of the engine', async () => {
    const steps = Array.from({ length: 300 }, (_, i) => `${i} `)
    await using harness = await Harness.open({ engine: { script: () => steps } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.units.length === 64, false)
    // One token at a time from here on: what is granted is what is made.
    const run = await harness.engine.run(0)
    const stopped = run.produced
    expect(stopped).toBeLessThanOrEqual(64)
    peer.send({ type: 'credit', stream: reader.id, frames: 2 })
    await reader.read(() => reader.units.length === 66, false)
    expect(run.produced - stopped).toBeLessThanOrEqual(2)
    expect(peer.unread('chunk')).toBe(0)
    peer.send({ type: 'cancel', stream: reader.id })
    await reader.read(undefined, false)
    expect(reader.final).toBeUndefined()
    expect(reader.receipts.at(-1)).toMatchObject({ status: 'partial' })
  })

  test('a deadline ends the answer under the seal', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', gate, 'b'] } })
    const peer = await harness.joined()
    const reader = await peer.request({ context: { deadline: harness.clock.now() + 5_000 } })
    await reader.read(() => reader.text === 'a')
    harness.clock.advance(5_000)
    await reader.read()
    expect(reader.final).toMatchObject({ status: 504, finishReason: 'deadline' })
  })

  test('drain: what runs is finished, what comes is turned away, then the link closes', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', gate, 'b'] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'a')
    const closing = harness.link.close(60_000)
    await peer.next('draining')
    expect((await (await peer.request()).read()).hint).toBe('draining')
    gate.open()
    expect((await reader.read()).final?.status).toBe(200)
    await closing
    expect((await closeOf(peer)).code).toBe(CLOSE.going_away)
  })

  test('a gateway that drains is left when its streams are done, and dialled again', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    peer.send({ type: 'drain' })
    expect((await closeOf(peer)).code).toBe(CLOSE.going_away)
    harness.clock.advance(125)
    await (await harness.gateway.connection()).welcome()
  })
})

test('nothing of a prompt or an answer is logged, whatever happens to the request', async () => {
  await using harness = await Harness.open({ engine: { script: () => ['CANARYANSWER'] } })
  const peer = await harness.joined()
  for (const body of [
    hi({ messages: [{ role: 'user', content: 'CANARYPROMPT' }] }),
    hi({ CANARYPROMPT: 1 }),
    new TextEncoder().encode('CANARYPROMPT'),
  ]) {
    await (await peer.request({ body })).read()
  }
  expect(harness.logged.length).toBeGreaterThan(0)
  expect(JSON.stringify(harness.logged)).not.toContain('CANARY')
})
