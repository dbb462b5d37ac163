import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { fromBase64 } from '../../attest/bytes.ts'
import { Gate } from '../engine/testing/scripted.ts'
import { CLOSE, encodeChunk, newRequestId } from '../protocol/index.ts'
import { type Peer, Reader } from '../testing/fake-gateway.ts'
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

describe('joining', () => {
  test('a worker proves itself, is welcomed and beats', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined({ heartbeatMs: 1_000 })
    expect(peer.claims?.bootId).toBe(harness.worker.bootId)
    expect(peer.claims?.role).toBe('worker')
    expect(peer.join?.capacity.slots).toBe(4)
    expect(harness.link.joined).toBe(true)
    await harness.clock.timerWithin(1_000)
    harness.clock.advance(1_000)
    expect(await peer.next('heartbeat')).toEqual({ type: 'heartbeat', active: 0, queued: 0 })
  })

  test('a silent gateway is dropped after two and a half intervals, and dialled again', async () => {
    await using harness = await Harness.open()
    await harness.joined({ heartbeatMs: 1_000 })
    harness.clock.advance(3_500)
    expect(harness.lost).toEqual(['heartbeat_lost'])
    harness.clock.advance(1_000)
    const again = await harness.gateway.connection()
    await again.welcome()
    expect(harness.link.joined).toBe(true)
  })

  test('no common version: closed by name, said in the log', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    peer.challenge({ min: 2, max: 3 })
    expect(await closeOf(peer)).toMatchObject({
      code: CLOSE.version_unsupported,
      reason: 'version_unsupported',
    })
    expect(harness.lost).toEqual(['ERR_LINK_VERSION'])
    expect(harness.logged.some(({ fields }) => fields.theirs === '2-3')).toBe(true)
  })

  test.each([
    [
      'role.expected',
      (peer: Peer) => {
        peer.gateway.forge = (claims) => ({ ...claims, role: 'worker' })
      },
    ],
    [
      'epoch.valid',
      (peer: Peer) => {
        peer.gateway.forge = (claims) => ({
          ...claims,
          epoch: { ...claims.epoch, notBefore: 1, notAfter: 600_000 },
        })
      },
    ],
    [
      'reportdata.binding',
      (peer: Peer) => {
        const { evidence } = peer.gateway
        peer.gateway.evidence = async function (nonce) {
          const made = await evidence.call(this, nonce)
          this.forge = (claims) => ({ ...claims, signingKey: Buffer.alloc(32, 9).toString('base64') })
          return { ...made, claims: (await evidence.call(this, nonce)).claims }
        }
      },
    ],
    [
      'evidence.freshness',
      (peer: Peer) => {
        const { evidence } = peer.gateway
        peer.gateway.evidence = function () {
          return evidence.call(this, new Uint8Array(32).fill(5))
        }
      },
    ],
  ])('a gateway whose evidence fails %s gets no worker', async (factor, spoil) => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    spoil(peer)
    await expect(peer.welcome()).rejects.toThrow(/"code":4403/)
    expect(harness.lost).toEqual(['ERR_GATEWAY_EVIDENCE'])
    expect(harness.logged.flatMap(({ fields }) => fields.factors ?? [])).toContain(factor)
  })

  test('a gateway under another root gets no worker', async () => {
    await using other = await Harness.open()
    const policy = {
      name: 'g',
      roots: [{ sha256: '00'.repeat(32), kind: 'simulated' as const }],
      roles: ['gateway' as const],
      freshness: ['caller-nonce' as const],
      skip: [],
    }
    await using harness = await Harness.open({ link: { policy } })
    harness.link.start()
    await expect((await harness.gateway.connection()).welcome()).rejects.toThrow(/4403/)
    expect(other.lost).toEqual([])
    expect(harness.lost).toEqual(['ERR_GATEWAY_EVIDENCE'])
  })

  test('quotes below the asked prices, or for another model, are refused', async () => {
    const cheap = { prompt: '1', cached: '1', completion: '1', reasoning: '1' }
    for (const quote of [{ worker: cheap }, { model: { id: 'other', sha256: '00'.repeat(32) } }]) {
      await using harness = await Harness.open()
      harness.link.start()
      await expect((await harness.gateway.connection()).welcome({ quote })).rejects.toThrow(/4403/)
      expect(harness.lost).toEqual(['ERR_GATEWAY_TERMS'])
    }
  })

  test('no pay, no work, unless told otherwise', async () => {
    await using harness = await Harness.open({ earnings: { unpaid: false } })
    harness.link.start()
    await expect((await harness.gateway.connection()).welcome()).rejects.toThrow(/4403/)
    expect(harness.lost).toEqual(['ERR_UNPAID'])
  })

  test('a refusal is logged with its factors and tried again later', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    peer.challenge()
    await peer.next('join')
    peer.send({ type: 'refused', code: 'evidence', factors: ['quote.signature'], reason: 'no' })
    await closeOf(peer)
    expect(harness.lost).toEqual(['refused_evidence'])
    expect(harness.logged.flatMap(({ fields }) => fields.factors ?? [])).toEqual(['quote.signature'])
    harness.clock.advance(125)
    await (await harness.gateway.connection()).welcome()
  })

  test('each join answers its own challenge: a recorded one does not verify again', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const { join } = peer
    if (!join) throw new Error('no join')
    const other = new Uint8Array(32).fill(1)
    await expect(peer.judge(join.evidence, other, join.signature, () => other)).rejects.toThrow(
      'evidence.freshness',
    )
    await expect(peer.judge(join.evidence, peer.nonce, join.signature, () => other)).rejects.toThrow(
      'signature',
    )
  })
})

describe('what breaks the protocol closes the link by name', () => {
  const junk: [string, number, (peer: Peer) => void][] = [
    ['text that is no JSON', CLOSE.malformed_message, (peer) => peer.ws.send('{')],
    ['an unknown type', CLOSE.malformed_message, (peer) => peer.ws.send('{"type":"hello"}')],
    ['a worker message', CLOSE.malformed_message, (peer) => peer.ws.send('{"type":"draining"}')],
    ['an empty binary message', CLOSE.malformed_message, (peer) => peer.ws.send(new Uint8Array(0))],
    [
      'a binary message of no kind',
      CLOSE.malformed_message,
      (peer) => peer.ws.send(Uint8Array.of(9, 0, 0, 0, 1)),
    ],
    [
      'a response from a gateway',
      CLOSE.unexpected_message,
      (peer) => peer.ws.send(encodeChunk(3, 1, new Uint8Array(1))),
    ],
    ['a second challenge', CLOSE.unexpected_message, (peer) => peer.challenge()],
    ['a second welcome', CLOSE.unexpected_message, (peer) => void peer.sendWelcome({})],
    [
      'credit for a stream that never was',
      CLOSE.unexpected_message,
      (peer) => peer.send({ type: 'credit', stream: 7, frames: 1 }),
    ],
    [
      'a nonce that nobody asked for',
      CLOSE.unexpected_message,
      (peer) => peer.send({ type: 'attest', nonce: Buffer.alloc(32).toString('base64') }),
    ],
    ['a message above the limit', 1009, (peer) => peer.ws.send('x'.repeat(1024 * 1024 + 1))],
  ]

  test.each(junk)('%s: %i', async (_name, code, send) => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    send(peer)
    expect((await closeOf(peer)).code).toBe(code)
    expect(harness.lost).toHaveLength(1)
  })

  test('before the welcome, and instead of a challenge', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const first = await harness.gateway.connection()
    first.send({ type: 'drain' })
    expect((await closeOf(first)).code).toBe(CLOSE.malformed_message)
    harness.clock.advance(125)
    const second = await harness.gateway.connection()
    second.challenge()
    await second.next('join')
    second.send({ type: 'cancel', stream: 1 })
    expect((await closeOf(second)).code).toBe(CLOSE.unexpected_message)
  })
})

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
    [400, 'tools', { body: hi({ tools: [{}] }) }],
    [400, null, { body: new TextEncoder().encode('{') }],
    [404, null, { context: { path: '/v1/embeddings' } }],
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

describe('receipts', () => {
  test('a partial one every 64 tokens, cumulative, each over the frames before it', async () => {
    const steps = Array.from({ length: 200 }, () => 'x')
    await using harness = await Harness.open({ engine: { script: () => steps } })
    const peer = await harness.joined()
    const reader = await (await peer.request()).read()
    const partial = reader.receipts.filter(({ status }) => status === 'partial')
    expect(partial).toHaveLength(3)
    const charges = reader.receipts.map(({ clientCharge }) => Number(clientCharge))
    expect(charges).toEqual([2 + 128, 2 + 256, 2 + 384, 2 + 400])
    expect(reader.receipts.filter(({ status }) => status === 'complete')).toHaveLength(1)
  })

  test('a partial one after a second, for a slow answer', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', gate, 'b'] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'a')
    await gate.reached
    harness.clock.advance(1_000)
    await reader.read(() => reader.receipts.length === 1)
    expect(reader.receipts[0]).toMatchObject({ status: 'partial', clientCharge: '4' })
    gate.open()
    expect((await reader.read()).settled.body.clientCharge).toBe('6')
  })

  test('pad frames keep a long prefill quiet and do not spend the last credit', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => [gate, 'a'] } })
    const peer = await harness.joined()
    const reader = await peer.request({ stream: false })
    await reader.read(() => reader.units.length > 0, false)
    for (let i = 0; i < 80; i++) harness.clock.advance(500)
    gate.open()
    await reader.read(() => reader.pads > 0)
    await reader.read()
    expect(reader.pads).toBeLessThanOrEqual(56)
    expect(reader.final?.status).toBe(200)
  })

  test('a lost link: the engine stops, the receipt is held and handed over at the next join', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', 'b', gate, 'c'] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'ab')
    await gate.reached
    peer.ws.terminate()
    await (await harness.engine.run(0)).settled
    expect((await harness.engine.run(0)).state).toBe('cancelled')
    await harness.clock.timerWithin(125)
    harness.clock.advance(125)
    const again = await (await harness.gateway.connection()).welcome()
    expect(again.held).toMatchObject([{ requestId: reader.sealed.ctx.requestId, final: true }])
    const payload = JSON.parse(Buffer.from(again.held[0]?.receipt.payload ?? '', 'base64url').toString())
    expect(payload).toMatchObject({ status: 'partial', clientCharge: '6' })
    again.send({ type: 'ack', requestIds: [reader.sealed.ctx.requestId] })
    again.send({ type: 'drain' })
    await closeOf(again)
    harness.clock.advance(125)
    expect((await (await harness.gateway.connection()).welcome()).held).toEqual([])
  })
})

describe('engine and epochs', () => {
  test('a lost engine: a sealed 503, billed by what was delivered; then it runs again', async () => {
    const gate = new Gate()
    let first = true
    await using harness = await Harness.open({
      engine: { script: () => (first ? ['a', gate, 'b'] : ['again']) },
    })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'a')
    await gate.reached
    first = false
    harness.engine.lose()
    await reader.read()
    expect(reader.final).toMatchObject({ status: 503, error: { code: 'engine_lost' } })
    expect(reader.settled.body).toMatchObject({ status: 'partial', clientCharge: '4' })
    const between = await (await peer.request()).read()
    expect(between.final).toMatchObject({ status: 503 })
    expect(between.settled.body.status).toBe('refused')
    await harness.clock.timerWithin(250)
    harness.clock.advance(250)
    await harness.worker.engineRunning()
    expect((await (await peer.request()).read()).text).toBe('again')
    expect(harness.engines).toHaveLength(2)
  })

  test('each epoch is attested early; both are open meanwhile; a stream outlives its epoch', async () => {
    const gate = new Gate()
    let first = true
    await using harness = await Harness.open({ engine: { script: () => (first ? ['a', gate, 'b'] : ['x']) } })
    const peer = await harness.joined({ heartbeatMs: 120_000 })
    const deadline = harness.clock.now() + 3_600_000
    const [late, tooLate] = [
      await peer.seal({ context: { deadline } }),
      await peer.seal({ context: { deadline } }),
    ]
    const long = await peer.request({ context: { deadline } })
    await long.read(() => long.text === 'a')
    first = false
    const before = peer.claims?.epoch.id
    const turn = async (ms: number) => {
      for (let left = ms; left > 0; left -= 60_000) {
        harness.clock.advance(Math.min(left, 60_000))
        peer.ws.ping()
        await once(peer.ws, 'pong')
        await harness.worker.tick()
      }
    }
    await turn(480_000)
    expect(await peer.reattest()).not.toBe(before)
    expect((await (await peer.request()).read()).text).toBe('x')
    const served = await new Reader(peer, peer.transmit(late.request), late).read()
    expect(served.text).toBe('x')
    await turn(190_000)
    const refused = await new Reader(peer, peer.transmit(tooLate.request), tooLate).read()
    expect(refused.hint).toBe('epoch_unknown')
    expect((await (await peer.request()).read()).text).toBe('x')
    gate.open()
    expect((await long.read()).final?.status).toBe(200)
    expect(long.settled.body.claimsDigest).not.toBe(peer.claimsDigest)
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

test('the nonce of a join is fresh each time', async () => {
  await using harness = await Harness.open()
  const first = await harness.joined()
  first.ws.terminate()
  await harness.clock.timerWithin(125)
  harness.clock.advance(125)
  const second = await (await harness.gateway.connection()).welcome()
  expect(fromBase64(first.join?.nonce ?? '')).not.toEqual(fromBase64(second.join?.nonce ?? ''))
})
