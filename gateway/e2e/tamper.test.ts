import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { LinkMessage, Meddler } from './link-proxy.ts'
import { type Proxied, startProxied } from './proxied.ts'

let net: Proxied
/** How often a worker has joined by then: each attack so far has cut it off, and it has come back. */
let joins = 0
beforeAll(async () => {
  net = await startProxied()
})
afterAll(() => net.close())
beforeEach(async () => {
  net.proxy.meddle = (message) => [message]
  await net.joined(++joins)
})

/** Changes the n-th response message of the next stream. */
function onFrame(
  n: number,
  change: (message: LinkMessage, before: LinkMessage | undefined) => LinkMessage[],
): Meddler {
  let count = 0
  let before: LinkMessage | undefined
  return (message) => {
    if (message.direction !== 'to-gateway' || !message.binary) return [message]
    const earlier = before
    before = message
    return ++count === n ? change(message, earlier) : [message]
  }
}

function flipped(message: LinkMessage, at: number): LinkMessage {
  const data = Buffer.from(message.data)
  data[at] = (data[at] ?? 0) ^ 0x01
  return { ...message, data }
}

const HEADER = 5

const attacks: [string, Meddler][] = [
  ['a flipped bit in the response key commitment', onFrame(1, (m) => [flipped(m, HEADER + 60)])],
  ['a flipped bit in a frame length', onFrame(4, (m) => [flipped(m, HEADER + 3)])],
  ['a flipped bit in a frame', onFrame(4, (m) => [flipped(m, HEADER + 40)])],
  ['a flipped bit in the last byte of a frame', onFrame(4, (m) => [flipped(m, m.data.length - 1)])],
  ['a dropped frame', onFrame(4, () => [])],
  ['a repeated frame', onFrame(4, (m) => [m, m])],
  ['two frames in the wrong order', onFrame(4, (m, before) => (before ? [m, before] : [m]))],
]

describe('a relay that meddles with a stream', () => {
  it.each(attacks)('%s: the client sees an error event and never a quiet end', async (_, meddle) => {
    net.proxy.meddle = meddle
    const response = await net.post('/v1/chat/completions', {
      model: net.model,
      messages: [{ role: 'user', content: 'Write a short story about a lighthouse.' }],
      stream: true,
    })
    const text = await response.text()
    expect(text).toMatch(/"error"/)
    expect(text).not.toContain('[DONE]')
  })
})
