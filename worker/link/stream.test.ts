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
