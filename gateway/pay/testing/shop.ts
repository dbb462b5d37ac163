/** A gateway that is paid by its clients, in this process, and what its tests ask of it. */

import { expect } from 'vitest'
import {
  decodePaymentRequired,
  decodePaymentResponse,
  type PaymentRequired,
  type PaymentResponse,
} from '../../../contracts/index.ts'
import { MemoryChain } from '../../../contracts/testing.ts'
import type { Gate } from '../../../worker/engine/testing/scripted.ts'
import { InProcess, type InProcessOptions } from '../../e2e/inprocess.ts'
import { Payee, type Payer, type Signed, TON } from './payer.ts'

export const CHAT = '/v1/chat/completions'

/** What is sent in the place of what was signed. */
export interface Sent {
  method?: string
  path?: string
  body?: string | Uint8Array<ArrayBuffer>
  payment?: string
  headers?: Record<string, string>
}

export class Shop implements AsyncDisposable {
  readonly chain: MemoryChain
  readonly payee: Payee
  readonly net: InProcess
  /** Where the next answer waits, when a test wants that. */
  gate: Gate | undefined

  private constructor(chain: MemoryChain, payee: Payee, net: InProcess) {
    this.chain = chain
    this.payee = payee
    this.net = net
  }

  /** @param purse of another shop, on its chain; one of its own when absent */
  static async open(options: InProcessOptions = {}, purse?: Payee): Promise<Shop> {
    const chain = purse?.chain ?? (await MemoryChain.create())
    const payee = purse ?? new Payee(chain, await chain.wallet())
    const script = () => (shop.gate ? [shop.gate, 'Hello'] : ['Hello', ' world'])
    const payments = { ...payee.desk, perMinute: 1000 }
    const shop: Shop = new Shop(
      chain,
      payee,
      await InProcess.open({ payments, engine: { script }, ...options }),
    )
    return shop
  }

  /** Unix seconds of the gateway. */
  get seconds(): number {
    return Math.floor(this.net.clock.now() / 1000)
  }

  body(more: object = {}): string {
    const { model } = this.net
    return JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 16, ...more })
  }

  /** A signed request to chat, with enough of everything unless told. */
  signed(signed: Partial<Signed> = {}): Signed {
    return { path: CHAT, body: this.body(), ceiling: TON / 2n, expires: this.seconds + 60, ...signed }
  }

  /** Sends a signed request, with what was changed of it since. */
  chat(payer: Payer, signed: Partial<Signed> = {}, sent: Sent = {}): Promise<Response> {
    const whole = this.signed(signed)
    const { method = 'POST', path, body } = { ...whole, ...sent }
    const payment = sent.payment ?? payer.header(whole)
    const headers = { 'content-type': 'application/json', 'payment-signature': payment, ...sent.headers }
    return fetch(this.net.url + path, {
      method,
      headers,
      ...(method === 'POST' && { body: body as string }),
    })
  }

  get(payer: Payer, path: string, sent: Sent = {}): Promise<Response> {
    return this.chat(payer, { method: 'GET', path, body: '' }, sent)
  }

  post(payer: Payer, path: string): Promise<Response> {
    return this.chat(payer, { path, body: '' })
  }

  async charged(payer: Payer): Promise<bigint | undefined> {
    return (await this.net.ledger.channelState(payer.address))?.charged
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.net[Symbol.asyncDispose]()
  }
}

export function paid(response: Response): PaymentResponse {
  return decodePaymentResponse(response.headers.get('payment-response') ?? '')
}

export function due(response: Response): PaymentRequired {
  return decodePaymentRequired(response.headers.get('payment-required') ?? '')
}

/** What a 402 asks for. */
export function offer(response: Response): PaymentRequired['accepts'][number] | undefined {
  return due(response).accepts[0]
}

/** Status and code of a refusal, after the code was found in the header too where there is one. */
export async function refused(response: Response): Promise<[number, string]> {
  const { error } = (await response.clone().json()) as { error: { code: string; type: string } }
  if (response.status !== 402) return [response.status, error.code]
  expect(due(response).error).toBe(error.code)
  expect(error.type).toBe('insufficient_quota')
  expect(response.headers.get('x-should-retry')).toBe('false')
  return [402, error.code]
}

export async function messageOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { message: string } }).error.message
}
