/** @module Clients that ask one thing after the other and remember what they saw. */

import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { decodePaymentResponse } from '../../contracts/index.ts'
import type { Random } from '../../worker/model/corpus/random.ts'
import { type Asked, bodyOf, type End, nextRequest, type Seen, tokensIn } from './asked.ts'
import { CHAT, type Customer } from './customers.ts'

export interface LoadOptions {
  /** URL of the gateway, without `/v1`. */
  readonly origin: string
  /** Each asks one thing after the other. */
  readonly clients: readonly Customer[]
  readonly random: Random
}

/** Clients, each with one request at a time over a connection of its own, until `stop`. */
export class Load {
  readonly #options: LoadOptions
  readonly #seen: Seen[] = []
  readonly #all: Promise<unknown>
  #asked = 0
  #stopped = false
  #tokens = 0
  #waiting: { tokens: number; resolve: () => void }[] = []

  constructor(options: LoadOptions) {
    this.#options = options
    this.#all = Promise.all(options.clients.map((customer) => this.#client(customer)))
  }

  /** Resolves when the clients together have received so many tokens. */
  received(tokens: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ tokens, resolve })
      this.#count(0)
    })
  }

  /** Resolves when no client asks any more: there is nobody to ask. */
  get over(): Promise<unknown> {
    return this.#all
  }

  /** Nothing new is asked from now on; resolves with what was seen of every request. */
  async stop(): Promise<Seen[]> {
    this.#stopped = true
    await this.#all
    return this.#seen
  }

  async #client(customer: Customer): Promise<void> {
    const { origin, random } = this.#options
    while (!this.#stopped) {
      const asked = nextRequest(this.#asked++, random)
      const seen = await ask(origin, customer, asked, (tokens) => this.#count(tokens))
      this.#seen.push(seen)
      // A gateway that is gone will not be back at once, and what it refuses now it refuses a moment later.
      if ((seen.end === 'refused' && !seen.payment?.stingy) || seen.requestId === undefined)
        this.#stopped = true
    }
  }

  #count(more: number): void {
    this.#tokens += more
    for (const { tokens, resolve } of this.#waiting) if (this.#tokens >= tokens) resolve()
  }
}

/** Asks once. Never rejects: what went wrong is what the client saw. */
export async function ask(
  origin: string,
  customer: Customer,
  asked: Asked,
  onTokens: (tokens: number) => void = () => {},
): Promise<Seen> {
  const { headers, payment } = customer.pay(asked)
  const sent = request(origin + CHAT, {
    method: 'POST',
    agent: false,
    headers: { ...headers, 'content-type': 'application/json' },
  })
  sent.on('error', () => {})
  sent.end(bodyOf(asked))
  const seen = { asked, tokens: 0, end: 'cut' as End, ...(payment && { payment }) }
  let head: Head = {}
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    head = headOf(response)
    const read = asked.stream && response.statusCode === 200 ? readStream : readWhole
    for await (const step of read(response)) {
      seen.tokens += step.tokens
      onTokens(step.tokens)
      if (step.end) seen.end = step.end
      if (step.said !== undefined) head.said = step.said
      if (asked.leavesAfter !== undefined && seen.tokens >= asked.leavesAfter && !step.end) {
        seen.end = 'left'
        break
      }
    }
  } catch {
    // The connection broke: what was seen until then stands.
  }
  sent.destroy()
  return { ...seen, ...head }
}

interface Head {
  requestId?: string
  said?: string
  voucher?: bigint
}

function headOf({ headers, statusCode }: IncomingMessage): Head {
  const requestId = headers['x-request-id']
  const response = headers['payment-response']
  const state = typeof response === 'string' ? decodePaymentResponse(response).extra?.voucherState : undefined
  return {
    ...(typeof requestId === 'string' && { requestId }),
    ...(state && { voucher: BigInt(state.signedMaxClaimable) }),
    said: String(statusCode),
  }
}

interface Step {
  tokens: number
  end?: End
  said?: string
}

async function* readWhole(response: IncomingMessage): AsyncGenerator<Step> {
  const text = Buffer.concat(await Array.fromAsync(response as AsyncIterable<Buffer>)).toString()
  const body = JSON.parse(text) as { error?: { code: string }; choices?: { message: { content: string } }[] }
  if (body.error) yield { tokens: 0, end: 'refused', said: body.error.code }
  else yield { tokens: tokensIn(body.choices?.[0]?.message.content ?? ''), end: 'done' }
}

async function* readStream(response: AsyncIterable<Buffer>): AsyncGenerator<Step> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) yield stepOf(event)
  }
}

function stepOf(event: string): Step {
  if (!event.startsWith('data: ')) return { tokens: 0 }
  const data = event.slice('data: '.length)
  if (data === '[DONE]') return { tokens: 0, end: 'done' }
  const json = JSON.parse(data) as { error?: { code: string }; choices?: { delta: { content?: string } }[] }
  if (json.error) return { tokens: 0, end: 'error', said: json.error.code }
  return { tokens: tokensIn(json.choices?.[0]?.delta.content ?? '') }
}
