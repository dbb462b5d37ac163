import { once } from 'node:events'
import OpenAI, { APIError } from 'openai'
import { describe, expect, it } from 'vitest'
import { Gate, type ScriptStep } from '../../worker/engine/testing/scripted.ts'
import { LINK_LIMITS } from '../../worker/protocol/index.ts'
import { InProcess, PRICE } from './inprocess.ts'
import type { RawResponse } from './raw-client.ts'
import { bodyOf, type ErrorBody } from './stack.ts'
import { standstill, turn, until } from './turns.ts'

/** Far more tokens than any test lets the engine make. */
const ENDLESS = { contextLength: 10_000_000 }

/** An engine's answer that has no end of its own: it makes tokens as the event loop turns. */
class Endless {
  /** Tokens that were made. */
  made = 0
  #last = Number.POSITIVE_INFINITY
  readonly #token: string
  readonly #turns: number

  /** @param turns that each token takes */
  constructor(token: string, turns: number) {
    this.#token = token
    this.#turns = turns
  }

  readonly script = async function* (this: Endless): AsyncGenerator<ScriptStep> {
    while (this.made < this.#last) {
      for (let n = 0; n < this.#turns; n++) await turn()
      this.made += 1
      yield this.#token
    }
  }.bind(this)

  /** Lets the answer end after this many tokens. */
  endAt(tokens: number): void {
    this.#last = tokens
  }

  open(): Promise<InProcess> {
    return InProcess.open({ engine: { info: ENDLESS, script: this.script } })
  }
}

/**
 * Turns of the event loop that a token takes where a test counts what is made after a client went away: more than the
 * news takes through four sockets, each of which is read once a turn.
 */
const SLOW = 50

/** The client hangs up: the engine makes at most one token more, and none later. */
async function expectStopped(net: InProcess, endless: Endless, client: RawResponse): Promise<void> {
  const made = endless.made
  client.destroy()
  const run = await net.engine.run(0)
  await run.settled
  expect(run.state).toBe('cancelled')
  expect(await standstill(() => endless.made)).toBeLessThanOrEqual(made + 1)
}

/** The books hold the charge of one request, as its receipt says, and nothing else. Returns the charge. */
async function expectCharged(net: InProcess, requestId: string, status: string): Promise<bigint> {
  const { stored, body } = await net.receipt(requestId)
  expect(body).toMatchObject({ requestId, status, clientCharge: String(stored.charged) })
  expect(await net.ledger.openReservations()).toEqual([])
  expect(await net.ledger.channelState('client')).toMatchObject({ charged: stored.charged, reserved: 0n })
  expect(await net.ledger.channelState('worker')).toMatchObject({ charged: BigInt(body.workerCharge) })
  await net.ledger.audit()
  // The slot is free again.
  await until(() => net.pool.workers().every(({ active }) => active === 0))
  return stored.charged
}

/** Tokens of the answer to `QUESTION` that a charge is for. */
function tokensOf(charged: bigint): number {
  return Number((charged - BigInt(QUESTION.length) * PRICE.prompt) / PRICE.completion)
}

/** The text of a streamed chat's event. */
function textOf(event: string | undefined): string {
  return JSON.parse(event ?? '').choices[0].delta.content ?? ''
}

async function read(stream: RawResponse, events: number): Promise<string> {
  let text = ''
  for (let n = 0; n < events; n++) text += textOf(await stream.next())
  return text
}

const WORD = 'word '
const QUESTION = 'Go on'
/** Fills the buffers of sockets soon, and a link's window of chunks before its window of bytes. */
const LONG_TOKEN = 'x'.repeat(3_600)
/** Bytes that server-sent events and HTTP's chunks add to an event of these kilobytes. */
const FRAMING = 'data: \n\n'.length + 'f00\r\n\r\n'.length

describe('a client that goes away', () => {
  it('in mid-stream stops the engine within one token and pays for what was delivered', async () => {
    const endless = new Endless(WORD, SLOW)
    await using net = await endless.open()
    const stream = net.rawChat(QUESTION, { stream: true })
    // The first event names the role and holds no token.
    expect(await read(stream, 6)).toBe(WORD.repeat(5))
    const requestId = await net.openRequest()

    await expectStopped(net, endless, stream)
    await net.settled(requestId)
    const tokens = tokensOf(await expectCharged(net, requestId, 'partial'))
    expect(tokens).toBeGreaterThanOrEqual(5)
    expect(tokens).toBeLessThanOrEqual(endless.made)
  })

  it('while it waits for a whole answer stops the engine within one token and pays for the work until then', async () => {
    const endless = new Endless(WORD, SLOW)
    await using net = await endless.open()
    const answer = net.rawChat(QUESTION)
    await until(() => endless.made >= 20)
    const requestId = await net.openRequest()

    await expectStopped(net, endless, answer)
    await net.settled(requestId)
    const tokens = tokensOf(await expectCharged(net, requestId, 'partial'))
    expect(tokens).toBeGreaterThanOrEqual(19)
    expect(tokens).toBeLessThanOrEqual(endless.made)
  })

  it('after it had stopped reading pays for what was delivered, also when the link has no credit left', async () => {
    const endless = new Endless(LONG_TOKEN, 1)
    await using net = await endless.open()
    const stream = net.rawChat(QUESTION, { stream: true })
    await stream.head()
    const ahead = await standstill(() => endless.made)
    const requestId = await net.openRequest()

    await expectStopped(net, endless, stream)
    await net.settled(requestId)
    expect(tokensOf(await expectCharged(net, requestId, 'partial'))).toBe(ahead)
  })
})

it('a client that stops reading stops the engine, which goes on when the client reads again', async () => {
  const endless = new Endless(LONG_TOKEN, 1)
  await using net = await endless.open()
  const [[connection], stream] = await Promise.all([
    once(net.server, 'connection'),
    net.rawChat(QUESTION, { stream: true, stream_options: { include_obfuscation: false } }),
  ])
  const head = await stream.head()
  expect(textOf(await stream.next())).toBe('')
  const event = String(await stream.next())
  expect(textOf(event)).toBe(LONG_TOKEN)

  const ahead = await standstill(() => endless.made)
  const run = await net.engine.run(0)
  expect(run.state).toBe('running')
  // What left the gateway lies in the buffers of the kernel; what did not is no more than the credit of the link,
  // one event that waits for the HTTP socket and one that is being made.
  const written = Math.floor(connection.bytesWritten / (event.length + FRAMING))
  expect(ahead - written).toBeLessThanOrEqual(LINK_LIMITS.initialCredit + 2)
  expect(connection.writableLength).toBeLessThan(connection.writableHighWaterMark + 2 * event.length)

  endless.endAt(ahead + 100)
  const events = await stream.rest()
  expect(head.statusCode).toBe(200)
  expect(events.pop()).toBe('[DONE]')
  // All but the one that was read before.
  expect(events.filter((each) => textOf(each) === LONG_TOKEN)).toHaveLength(ahead + 99)
  expect(run.state).toBe('ended')
  await expectCharged(net, String(head.headers['chrysalis-receipt']), 'complete')
})

describe('a request that cannot be served now', () => {
  it('is turned away with 429 and Retry-After when one request runs and one waits', async () => {
    const gate = new Gate()
    await using net = await InProcess.open({
      engine: { sequences: 1, script: () => ['Hello', gate] },
      limits: { maxQueued: 1 },
    })
    const first = net.chat(QUESTION)
    await gate.reached
    const second = net.chat(QUESTION)
    await until(() => net.dispatcher.stats().queued === 1)

    const third = await net.chat(QUESTION)
    expect(third.status).toBe(429)
    expect(Number(third.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    const { error } = await bodyOf<ErrorBody>(third)
    expect(error).toEqual({
      message: expect.stringMatching(/try again/i),
      type: 'rate_limit_error',
      param: null,
      code: 'queue_full',
    })
    expect(net.engine.runs).toHaveLength(1)

    gate.open()
    const answers = await Promise.all([first, second])
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(net.engine.runs).toHaveLength(2)
  })

  it('is refused once with 402 when its channel cannot pay, and no engine runs', async () => {
    await using net = await InProcess.open()
    const sdk = new OpenAI({ baseURL: `${net.url}/v1`, apiKey: net.poorKey, maxRetries: 2 })
    const refusal = await sdk.chat.completions
      .create({ model: net.model, messages: [{ role: 'user', content: QUESTION }] })
      .catch((error: unknown) => error)

    expect(net.requests).toBe(1)
    expect(refusal).toBeInstanceOf(APIError)
    const { status, headers, error } = refusal as APIError
    expect(status).toBe(402)
    expect(headers?.get('x-should-retry')).toBe('false')
    expect(error).toEqual({
      message: expect.any(String),
      type: 'insufficient_quota',
      param: null,
      code: 'insufficient_quota',
    })
    expect(net.engine.runs).toHaveLength(0)
    expect(await net.ledger.openReservations()).toEqual([])
    expect(await net.ledger.channelState('poor')).toMatchObject({ charged: 0n, reserved: 0n })
  })
})
