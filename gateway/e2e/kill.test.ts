import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { descendantsOf } from './processes.ts'
import { type Proxied, startProxied } from './proxied.ts'
import { bodyOf, payloadOf, type ReceiptBody } from './stack.ts'

let net: Proxied
beforeEach(async () => {
  net = await startProxied()
})
afterEach(() => net.close())

const LONG = 'Write a short story about a lighthouse.'

/** A stream that is surely in the middle: a few events have arrived and the link is held. */
async function inMidStream() {
  let frames = 0
  net.proxy.meddle = (message) => {
    if (message.direction === 'to-gateway' && message.binary && ++frames === 8) net.proxy.stall()
    return [message]
  }
  const response = await net.post('/v1/chat/completions', {
    model: net.model,
    messages: [{ role: 'user', content: LONG }],
    stream: true,
    temperature: 0,
  })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  return { id: response.headers.get('chrysalis-receipt') ?? '', reader }
}

/** The rest of a stream as text; what a cut connection throws counts as its end. */
async function rest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = ''
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read())
      text += Buffer.from(part.value)
  } catch {
    text += '(cut)'
  }
  return text
}

async function answersAgain(): Promise<void> {
  net.proxy.meddle = (message) => [message]
  net.proxy.flow()
  // What a user's program does: the official SDK retries 503 and lost connections by itself.
  const patient = net.sdk.withOptions({ maxRetries: 12 })
  const answer = await patient.chat.completions.create({
    model: net.model,
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 5,
  })
  expect(answer.usage?.completion_tokens).toBeGreaterThan(0)
}

/** The receipt that a broken request was charged by. */
async function chargedBy(id: string): Promise<{ status: string; charged: bigint }> {
  for (;;) {
    const response = await net.receipt(id)
    if (response.status === 200) {
      const body = await bodyOf<ReceiptBody>(response)
      return { status: payloadOf(body).status, charged: BigInt(body.charged) }
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const pidOf = (part: string) =>
  descendantsOf(net.roles.worker.pid ?? 0)
    .slice(1)
    .at(part === 'engine' ? 0 : -1) ?? 0

describe.skipIf(process.platform !== 'linux')('kill -9 in the middle of a stream', () => {
  it('of the engine: an error event, a partial bill, and service again', async () => {
    const { id, reader } = await inMidStream()
    process.kill(pidOf('engine'), 'SIGKILL')
    net.proxy.meddle = (message) => [message]
    net.proxy.flow()
    const text = await rest(reader)
    // The tiny model may have finished before the kill arrived: then the answer is whole, and so is the bill.
    expect(text.includes('"error"') !== text.includes('[DONE]')).toBe(true)
    expect((await chargedBy(id)).charged).toBeGreaterThan(0n)
    await answersAgain()
  })

  it('of the worker: an error event, never [DONE], a bill for what was delivered, and service again', async () => {
    const { id, reader } = await inMidStream()
    process.kill(net.roles.worker.pid ?? 0, 'SIGKILL')
    const text = await rest(reader)
    expect(text).toContain('data: {"error":')
    expect(text).not.toContain('[DONE]')
    await answersAgain()
    const status = await net.receipt(id)
    if (status.status === 200) expect(payloadOf(await bodyOf<ReceiptBody>(status)).status).toBe('partial')
  })

  it('of the gateway: the cut is seen, the bill comes after the restart, once', async () => {
    const { id, reader } = await inMidStream()
    process.kill(net.roles.gateway.pid ?? 0, 'SIGKILL')
    expect(await rest(reader)).not.toContain('[DONE]')
    await answersAgain()
    const { charged } = await chargedBy(id)
    expect(charged).toBeGreaterThan(0n)
  })

  it('of the chain: requests go on, and the balances still add up after its restart', async () => {
    process.kill(net.roles.chain.pid ?? 0, 'SIGKILL')
    await answersAgain()
  })
})
