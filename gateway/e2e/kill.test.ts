import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LinkMessage } from './link-proxy.ts'
import { channelStatus, clientChannel } from './money.ts'
import { descendantsOf } from './processes.ts'
import { type Proxied, startProxied } from './proxied.ts'
import { bodyOf, payloadOf, type ReceiptBody } from './stack.ts'

const linux = process.platform === 'linux'
if (!linux)
  console.warn('kill.test.ts: SKIPPED, it finds the processes to kill in /proc, which only Linux has')

/**
 * So many texts that the answer has at least two frames for each of them, whatever the model says: more than a worker
 * may have sent at the moment of the stall, which is less than 64 (first credit) + 160 (granted by then).
 */
const INPUT = Array.from({ length: 128 }, (_, i) => `Good morning, my name is Anna ${i}.`)

let net: Proxied
beforeAll(async () => {
  if (linux) net = await startProxied()
})
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.error(Buffer.concat(net.log).toString().slice(-8000))
})
afterAll(() => net?.close())

/** A stream that is held in its middle. */
interface Held {
  id: string
  /** What the client reads from now on, to the end; a cut connection counts as one. */
  rest(): Promise<string>
}

/**
 * Starts a long stream and holds the link once the gateway has taken a partial receipt, and every frame that it
 * covers, from the worker. Credit says so: the gateway grants what its reader took.
 */
async function inMidStream(): Promise<Held> {
  const held = Promise.withResolvers<void>()
  let frames = 0
  let covered: number | undefined
  let taken = 0
  net.proxy.meddle = (message) => {
    if (message.binary) frames += message.direction === 'to-gateway' ? 1 : 0
    else {
      const text = textOf(message)
      if (text.type === 'receipt') covered ??= frames
      if (text.type === 'credit') taken += Number(text.frames)
      if (covered !== undefined && taken > covered) {
        net.proxy.stall()
        held.resolve()
      }
    }
    return [message]
  }
  const response = await net.post('/v1/translations', {
    model: net.model,
    input: INPUT,
    target_language: 'de',
    source_language: 'en',
    stream: true,
  })
  expect(response.status).toBe(200)
  const rest = readAll(response.body as ReadableStream<Uint8Array>)
  await Promise.race([
    held.promise,
    rest.then((text) => Promise.reject(new Error(`ended early: ${lastOf(text)}`))),
  ])
  expect(taken).toBeLessThanOrEqual(160)
  return { id: response.headers.get('chrysalis-receipt') ?? '', rest: () => rest }
}

const textOf = ({ data }: LinkMessage): Record<string, unknown> => JSON.parse(data.toString())

async function readAll(body: ReadableStream<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  try {
    for await (const chunk of body) chunks.push(chunk)
  } catch {
    chunks.push(Buffer.from('(cut)'))
  }
  return Buffer.concat(chunks).toString()
}

/** The last event of a stream, or what is left of it. */
const lastOf = (text: string) => text.trimEnd().split('\n\n').at(-1)

/** Nanotons of the highest receipt for a request that went over the link, in mid-stream or in the claims after a join. */
function highestReceipt(id: string, where: 'anywhere' | 'claimed' = 'anywhere'): bigint {
  const claims = (message: Record<string, unknown>) =>
    message.type === 'held' ? (message.receipts as Record<string, unknown>[]) : []
  const charges = net.proxy.passed
    .flatMap((message) => (where === 'claimed' ? claims(message) : [message, ...claims(message)]))
    .filter((message) => message.requestId === id && message.receipt !== undefined)
    .map((message) => BigInt(payloadOf(message as unknown as ReceiptBody).clientCharge))
  return charges.toSorted((a, b) => Number(a - b)).at(-1) ?? 0n
}

function letFlow(): void {
  net.proxy.meddle = (message) => [message]
  net.proxy.flow()
}

/** Lets the link flow and asks until there is an answer; returns what that one cost. */
async function answersAgain(): Promise<bigint> {
  letFlow()
  // What a user's program does: the official SDK retries 503 and lost connections by itself.
  const patient = net.sdk.withOptions({ maxRetries: 60 })
  const { data, response } = await patient.chat.completions
    .create({ model: net.model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 5 })
    .withResponse()
  expect(data.usage?.completion_tokens).toBeGreaterThan(0)
  return (await settled(response.headers.get('chrysalis-receipt') ?? '')).charged
}

/** The receipt that a request was charged by: who has seen the end of an answer finds it. */
async function settled(id: string): Promise<{ status: string; charged: bigint }> {
  const response = await net.receipt(id)
  expect(response.status).toBe(200)
  const body = await bodyOf<ReceiptBody>(response)
  return { status: payloadOf(body).status, charged: BigInt(body.charged) }
}

/** What the client's channel was charged so far, by books that add up and hold nothing back. */
async function balancedCharge(verb = 'status'): Promise<bigint> {
  const report = await channelStatus(net.folder, verb)
  const { charged, reserved, ceiling, settled: onChain } = clientChannel(report)
  expect({ difference: report.balances.difference, reserved }).toEqual({ difference: '0', reserved: '0' })
  expect(ceiling).toBe(charged)
  if (verb === 'settle') expect(onChain).toBe(charged)
  return BigInt(charged)
}

/** That `id` was charged what it has to be, once, and nothing else but `others` was. */
async function expectRightBill(
  id: string,
  before: bigint,
  others: bigint,
  right = highestReceipt(id),
): Promise<void> {
  const { status, charged } = await settled(id)
  expect(status).toBe('partial')
  expect(charged).toBeGreaterThan(0n)
  expect(charged).toBe(right)
  expect(await balancedCharge()).toBe(before + charged + others)
}

const killRole = (role: 'chain' | 'gateway' | 'worker') => process.kill(net.roles[role].pid ?? 0, 'SIGKILL')

describe.skipIf(!linux)('kill -9 in the middle of a stream', () => {
  it('of the engine: an error event, never [DONE], the right bill, and service again', async () => {
    const before = await balancedCharge()
    const { id, rest } = await inMidStream()
    const engine = descendantsOf(net.roles.worker.pid ?? 0).slice(1)
    expect(engine).toHaveLength(1)
    process.kill(engine[0] ?? 0, 'SIGKILL')
    letFlow()
    const text = await rest()
    expect(lastOf(text)).toMatch(/^data: {"error":/)
    expect(text.includes('[DONE]')).toBe(false)
    await expectRightBill(id, before, await answersAgain())
  })

  it('of the worker: an error event, never [DONE], a bill for what was delivered, and service again', async () => {
    const before = await balancedCharge()
    const { id, rest } = await inMidStream()
    killRole('worker')
    const text = await rest()
    expect(lastOf(text)).toMatch(/^data: {"error":/)
    expect(text.includes('[DONE]')).toBe(false)
    await expectRightBill(id, before, await answersAgain())
  })

  it('of the gateway: the cut is seen, the bill comes after the restart, once', async () => {
    const before = await balancedCharge()
    const { id, rest } = await inMidStream()
    const known = highestReceipt(id)
    killRole('gateway')
    const text = await rest()
    expect(lastOf(text)).toMatch(/\(cut\)$/)
    expect(text.includes('[DONE]')).toBe(false)
    const others = await answersAgain()
    // Nobody saw its end: the worker hears of the charge.
    await net.proxy.untilPassed(
      ({ type, requestIds }) => type === 'ack' && (requestIds as string[]).includes(id),
    )
    // Of what had come to the dead gateway, the worker claims what that had passed on: in mid-stream nobody knows more.
    const claimed = highestReceipt(id, 'claimed')
    expect(claimed).toBeLessThanOrEqual(known)
    await expectRightBill(id, before, others, claimed)
    expect(net.proxy.passed.filter(({ type }) => type === 'held').length).toBeGreaterThan(1)
  })

  it('of the chain: requests go on, and after its restart it settles to the nanoton', async () => {
    const before = await balancedCharge()
    const { id, rest } = await inMidStream()
    const again = new Promise((resolve) => net.roles.chain.once('ready', resolve))
    killRole('chain')
    letFlow()
    const text = await rest()
    expect(lastOf(text)).toBe('data: [DONE]')
    const others = await answersAgain()
    await again
    const { status, charged } = await settled(id)
    expect([status, charged]).toEqual(['complete', highestReceipt(id)])
    expect(await balancedCharge()).toBe(before + charged + others)
    expect(await balancedCharge('settle')).toBe(before + charged + others)
  })
})
