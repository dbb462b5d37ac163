import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { untilReachable } from './reach.ts'

test('waits until somebody listens, and no longer than it was told', async () => {
  const first = createServer().listen(0, '127.0.0.1')
  await once(first, 'listening')
  const { port } = first.address() as AddressInfo
  first.close()
  await once(first, 'close')
  const url = `ws://127.0.0.1:${port}/link`
  // Nobody there and no time to wait: it ends all the same.
  await untilReachable(url, 0)
  let reached = false
  const reaching = untilReachable(url, 60_000).then(() => {
    reached = true
  })
  const second = createServer()
  expect(reached).toBe(false)
  second.listen(port, '127.0.0.1')
  await reaching
  second.close()
})
