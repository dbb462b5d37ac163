import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { flushed } from './flushed.ts'

/** A server whose answers the test writes, and raw connections to it. */
async function open() {
  const answers: ServerResponse[] = []
  const server = createServer((_request, response) => void answers.push(response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  const ask = async (requests: number) => {
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.pause()
    await once(socket, 'connect')
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(requests))
    while (answers.length < requests) await once(server, 'request')
    return socket
  }
  return { answers, ask }
}

/** A promise, and whether it is kept by now. */
const watched = (promise: Promise<void>) => {
  const state = { done: false, promise }
  promise.then(() => {
    state.done = true
  })
  return state
}

/** Turns of the event loop in which something might happen, but does not. */
async function turns() {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
}

it('resolves once what was written is out of the process, and not before', async () => {
  const { answers, ask } = await open()
  const socket = await ask(1)
  const [answer = expect.fail()] = answers
  answer.write('small')
  expect(answer.writableLength).toBeGreaterThan(0)
  await flushed(answer)
  expect(answer.writableLength).toBe(0)
  // More than kernels hold for a client that does not read.
  answer.write(Buffer.alloc(64 << 20))
  const state = watched(flushed(answer))
  await turns()
  expect(state.done).toBe(false)
  socket.resume()
  await state.promise
  expect(answer.writableLength).toBe(0)
})

it('resolves when the client goes', async () => {
  const { answers, ask } = await open()
  const socket = await ask(1)
  const [answer = expect.fail()] = answers
  answer.write(Buffer.alloc(64 << 20))
  const state = watched(flushed(answer))
  await turns()
  expect(state.done).toBe(false)
  socket.resetAndDestroy()
  await state.promise
  await flushed(answer)
  await flushed(undefined)
})

it('waits for the turn of an answer to a pipelined request', async () => {
  const { answers, ask } = await open()
  const socket = await ask(2)
  const [first = expect.fail(), second = expect.fail()] = answers
  second.write('later')
  const state = watched(flushed(second))
  await turns()
  expect(state.done).toBe(false)
  first.end('first')
  await state.promise
  socket.setEncoding('utf8')
  let text = ''
  second.end()
  for await (const part of socket) {
    text += part
    if (text.includes('later')) break
  }
  expect(text).toMatch(/first.*later/s)
})
