import { Address } from '@ton/core'
import type { Context, Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import {
  encodePaymentRequired,
  encodePaymentResponse,
  MAX_HEADER_LENGTH,
  X402_HEADERS,
} from '../../contracts/index.ts'
import { ApiError, invalidRequest, notFound, PATHS, unauthorized } from '../../worker/protocol/index.ts'
import { type AgreedEnd, type Payment, type PaymentDesk, PaymentDue } from '../pay/index.ts'
import { type AdmitKey, secretOf } from './auth.ts'
import { readSent } from './body.ts'
import { callerOf } from './caller.ts'
import type { ApiDeps } from './deps.ts'
import { describeReceipt } from './receipts.ts'
import { type Env, only } from './route.ts'
import { UnverifiedBodies } from './unverified.ts'

const TERMS_PATH = '/v1/payment'
const PRICES_PATH = `${TERMS_PATH}/prices`
const CHANNEL_PATH = '/v1/channels/:address'
const RECEIPTS_PATH = `${CHANNEL_PATH}/receipts`
const CLOSE_PATH = `${CHANNEL_PATH}/close`

/** How long a close waits for running requests, in ms. */
export const CLOSE_MS = 30_000
const MOST_RECEIPTS = 100

/**
 * Says in headers what x402 wants to know: PAYMENT-REQUIRED on every 402, PAYMENT-RESPONSE on what was paid for, with
 * errors too. To be used before whatever throws.
 */
export function paymentHeaders({ payments }: Pick<ApiDeps, 'payments'>) {
  return createMiddleware<Env>(async (c, next) => {
    await next()
    if (!payments) return
    const payment = c.get('payment')
    const error = c.error instanceof ApiError ? c.error : undefined
    if (error?.status === 402) c.header(X402_HEADERS.required, required(c, payments, error))
    if (payment) c.header(X402_HEADERS.response, response(c, payments, payment, error))
  })
}

/** Requires an API key or a payment, which stands for the key of its channel. */
export function authenticateOrPay(deps: ApiDeps, admitKey: AdmitKey) {
  const bodies = new UnverifiedBodies()
  return createMiddleware<Env>(async (c, next) => {
    const header = c.req.header(X402_HEADERS.signature)
    if (header === undefined) await admitKey(c, secretOrDue(c, deps.payments))
    else await admitPayment(c, deps, bodies, header)
    await next()
  })
}

/** Whoever brings nothing at all may be an x402 client that wants to be told the price; SDKs always bring a key. */
function secretOrDue(c: Context<Env>, payments: PaymentDesk | undefined): string | undefined {
  const secret = secretOf(c)
  const bare = secret === undefined && c.req.header('authorization') === undefined
  if (!payments || !bare || !Object.hasOwn(PATHS, c.req.path)) return secret
  throw new PaymentDue({
    apiCode: 'payment_required',
    message:
      "You didn't provide an API key. Provide it in an Authorization header using Bearer auth (Authorization: Bearer YOUR_KEY), " +
      `or pay for the request: ${howToPay(c)}`,
  })
}

async function admitPayment(
  c: Context<Env>,
  deps: ApiDeps,
  bodies: UnverifiedBodies,
  header: string,
): Promise<void> {
  const { payments, limiter, limits } = deps
  if (!payments) throw invalidRequest(null, 'This gateway takes API keys only.', 'payment_invalid')
  if (secretOf(c) !== undefined || c.req.header('authorization') !== undefined)
    throw invalidRequest(null, 'Send an API key or PAYMENT-SIGNATURE, not both.', 'payment_invalid')
  if (header.length > MAX_HEADER_LENGTH)
    throw invalidRequest(null, 'PAYMENT-SIGNATURE is too long.', 'payment_invalid')
  const read = payments.read(header)
  const { method } = c.req
  const caller = callerOf(c, deps)
  const channel = await payments.screen(read, caller)
  const payment = await bodies.run(channel, async (keeper) => {
    const body = method === 'POST' ? await readSent(c, limits.bodyBytes, keeper) : new Uint8Array()
    return await payments.verify(read, { method, path: targetOf(c), body, caller })
  })
  c.set('key', payment.key)
  c.set('payment', payment)
  c.set('requestId', payment.requestId)
  c.header('x-request-id', payment.requestId)
  payments.demandAcceptable(payment)
  for (const [name, value] of Object.entries(limiter.take(payment.key.id))) c.header(name, value)
  if (Object.hasOwn(PATHS, c.req.path)) payments.demandOpen(payment)
  await payments.accept(payment)
}

/** The request target as it was sent, which is what the payer signed. */
function targetOf(c: Context<Env>): string {
  const sent = c.env?.incoming?.url
  if (sent !== undefined) return sent
  const { pathname, search } = new URL(c.req.url)
  return pathname + search
}

function required(c: Context<Env>, payments: PaymentDesk, error: ApiError): string {
  const { amount, ceiling } = error instanceof PaymentDue ? error : {}
  // Headers are short, whatever was asked for.
  const url = c.req.url.slice(0, 512)
  const terms = { url, error: error.apiCode ?? error.type, amount, ceiling }
  return encodePaymentRequired(payments.required(terms, c.get('payment')))
}

function response(c: Context<Env>, payments: PaymentDesk, payment: Payment, error?: ApiError): string {
  const failed = c.error !== undefined
  const requestId = c.res.headers.get('chrysalis-receipt') ?? payment.requestId
  const charged = failed ? undefined : c.get('charged')
  const errorReason = failed ? (error?.apiCode ?? error?.type ?? 'server_error') : undefined
  return encodePaymentResponse(
    payments.response(payment, { success: !failed, errorReason, requestId, charged }),
  )
}

/** One sentence on where the terms are and what program pays by them. */
function howToPay(c: Context<Env>): string {
  const { origin } = new URL(c.req.url)
  return `GET ${origin}${TERMS_PATH} has the terms (x402), and \`chrysalis sidecar --gateway ${origin}\` pays by them.`
}

/** What this gateway asks of those who pay without an API key, and what models cost. For everybody: nobody pays blindly. */
export function paymentTermsRoutes(app: Hono<Env>, { payments, catalog }: ApiDeps): void {
  if (!payments) return
  only(app, 'GET', TERMS_PATH, PRICES_PATH, CHANNEL_PATH, RECEIPTS_PATH)
  only(app, 'POST', CLOSE_PATH)
  app.get(TERMS_PATH, (c) => c.json(payments.required({ url: c.req.url, error: 'payment_required' })))
  app.get(PRICES_PATH, (c) => {
    const data = catalog().map(({ id, price }) => ({ model: id, ...price }))
    return c.json({ object: 'list', currency: 'TON', unit: 'nanoton per million tokens', data })
  })
}

/** What whoever holds a channel's voucher key may ask of it, and that it ends. */
export function channelRoutes(app: Hono<Env>, { payments, proofs }: ApiDeps): void {
  if (!payments) return
  app.get(CHANNEL_PATH, (c) => c.json(payments.describe(paymentOf(c))))

  app.get(RECEIPTS_PATH, async (c) => {
    const payment = paymentOf(c)
    const { after, limit } = readPage(c)
    const page = { ...(after !== undefined && { after }), limit: limit + 1 }
    const stored = await payments.receipts(payment, page)
    const data = stored.slice(0, limit).map((each) => describeReceipt(each, proofs))
    return c.json({ object: 'list', data, has_more: stored.length > limit })
  })

  app.post(CLOSE_PATH, async (c) => {
    return c.json(releaseJson(await payments.close(paymentOf(c), AbortSignal.timeout(CLOSE_MS))))
  })
}

/** What a payer closes with. */
export function releaseJson({ amount, release }: AgreedEnd) {
  return {
    object: 'channel.release' as const,
    amount: amount.toString(),
    release: Buffer.from(release).toString('base64'),
  }
}

/** The payment of the channel that the path names; to everybody else that channel does not exist. */
function paymentOf(c: Context<Env>): Payment {
  const payment = c.get('payment')
  if (!payment) throw unauthorizedChannel()
  const named = parseAddress(c.req.param('address') ?? '')
  if (named === payment.channel.id) return payment
  throw notFound('The payment is of another channel than the path names.', 'channel_not_found')
}

/** 401: an API key says nothing of the channel behind it. */
function unauthorizedChannel(): ApiError {
  const { status, type, headers } = unauthorized(false)
  return new ApiError({
    status,
    type,
    headers: { ...headers },
    message: 'This needs PAYMENT-SIGNATURE by the voucher key of the channel.',
    apiCode: 'payment_required',
  })
}

function parseAddress(text: string): string | undefined {
  try {
    return Address.parse(text).toRawString()
  } catch {
    return undefined
  }
}

function readPage(c: Context<Env>): { after: string | undefined; limit: number } {
  const after = c.req.query('after')
  if (after !== undefined && !/^[A-Za-z0-9_-]{8,64}$/.test(after))
    throw invalidRequest('after', 'after: not the id of a request.')
  const limit = c.req.query('limit') ?? String(MOST_RECEIPTS)
  if (!/^[1-9][0-9]{0,2}$/.test(limit) || Number(limit) > MOST_RECEIPTS)
    throw invalidRequest('limit', `limit: a whole number from 1 to ${MOST_RECEIPTS}.`)
  return { after, limit: Number(limit) }
}
