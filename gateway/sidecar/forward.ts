/** One request of a local program: paid, sent, its answer passed on as it comes, and then its charge proven. */

import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { codeOf } from '../../attest/cli/process.ts'
import {
  CHANNEL_CODE_HASH,
  decodePaymentRequired,
  type PaymentRequirements,
  paymentNetwork,
  X402_HEADERS,
} from '../../contracts/index.ts'
import { ApiError } from '../../worker/protocol/index.ts'
import type { Accounts, Ending } from './accounts.ts'
import type { Budget, Budgets } from './budget.ts'
import { isReplay, parse, randomId, readAll, totalsOf } from './client.ts'
import { SidecarError } from './errors.ts'
import { passedAnswer, passedRequest } from './headers.ts'
import type { Signer, Voucher } from './signer.ts'
import type { SidecarState } from './state.ts'
import type { PaidRequest } from './state-file.ts'
import type { Upstream, UpstreamAnswer } from './upstream.ts'

export interface ForwarderOptions {
  signer: Signer
  state: SidecarState
  accounts: Accounts
  upstream: Upstream
  budgets: Budgets
  /** Resolves when the gateway's state was compared with ours; rejects when it could not be. */
  ready: () => Promise<void>
  /** Longest wait for other requests to give room in the slice, ms. */
  roomMs: number
  now: () => number
  log: { warn(fields: object, message: string): void }
}

/** A request as it came. */
export interface LocalRequest {
  method: string
  /** With query. */
  path: string
  headers: Record<string, string>
  /** Without content coding; absent where there is none. */
  body?: Uint8Array
  /** The program went away. */
  signal: AbortSignal
}

/** How often a request is signed anew for a gateway that wants more. */
const MOST_ATTEMPTS = 4
/** How often a request that waits for room asks again, ms. */
const LOOK_MS = 1_000
/** Bytes of the end of a stream that are looked at. */
const TAIL = 64

/** Passes local requests on: asks for free what is free, pays for the rest. */
export class Forwarder {
  readonly #options: ForwarderOptions
  /** Whether the gateway knows the channel, so that its address will do. */
  #known = false
  /** Numbers were left out, so that none of now was used before. */
  #skipped = false

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  /**
   * Passes a request on and gives the answer, whose body comes as the gateway sends it.
   * @throws ApiError, SidecarError
   */
  async forward(request: LocalRequest): Promise<Response> {
    await this.#options.ready()
    return request.method === 'POST' ? await this.#pay(request) : await this.#ask(request)
  }

  /** What costs nothing is signed all the same: that is how the gateway knows who asks. */
  async #ask({ method, path, headers, signal }: LocalRequest): Promise<Response> {
    const { signer, upstream } = this.#options
    const signed = { id: randomId(), method, path, body: new Uint8Array(0), cap: 0n }
    const payment = signer.payment(signed, signer.shown(), this.#known)
    const answer = await upstream.send({ method, path, headers: withPayment(headers, payment), signal })
    return responseOf(answer, Readable.toWeb(answer.body) as ReadableStream)
  }

  async #pay(request: LocalRequest): Promise<Response> {
    const { path, body = new Uint8Array(0) } = request
    const budget = await this.#options.budgets.of(path, body)
    const until = performance.now() + this.#options.roomMs
    for (let attempt = 1; ; attempt++) {
      const voucher = this.#options.signer.voucher()
      const short = this.#known
      const sent = await this.#send(request, budget, voucher)
      const { status } = sent.answer
      if (status !== 402 && status !== 409) return this.#deliver(sent)
      // Nothing was done, says this. Only the first 409 may be about a request of before a loss of the state.
      if (status === 402 || this.#skipped) this.#options.state.deny(sent.row.requestId)
      else this.#options.state.void(sent.row.requestId)
      const refusal = await this.#readRefusal(sent)
      const again =
        attempt < MOST_ATTEMPTS && (await this.#correct(refusal, { short, until, signal: request.signal }))
      if (!again) return refusal.response()
      if (again === 'waited') attempt--
    }
  }

  async #send(request: LocalRequest, { cap, bounds }: Budget, voucher: Voucher): Promise<Sent> {
    const { signer, state, accounts, upstream, now } = this.#options
    const { method, path, headers, body = new Uint8Array(0), signal } = request
    const n = state.next()
    const payment = signer.payment({ id: signer.ids.id(n), method, path, body, cap }, voucher, this.#known)
    const row = state.begin({
      n,
      requestId: signer.ids.ledgerId(n),
      path,
      cap,
      ...(bounds && { bounds }),
      at: now(),
    })
    const verifiedBefore = state.verified
    try {
      const answer = await upstream.send({
        method,
        path,
        headers: withPayment(headers, payment),
        body,
        signal,
      })
      return { row, verifiedBefore, answer }
    } catch (error) {
      void accounts.finish(row, 'cut')
      throw error
    }
  }

  /** The answer leaves at once; what it says of the channel is looked at beside that. */
  #deliver({ row, verifiedBefore, answer }: Sent): Response {
    const { accounts } = this.#options
    this.#known = true
    const { body, headers, status } = answer
    let tail = Buffer.alloc(0)
    const streamed = headers['content-type']?.startsWith('text/event-stream') === true
    body.on('data', (part: Buffer) => {
      if (streamed) tail = Buffer.concat([tail, part.subarray(-TAIL)]).subarray(-TAIL)
    })
    // `data` listeners make it flow: it has to wait for whoever reads the answer.
    body.pause()
    const web = Readable.toWeb(body) as ReadableStream
    body.once('close', () => {
      const whole = body.complete && (!streamed || tail.includes('[DONE]'))
      const named = status < 400 && headers['chrysalis-receipt'] === row.requestId
      const ending: Ending = status >= 400 ? 'refused' : whole && named ? 'billed' : 'cut'
      void accounts.finish(row, ending)
    })
    void this.#compare(answer, verifiedBefore)
    return responseOf(answer, web)
  }

  async #compare(answer: UpstreamAnswer, verifiedBefore: bigint): Promise<void> {
    try {
      const totals = totalsOf(answer)
      if (totals) await this.#options.accounts.compare(totals, verifiedBefore)
    } catch (error) {
      this.#options.log.warn({ code: codeOf(error) }, 'what the gateway says of the channel does not hold')
    }
  }

  /** A 402 or 409: nothing was done. */
  async #readRefusal({ answer, verifiedBefore }: Sent): Promise<Refusal> {
    const bytes = await readAll(answer)
    const json = parse(bytes)
    const { error } = (json ?? {}) as { error?: { code?: unknown } }
    const replay = isReplay(answer.status, json)
    const response = () => responseOf(answer, bytes)
    const header = answer.headers[X402_HEADERS.required.toLowerCase()]
    const terms = typeof header === 'string' ? this.#termsIn(header) : undefined
    const { channelState: channel, voucherState: voucher } = terms?.extra ?? {}
    if (answer.status === 402) this.#known = channel !== undefined
    if (channel)
      await this.#options.accounts.compare({ channel, ...(voucher && { voucher }) }, verifiedBefore)
    return { code: error?.code, replay, terms, response }
  }

  /** What is asked for on this channel's network; who asks for other terms than the channel's gets nothing. */
  #termsIn(header: string): PaymentRequirements | undefined {
    const { signer } = this.#options
    const { accepts } = decodePaymentRequired(header)
    const terms = accepts.find(({ network }) => network === paymentNetwork(signer.globalId))
    if (!terms) throw differ('another network')
    if (terms.payTo !== signer.params.payee.toRawString()) throw differ('another wallet')
    if (terms.extra.payeeKey !== Buffer.from(signer.params.payeeKey).toString('hex'))
      throw differ('another key')
    // The code is our own program's, whatever is asked for.
    if (terms.extra.codeHash !== CHANNEL_CODE_HASH) throw differ('another contract')
    return terms
  }

  /**
   * Whether the request may be sent again, and signs what it takes.
   * @throws ApiError when it takes more than the rule allows
   */
  async #correct(
    { code, replay, terms }: Refusal,
    { short, until, signal }: Attempt,
  ): Promise<'signed' | 'waited' | false> {
    const { signer, state, accounts } = this.#options
    if (replay) {
      state.skip()
      this.#skipped = true
    }
    if (replay || (code === 'payment_required' && short)) return 'signed'
    const ceiling = terms?.extra.ceiling
    if (code !== 'stale_ceiling' || ceiling === undefined) return false
    const needed = BigInt(ceiling)
    if (needed <= signer.limit) {
      signer.raise()
      return 'signed'
    }
    if (needed > state.deposited) return false
    if (state.verified + BigInt(terms?.amount ?? 0) > signer.limit) throw tooLarge(needed, signer.limit)
    const left = until - performance.now()
    if (left <= 0) throw noRoom()
    // Others end here, which is heard of, or at the gateway alone, which is not.
    await Promise.race([accounts.moved, timeout(Math.min(left, LOOK_MS), signal)])
    return 'waited'
  }
}

/** A request that was answered. */
interface Sent {
  row: PaidRequest
  verifiedBefore: bigint
  answer: UpstreamAnswer
}

interface Refusal {
  code: unknown
  /** The number of the request was used before. */
  replay: boolean
  terms: PaymentRequirements | undefined
  response: () => Response
}

interface Attempt {
  /** The channel was named by its address only. */
  short: boolean
  /** Monotonic ms until which other requests are waited for. */
  until: number
  signal: AbortSignal
}

function withPayment(headers: Record<string, string>, payment: string): Record<string, string> {
  return { ...passedRequest(headers), [X402_HEADERS.signature.toLowerCase()]: payment }
}

function responseOf(
  { status, headers }: { status: number; headers: IncomingHttpHeaders },
  body: ReadableStream | Buffer,
): Response {
  const bare = status === 204 || status === 304
  return new Response(bare ? null : (body as ConstructorParameters<typeof Response>[0]), {
    status,
    headers: passedAnswer(headers),
  })
}

async function timeout(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  clearTimeout(timer)
  signal.throwIfAborted()
}

function differ(what: string): SidecarError {
  const text = `the gateway asks for payment by ${what} than this channel's; nothing was signed`
  return new SidecarError('ERR_TERMS_DIFFER', text)
}

function tooLarge(needed: bigint, limit: bigint): ApiError {
  return new ApiError({
    status: 402,
    type: 'insufficient_quota',
    apiCode: 'slice_too_small',
    message:
      `This request may cost more than the sidecar signs ahead: the gateway wants a ceiling of ${needed} nanotons, and ` +
      `${limit} is allowed. Ask for fewer output tokens (max_completion_tokens), or start the sidecar with a larger --slice.`,
    headers: { 'x-should-retry': 'false' },
  })
}

function noRoom(): ApiError {
  return new ApiError({
    status: 429,
    type: 'rate_limit_error',
    apiCode: 'slice_in_use',
    message:
      'The requests that run use up all that the sidecar signs ahead. Try again, or start it with a larger --slice.',
    headers: { 'retry-after': '1' },
  })
}
