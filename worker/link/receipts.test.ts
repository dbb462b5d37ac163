import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { Gate } from '../engine/testing/scripted.ts'
import { type Peer, Reader } from '../testing/fake-gateway.ts'
import { Harness } from '../testing/harness.ts'

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

  test('pad frames break a silence in mid-answer too, and none comes between words', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => ['a', gate, 'b'] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'a')
    await gate.reached
    harness.clock.advance(500)
    expect(reader.pads).toBe(0)
    harness.clock.advance(500)
    await reader.read(() => reader.pads === 1)
    gate.open()
    await reader.read()
    expect(reader.text).toBe('ab')
    expect(reader.settled.body.status).toBe('complete')
  })

  /** Cuts the link and lets the worker join again. */
  async function rejoin(harness: Harness, peer: Peer): Promise<Peer> {
    peer.ws.terminate()
    await (await harness.engine.run(0)).settled
    expect((await harness.engine.run(0)).state).toBe('cancelled')
    await harness.clock.timerWithin(125)
    harness.clock.advance(125)
    return await (await harness.gateway.connection()).welcome()
  }

  test('a lost link: the engine stops, and what the gateway has passed on is claimed at the next join, no more', async () => {
    const [gate, later] = [new Gate(), new Gate()]
    await using harness = await Harness.open({ engine: { script: () => ['a', 'b', gate, 'c', later, 'd'] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.text === 'ab')
    await gate.reached
    harness.clock.advance(1_000)
    await reader.read(() => reader.receipts.length === 1)
    gate.open()
    await later.reached
    harness.clock.advance(1_000)
    // This one covers a chunk for which the gateway has not come back.
    await reader.read(() => reader.receipts.length === 2, false)
    expect(reader.receipts.map(({ clientCharge }) => clientCharge)).toEqual(['6', '8'])
    const again = await rejoin(harness, peer)
    const { requestId } = reader.sealed.ctx
    expect(again.held).toMatchObject([{ requestId }])
    const payload = JSON.parse(Buffer.from(again.held[0]?.receipt.payload ?? '', 'base64url').toString())
    expect(payload).toMatchObject({ status: 'partial', clientCharge: '6' })
    again.send({ type: 'ack', requestIds: [requestId] })
    again.send({ type: 'drain' })
    await again.next('closed')
    harness.clock.advance(125)
    expect((await (await harness.gateway.connection()).welcome()).held).toEqual([])
  })

  test('a whole answer that nobody acknowledged is never claimed: no part of it is worth anything', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const reader = await (await peer.request({ stream: false })).read()
    expect(reader.settled.body.status).toBe('complete')
    peer.ws.terminate()
    await harness.clock.timerWithin(125)
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
