/** What the sidecar asks the gateway for itself: each request signed, its answer small JSON, its totals read. */

import { randomBytes } from 'node:crypto'
import {
  type ChannelStateJson,
  ContractsError,
  decodePaymentResponse,
  type VoucherStateJson,
  X402_HEADERS,
} from '../../contracts/index.ts'
import { SidecarError } from './errors.ts'
import type { Signer } from './signer.ts'
import type { SidecarState } from './state.ts'
import type { Upstream, UpstreamAnswer } from './upstream.ts'

/** Most bytes of an answer that is read whole. */
export const MAX_ANSWER = 4 * 1024 * 1024
/** Longest wait for such an answer, ms. */
const PATIENCE_MS = 30_000

/** What the gateway says of the channel beside an answer. */
export interface Totals {
  channel: ChannelStateJson
  voucher?: VoucherStateJson
}

export interface OwnAnswer {
  status: number
  /** Undefined where the answer is no JSON. */
  json: unknown
  totals?: Totals
  /** Sum of charges that were verified when the request went out. */
  verifiedBefore: bigint
}

/** Asks the gateway about the channel: what costs nothing and is signed all the same. */
export class GatewayClient {
  readonly #upstream: Upstream
  readonly #signer: Signer
  readonly #state: SidecarState

  constructor(upstream: Upstream, signer: Signer, state: SidecarState) {
    this.#upstream = upstream
    this.#signer = signer
    this.#state = state
  }

  /** @throws SidecarError ERR_GATEWAY when there is no answer */
  get(path: string): Promise<OwnAnswer> {
    return this.#ask('GET', path)
  }

  /** @throws SidecarError ERR_GATEWAY when there is no answer */
  post(path: string, body: object): Promise<OwnAnswer> {
    return this.#ask('POST', path, Buffer.from(JSON.stringify(body)))
  }

  async #ask(method: string, path: string, body?: Uint8Array): Promise<OwnAnswer> {
    const verifiedBefore = this.#state.verified
    const signed = { id: randomId(), method, path, body: body ?? new Uint8Array(0), cap: 0n }
    const payment = this.#signer.payment(signed, this.#signer.shown(), false)
    const answer = await this.#upstream.send({
      method,
      path,
      headers: {
        accept: 'application/json',
        'accept-encoding': 'identity',
        [X402_HEADERS.signature.toLowerCase()]: payment,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    })
    const json = parse(await readAll(answer))
    const totals = totalsOf(answer)
    return { status: answer.status, json, ...(totals && { totals }), verifiedBefore }
  }
}

/**
 * Asks for what a gateway tells everybody, or, with a body, whoever knows what is in that.
 * @throws SidecarError ERR_GATEWAY when there is no answer
 */
export async function askFreely(
  upstream: Upstream,
  path: string,
  body?: object,
): Promise<{ status: number; json: unknown }> {
  const answer = await upstream.send({
    method: body ? 'POST' : 'GET',
    path,
    headers: {
      ...{ accept: 'application/json', 'accept-encoding': 'identity' },
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: Buffer.from(JSON.stringify(body)) }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  return { status: answer.status, json: parse(await readAll(answer)) }
}

/** Id of a request that costs nothing, and so need not be known again. */
export function randomId(): string {
  return randomBytes(24).toString('base64url')
}

/** Whether the number of a request was used before, which happens after a loss of the state. */
export function isReplay(status: number, json: unknown): boolean {
  const { error } = (json ?? {}) as { error?: { code?: unknown } }
  return status === 409 && ['payment_replayed', 'request_id_conflict'].includes(String(error?.code))
}

/** The whole body. @throws SidecarError ERR_GATEWAY when it is longer than {@link MAX_ANSWER} or breaks */
export async function readAll({ body }: UpstreamAnswer): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of body as AsyncIterable<Buffer>) {
      length += part.length
      if (length > MAX_ANSWER) throw new RangeError('too long')
      parts.push(part)
    }
  } catch (cause) {
    throw new SidecarError('ERR_GATEWAY', 'the answer of the gateway broke off or is too long', { cause })
  }
  return Buffer.concat(parts)
}

/** JSON, or undefined. */
export function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

/**
 * What PAYMENT-RESPONSE says of the channel; undefined where it is absent or says nothing.
 * @throws SidecarError ERR_GATEWAY for one that cannot be read
 */
export function totalsOf({ headers }: Pick<UpstreamAnswer, 'headers'>): Totals | undefined {
  const header = headers[X402_HEADERS.response.toLowerCase()]
  if (typeof header !== 'string') return undefined
  try {
    const { extra } = decodePaymentResponse(header)
    return (
      extra && { channel: extra.channelState, ...(extra.voucherState && { voucher: extra.voucherState }) }
    )
  } catch (error) {
    if (!(error instanceof ContractsError)) throw error
    throw new SidecarError('ERR_GATEWAY', error.message, { cause: error })
  }
}
