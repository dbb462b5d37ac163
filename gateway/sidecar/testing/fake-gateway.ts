/**
 * A gateway on a real socket that speaks x402 as the real one, keeps toy books, and lies where a test tells it to. It
 * verifies every signature, so that what the sidecar sends is judged here too.
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Address } from '@ton/core'
import { toBase64Url } from '../../../attest/bytes.ts'
import { receiptDigest, signReceipt } from '../../../attest/receipt/index.ts'
import { sampleDetails, sampleStatement } from '../../../attest/receipt/testing.ts'
import {
  CHANNEL_CODE_HASH,
  type ChannelParams,
  channelAddress,
  channelParamsFromJson,
  decodePayment,
  encodePaymentRequired,
  encodePaymentResponse,
  generateKey,
  type PaymentPayload,
  paymentNetwork,
  paymentRequestId,
  rawPublicKey,
  verifyPaymentRequest,
  verifyVoucher,
} from '../../../contracts/index.ts'
import { charge, encodeQuote, type Quote, quoteDigest } from '../../../worker/protocol/index.ts'

export const MODEL = { id: 'm', sha256: '05'.repeat(32) }
export const PRICES = { prompt: '1000000', cached: '1000000', completion: '2000000', reasoning: '2000000' }

/** What the fake answers with for one receipt. */
export interface FakeInvoice {
  id: string
  object: string
  receipt: unknown
  digest: string
  signing_key: string
  charged: string
  quote?: string
  details?: string
  blind?: string
}

/** What it does otherwise than an honest gateway. */
export interface Lies {
  /** Changes what is shown of a receipt. */
  invoice?: (invoice: FakeInvoice) => FakeInvoice | undefined
  /** Changes the list of receipts. */
  list?: (invoices: FakeInvoice[]) => FakeInvoice[]
  /** Changes totals. */
  state?: (state: Record<string, unknown>) => Record<string, unknown>
  voucher?: (voucher: { signedMaxClaimable: string; signature: string }) => {
    signedMaxClaimable: string
    signature: string
  }
  /** Price list that the worker is told of. */
  prices?: typeof PRICES
  /** Tokens that are charged beyond the answer. */
  extraTokens?: number
  /** Does the work, and refuses it: as not paid for, or as paid for with a payment that was used. */
  refuseAll?: 402 | 409
}

export class FakeGateway {
  readonly params: ChannelParams
  /** Raw address of the channel. */
  readonly address: string
  readonly globalId: number
  readonly workerKey = generateKey()
  lies: Lies = {}
  /** Its books. */
  charged = 0n
  ceiling = 0n
  signature = ''
  deposited: bigint
  invoices: FakeInvoice[] = []
  /** Whether it knows the channel. */
  known = false
  /** Everything that came in, in order. */
  readonly seen: { method: string; path: string; payment: PaymentPayload; body: string }[] = []
  /** Requests wait for this before they are answered. */
  gate: Promise<void> = Promise.resolve()
  onHead: (headers: Record<string, unknown>) => void = () => {}
  /** Called in mid-stream. */
  onAborted: () => void = () => {}
  /** Bound that is reserved for each request. */
  reserve = 100n
  reserved = 0n
  readonly #server: Server
  #charged = Promise.withResolvers<void>()
  url = ''

  private constructor(params: ChannelParams, globalId: number, deposited: bigint) {
    this.params = params
    this.address = channelAddress(params).toRawString()
    this.globalId = globalId
    this.deposited = deposited
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        response.writeHead(500).end(JSON.stringify({ error: { message: String(error), code: null } }))
      })
    })
  }

  static async open(params: ChannelParams, globalId: number, deposited: bigint): Promise<FakeGateway> {
    const gateway = new FakeGateway(params, globalId, deposited)
    gateway.#server.listen(0, '127.0.0.1')
    await once(gateway.#server, 'listening')
    gateway.url = `http://127.0.0.1:${(gateway.#server.address() as AddressInfo).port}`
    return gateway
  }

  get worker(): string {
    return rawPublicKey(this.workerKey).toString('hex')
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Resolves when `holds`, looked at whenever something is charged. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#charged.promise
  }

  /** Charges for a request of its own making, as only a liar does. */
  chargeFor(requestId: string, promptTokens = 5, completionTokens = 5): FakeInvoice {
    const invoice = this.#invoice(requestId, promptTokens, completionTokens)
    this.charged += BigInt(invoice.charged)
    this.invoices.push(invoice)
    return invoice
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.onHead(request.headers)
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts)
    const { method = '', url: path = '' } = request
    const payment = decodePayment(String(request.headers['payment-signature']))
    const requestId = this.#verify(payment, { method, path, body })
    this.seen.push({ method, path, payment, body: body.toString() })
    const short = 'id' in payment.payload.channel
    if (!this.known && (short || method === 'GET')) {
      this.#refuse(response, 'payment_required')
      return
    }
    this.known = true
    if (BigInt(payment.payload.voucher.ceiling) > this.ceiling) {
      this.ceiling = BigInt(payment.payload.voucher.ceiling)
      this.signature = payment.payload.voucher.signature
    }
    if (method === 'GET') this.#get(response, path, requestId)
    else await this.#work(response, { requestId, body, amount: BigInt(payment.accepted.amount) })
  }

  #verify(
    payment: PaymentPayload,
    { method, path, body }: { method: string; path: string; body: Buffer },
  ): string {
    const { payload, accepted } = payment
    const { request, voucher, channel } = payload
    const address = Address.parseRaw(this.address)
    const named = 'id' in channel ? channel.id : channelAddress(channelParamsFromJson(channel)).toRawString()
    if (named !== this.address) throw new Error('another channel')
    verifyPaymentRequest(
      this.params.voucherKey,
      {
        ...{ globalId: this.globalId, channel: address, method, path, body, id: request.id },
        ...{ amount: BigInt(accepted.amount), expires: request.expires },
      },
      request.signature,
    )
    const terms = { globalId: this.globalId, channel: address, ceiling: BigInt(voucher.ceiling) }
    if (!verifyVoucher(this.params.voucherKey, terms, Buffer.from(voucher.signature, 'base64')))
      throw new Error('voucher')
    if (terms.ceiling > this.deposited) throw new Error('above the deposit')
    return paymentRequestId(address, request.id)
  }

  #get(response: ServerResponse, path: string, requestId: string): void {
    const url = new URL(path, 'http://fake')
    const receipt = /^\/v1\/receipts\/(.+)$/.exec(path)?.[1]
    const found = this.invoices.find(({ id }) => id === receipt)
    const shown = found && (this.lies.invoice ? this.lies.invoice(found) : found)
    if (shown) this.#json(response, 200, shown, requestId)
    else if (receipt !== undefined)
      this.#json(response, 404, { error: { code: 'receipt_not_found' } }, requestId)
    else if (url.pathname.endsWith('/receipts')) this.#json(response, 200, this.#page(url), requestId)
    else this.#json(response, 200, { object: 'list', data: [{ id: MODEL.id }] }, requestId)
  }

  #page({ searchParams }: URL) {
    const all = this.lies.list ? this.lies.list(this.invoices) : this.invoices
    const from = all.findLastIndex(({ id }) => id === searchParams.get('after')) + 1
    const to = from + Number(searchParams.get('limit'))
    return { object: 'list', data: all.slice(from, to), has_more: to < all.length }
  }

  async #work(
    response: ServerResponse,
    { requestId, body, amount }: { requestId: string; body: Buffer; amount: bigint },
  ): Promise<void> {
    if (this.lies.refuseAll) {
      this.chargeFor(requestId)
      if (this.lies.refuseAll === 402) this.#refuse(response, 'stale_ceiling', 1n)
      else this.#json(response, 409, { error: { code: 'payment_replayed' } }, requestId)
      return
    }
    const needed = this.charged + this.reserved + this.reserve
    const [code, ceiling] = this.#problem(needed, amount)
    if (code) {
      this.#refuse(response, code, ceiling)
      return
    }
    this.reserved += this.reserve
    const { stream } = JSON.parse(body.toString()) as { stream?: boolean }
    if (stream) {
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'chrysalis-receipt': requestId,
        'payment-response': this.#response(requestId),
      })
      response.write('data: {"a":1}\n\n')
    }
    let gone = false
    response.on('close', () => {
      gone = !response.writableFinished
      if (gone) this.onAborted()
    })
    await this.gate
    this.reserved -= this.reserve
    const invoice = this.#invoice(requestId, 5, gone ? 1 : 10)
    this.charged += BigInt(invoice.charged)
    this.invoices.push(invoice)
    this.#charged.resolve()
    this.#charged = Promise.withResolvers<void>()
    if (gone) return
    if (stream) response.end('data: [DONE]\n\n')
    else this.#json(response, 200, { object: 'chat.completion' }, requestId, invoice)
  }

  #problem(needed: bigint, amount: bigint): [code?: string, ceiling?: bigint] {
    if (this.reserve > amount) return ['price_above_amount']
    if (needed > this.deposited) return ['insufficient_quota']
    return needed > this.ceiling ? ['stale_ceiling', needed] : []
  }

  #invoice(requestId: string, promptTokens: number, completionTokens: number): FakeInvoice {
    const prices = this.lies.prices ?? PRICES
    const quote: Quote = { v: 1, model: MODEL, client: prices, worker: prices, step: '1' }
    const bytes = encodeQuote(quote)
    const counts = {
      promptTokens,
      cachedTokens: 0,
      completionTokens: completionTokens + (this.lies.extraTokens ?? 0),
      reasoningTokens: 0,
    }
    const clientCharge = charge(prices, counts, '1').toString()
    const blind = randomBytes(32)
    const receipt = signReceipt(
      {
        ...sampleStatement,
        requestId,
        model: MODEL,
        quoteDigest: quoteDigest(bytes),
        clientCharge,
        workerCharge: '0',
      },
      { ...sampleDetails, ...counts },
      blind,
      this.workerKey,
    )
    return {
      id: requestId,
      object: 'receipt',
      receipt,
      digest: receiptDigest(receipt),
      signing_key: this.worker,
      charged: clientCharge,
      quote: toBase64Url(bytes),
    }
  }

  #json(
    response: ServerResponse,
    status: number,
    json: unknown,
    requestId: string,
    invoice?: FakeInvoice,
  ): void {
    const head = {
      'content-type': 'application/json',
      'payment-response': this.#response(requestId),
      ...(invoice && { 'chrysalis-receipt': requestId }),
    }
    response.writeHead(status, head).end(JSON.stringify(json))
  }

  #refuse(response: ServerResponse, code: string, ceiling?: bigint): void {
    const { params } = this
    const header = encodePaymentRequired({
      x402Version: 2,
      error: code,
      resource: { url: `${this.url}/v1/chat/completions` },
      accepts: [
        {
          scheme: 'batch-settlement',
          network: paymentNetwork(this.globalId),
          amount: this.reserve.toString(),
          asset: 'native',
          payTo: params.payee.toRawString(),
          maxTimeoutSeconds: 300,
          extra: {
            codeHash: CHANNEL_CODE_HASH,
            payeeKey: Buffer.from(params.payeeKey).toString('hex'),
            challengeSeconds: params.challengeSeconds,
            minDeposit: '1',
            ...(ceiling !== undefined && { ceiling: ceiling.toString() }),
            ...(this.known && this.#standing()),
          },
        },
      ],
    })
    const error = { message: `pay: ${code}`, type: 'insufficient_quota', param: null, code }
    response
      .writeHead(402, { 'content-type': 'application/json', 'payment-required': header })
      .end(JSON.stringify({ error }))
  }

  #response(requestId: string): string {
    return encodePaymentResponse({
      success: true,
      payer: this.params.payer.toRawString(),
      transaction: '',
      amount: '',
      network: paymentNetwork(this.globalId),
      extra: { requestId, ...this.#standing() },
    })
  }

  #standing() {
    const state = {
      channelId: this.address,
      balance: this.deposited.toString(),
      totalClaimed: '0',
      withdrawRequestedAt: 0,
      chargedCumulativeAmount: this.charged.toString(),
    }
    const voucher = { signedMaxClaimable: this.ceiling.toString(), signature: this.signature }
    const { lies } = this
    return {
      channelState: (lies.state ? lies.state(state) : state) as typeof state,
      ...(this.ceiling > 0n && { voucherState: lies.voucher ? lies.voucher(voucher) : voucher }),
    }
  }
}
