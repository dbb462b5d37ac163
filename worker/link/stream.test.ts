import { expect, test } from 'vitest'
import { LINK_LIMITS } from '../protocol/index.ts'
import { WorkerStream } from './stream.ts'

const port = { writable: true, sendChunk: () => {}, sendReceipt: () => {}, sendEnd: () => {} }
const unit = new Uint8Array(LINK_LIMITS.maxChunkBytes)

test('waits at the window of bytes, whatever the credit, and goes on by what is granted', () => {
  const stream = new WorkerStream(1, port)
  let sent = 0
  const fill = () => {
    for (; stream.room > 0; sent++) stream.chunk(unit)
  }
  fill()
  expect(sent).toBe(LINK_LIMITS.windowBytes / LINK_LIMITS.maxChunkBytes)
  stream.grant(3)
  fill()
  expect(sent).toBe(LINK_LIMITS.windowBytes / LINK_LIMITS.maxChunkBytes + 3)
})

test('a receipt is proven once all that it covers was granted again; a final one never is', () => {
  const stream = new WorkerStream(1, port)
  const receipt = (payload: string) => ({ payload, signature: '' })
  for (let i = 0; i < 3; i++) stream.chunk(unit)
  stream.receipt('request', receipt('three'), false)
  stream.chunk(unit)
  stream.receipt('request', receipt('four'), false)
  stream.receipt('request', receipt('final'), true)
  stream.grant(2)
  expect(stream.proven).toBeUndefined()
  stream.grant(1)
  expect(stream.proven).toEqual(receipt('three'))
  stream.grant(1)
  expect(stream.proven).toEqual(receipt('four'))
  stream.receipt('request', receipt('four again'), false)
  expect(stream.proven).toEqual(receipt('four again'))
})
