import { describe, expect, it } from 'vitest'
import { LINK_LIMITS } from '../../worker/protocol/link.ts'
import { LinkStream, type StreamPort } from './stream.ts'

/** A port that writes down what it is asked for. */
function makePort() {
  const calls: string[] = []
  const port: StreamPort = {
    sendChunk: async (_stream, next) => {
      const chunk = next()
      if (chunk) calls.push(`chunk ${chunk.payload.length}${chunk.last ? ' last' : ''}`)
      return chunk !== undefined
    },
    sendCredit: (_stream, frames) => void calls.push(`credit ${frames}`),
    sendCancel: () => void calls.push('cancel'),
    onOver: () => void calls.push('over'),
    onLateReceipt: ({ requestId }) => void calls.push(`late ${requestId}`),
  }
  return { calls, port }
}

const byte = (value: number) => new Uint8Array([value])
const receipt = (requestId: string, final = false) => ({
  requestId,
  receipt: { payload: requestId, signature: '' },
  final,
})

describe('LinkStream', () => {
  it('grants in steps of half a window what the reader is back from, and refuses what has no credit', async () => {
    const { calls, port } = makePort()
    const stream = new LinkStream(1, 4, port)
    for (let i = 0; i < 4; i++) expect(stream.deliverChunk(byte(i))).toBe(true)
    expect(stream.deliverChunk(byte(9))).toBe(false)
    expect(calls).toEqual([])
    await stream.next()
    await stream.next()
    expect(calls).toEqual([])
    await stream.next()
    expect(calls).toEqual(['credit 2'])
    expect([
      stream.deliverChunk(byte(4)),
      stream.deliverChunk(byte(5)),
      stream.deliverChunk(byte(6)),
    ]).toEqual([true, true, false])
  })

  it('grants at once what a receipt covers when the reader takes it', async () => {
    const { calls, port } = makePort()
    const stream = new LinkStream(1, 64, port)
    for (let i = 0; i < 3; i++) stream.deliverChunk(byte(i))
    stream.deliverReceipt(receipt('one'))
    stream.deliverReceipt(receipt('two'))
    for (let i = 0; i < 3; i++) await stream.next()
    expect(calls).toEqual([])
    await stream.next()
    expect(calls).toEqual(['credit 3'])
  })

  it('grants only what has left the process, and nothing once it is over', async () => {
    const { calls, port } = makePort()
    const waits: (() => void)[] = []
    const flushed = () => new Promise<void>((resolve) => waits.push(resolve))
    const stream = new LinkStream(1, 2, port, flushed)
    for (const value of [0, 1]) expect(stream.deliverChunk(byte(value))).toBe(true)
    await stream.next()
    const last = stream.next()
    await last
    expect(calls).toEqual([])
    expect(stream.deliverChunk(byte(2))).toBe(false)
    waits[0]?.()
    await new Promise(setImmediate)
    expect(calls).toEqual(['credit 1'])
    expect(stream.deliverChunk(byte(2))).toBe(true)
    await stream.next()
    stream.release('abandoned')
    waits[1]?.()
    await new Promise(setImmediate)
    expect(calls).toEqual(['credit 1', 'over'])
  })

  it('bounds the bytes that wait, and grants early when chunks are large', async () => {
    const { calls, port } = makePort()
    const stream = new LinkStream(1, 64, port)
    const large = new Uint8Array(LINK_LIMITS.maxChunkBytes)
    for (let i = 0; i < 8; i++) expect(stream.deliverChunk(large)).toBe(true)
    expect(stream.deliverChunk(byte(1))).toBe(false)

    const read = new LinkStream(2, 64, port)
    for (let i = 0; i < 200; i++) {
      expect(read.deliverChunk(large)).toBe(true)
      await read.next()
    }
    expect(calls.filter((call) => call === 'credit 1')).toHaveLength(199)
  })

  it('keeps the order over thousands of chunks', async () => {
    const { port } = makePort()
    const stream = new LinkStream(1, 64, port)
    let sent = 0
    for (let seen = 0; seen < 5000; seen++) {
      while (sent < 5000 && stream.deliverChunk(new Uint8Array([sent >> 8, sent]))) sent++
      const item = await stream.next()
      expect(item).toEqual({ type: 'chunk', bytes: new Uint8Array([seen >> 8, seen]) })
    }
  })

  it('an unread receipt gives way to its successor, but not across a chunk', async () => {
    const { port } = makePort()
    const stream = new LinkStream(1, 4, port)
    stream.deliverReceipt(receipt('one'))
    stream.deliverReceipt(receipt('two'))
    stream.deliverChunk(byte(1))
    stream.deliverReceipt(receipt('three', true))
    expect(await stream.next()).toMatchObject({ type: 'receipt', receipt: { payload: 'two' } })
    expect(await stream.next()).toMatchObject({ type: 'chunk' })
    expect(await stream.next()).toMatchObject({ type: 'receipt', receipt: { payload: 'three' }, final: true })
  })

  it('an interrupt goes before what waits, and the stream goes on', async () => {
    const { port } = makePort()
    const stream = new LinkStream(1, 4, port)
    stream.deliverChunk(byte(1))
    stream.interrupt('first')
    stream.interrupt('second')
    expect(await stream.next()).toEqual({ type: 'interrupt', reason: 'first' })
    expect(await stream.next()).toMatchObject({ type: 'chunk' })
    const pending = stream.next()
    stream.interrupt('third')
    expect(await pending).toEqual({ type: 'interrupt', reason: 'third' })
  })

  it('what came before the loss is still read, then the loss for ever', async () => {
    const { port } = makePort()
    const stream = new LinkStream(1, 4, port)
    stream.deliverChunk(byte(1))
    stream.deliverLost('gone')
    stream.deliverEnd(undefined)
    expect(await stream.next()).toMatchObject({ type: 'chunk' })
    expect(await stream.next()).toEqual({ type: 'lost', code: 'gone' })
    expect(await stream.next()).toEqual({ type: 'lost', code: 'gone' })
  })

  it('a released stream earns no credit and passes on one final receipt', () => {
    const { calls, port } = makePort()
    const stream = new LinkStream(1, 4, port)
    void stream.send(new Uint8Array(10), 5)
    stream.release('abandoned')
    for (let i = 0; i < 4; i++) expect(stream.deliverChunk(byte(i))).toBe(true)
    expect(stream.deliverChunk(byte(4))).toBe(false)
    stream.deliverReceipt(receipt('partial'))
    stream.deliverReceipt(receipt('last', true))
    stream.deliverReceipt(receipt('again', true))
    stream.deliverEnd(undefined)
    expect(calls).toEqual(['chunk 5', 'cancel', 'late last', 'over'])
  })

  it('a settled stream neither cancels nor passes receipts on', () => {
    const { calls, port } = makePort()
    const stream = new LinkStream(1, 4, port)
    stream.release('settled')
    stream.deliverReceipt(receipt('last', true))
    expect(calls).toEqual([])
  })

  it('a stream that is cancelled before its first chunk is over at once, unheard of', async () => {
    const { calls, port } = makePort()
    const stream = new LinkStream(1, 4, port)
    stream.cancel()
    await stream.send(new Uint8Array(10), 5)
    expect(calls).toEqual(['over'])
    expect(await stream.next()).toEqual({ type: 'end', hint: 'cancelled' })
  })
})
