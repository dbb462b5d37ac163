import { Address } from '@ton/core'
import {
  type ChannelParams,
  channelAddress,
  channelParamsFromJson,
  checkPaymentExpiry,
  decodePayment,
  type PaymentPayload,
  type PaymentRequired,
  type PaymentResponse,
  paymentNetwork,
  paymentRequestId,
  publicKeyObject,
  type ReleaseTerms,
  verifyPaymentRequest,
  verifyVoucher,
} from '../../contracts/index.ts'
import type { ApiKey, ApiKeys, Ledger, StoredReceipt } from '../ledger/index.ts'
import type { Uncharged } from '../uncharged.ts'
import { type ClientChannel, ClientChannels, type ClientChannelsOptions } from './channels.ts'
import { type AgreedEnd, agreeToClose } from './closing.ts'
import { DelegatedDesk, type DelegatedTerms } from './delegated.ts'
import type { UsedOnce } from './once.ts'
import { aboveDeposit, channelClosing, fromCodec, paymentInvalid, paymentRequired } from './refusals.ts'
import {
  channelStatement,
  type RequiredTerms,
  type ResponseTerms,
  requiredStatement,
  responseStatement,
  type Standing,
} from './statements.ts'

export interface PaymentDeskOptions extends Omit<ClientChannelsOptions, 'ledger'> {
  ledger: ClientChannelsOptions['ledger'] &
    Pick<Ledger, 'acceptVoucher' | 'setChannelState' | 'idle' | 'receipts'> & {
      keys: Pick<ApiKeys, 'create' | 'find'>
    }
  /** Ids of payments that were taken. */
  used: UsedOnce
  /** What channels may leave in the ledger without being charged. */
  uncharged: Pick<Uncharged, 'demand' | 'note'>
  /** Agrees to a close, with the release key of `terms`. */
  signRelease(terms: Omit<ReleaseTerms, 'globalId'>): Uint8Array
  /** Wall ms. */
  now: () => number
  /** API keys on deposits of their owners' own. */
  delegated?: DelegatedTerms | undefined
}

/** The HTTP request that brought a payment. */
export interface PaidRequest {
  /** Upper case. */
  method: string
  /** The request target as sent: path with query. */
  path: string
  /** As sent, content coding included. */
  body: Uint8Array
  /** Address of whoever sent it. */
  caller: string
}

/** A payment whose signatures hold. */
export interface Payment {
  readonly channel: ClientChannel
  readonly key: ApiKey
  /** What ledger, receipt and headers know the request by. */
  readonly requestId: string
  /** Unix seconds. */
  readonly expires: number
  /** Most nanotons that the payer lets the request cost. */
  readonly amount: bigint
  readonly voucher: { readonly ceiling: bigint; readonly signature: Uint8Array }
  readonly caller: string
  /** As of when the payment came in; Unix seconds, 0 while the channel is open. */
  readonly closeAt: number
}

/**
 * Takes payments that clients sign themselves (contracts/x402.md). Everything that a payment says is verified before
 * anything of it is believed or kept, and the cheap before the dear.
 */
export class PaymentDesk {
  /** Where those come who want an API key of their own deposit. */
  readonly delegated: DelegatedDesk | undefined
  readonly #options: PaymentDeskOptions
  readonly #channels: ClientChannels
  readonly #network: string

  constructor(options: PaymentDeskOptions) {
    this.#options = options
    const channels = new ClientChannels(options)
    this.#channels = channels
    const { delegated: terms } = options
    if (terms) this.delegated = new DelegatedDesk({ ...options, terms, channels })
    this.#network = paymentNetwork(options.chain.globalId)
  }

  /**
   * Reads a PAYMENT-SIGNATURE as far as that goes without the request's body.
   *
   * @throws ApiError 400, 402
   */
  read(header: string): PaymentPayload {
    try {
      const payment = decodePayment(header)
      this.#demandOurs(payment.accepted)
      checkPaymentExpiry(payment.payload.request.expires, this.#seconds())
      return payment
    } catch (error) {
      throw fromCodec(error)
    }
  }

  /**
   * Whether there is a channel behind a payment, by its voucher alone: to be asked before the request's body is read, so
   * that nobody without a deposit has us hold bodies in memory.
   *
   * @param caller address of whoever sent it
   * @returns the channel's raw address
   * @throws ApiError 402, 429, 503
   */
  async screen({ payload }: PaymentPayload, caller: string): Promise<string> {
    const { address, params, known } = await this.#find(payload.channel)
    const voucherKey = known?.voucherKey ?? (params && publicKeyObject(params.voucherKey))
    if (!voucherKey) throw paymentRequired()
    this.#demandVoucher(payload.voucher, address, voucherKey)
    if (!known && params) await this.#channels.inspect(params, caller)
    return address.toRawString()
  }

  /**
   * Verifies a payment for one request, and finds its channel or takes it into the ledger. Nothing of the payment is
   * kept yet: see {@link accept}.
   *
   * @throws ApiError 402, 429, 503
   */
  async verify({ accepted, payload }: PaymentPayload, request: PaidRequest): Promise<Payment> {
    const channel = await this.#channelOf(
      payload.channel,
      (address, key) => {
        this.#demandSignatures({ accepted, payload }, request, address, key)
      },
      request.caller,
    )
    return {
      channel,
      key: channel.key,
      requestId: paymentRequestId(channel.address, payload.request.id),
      expires: payload.request.expires,
      amount: BigInt(accepted.amount),
      voucher: {
        ceiling: BigInt(payload.voucher.ceiling),
        signature: Buffer.from(payload.voucher.signature, 'base64'),
      },
      caller: request.caller,
      closeAt: await this.#channels.closeAt(channel, request.caller),
    }
  }

  /**
   * To be asked before a payment counts against the rate of its channel: whoever captured one and sends it again takes
   * nothing from its payer.
   *
   * @throws ApiError 409 for a payment that was used, 429 when too little was charged for what the channel wrote
   */
  demandAcceptable(payment: Payment): void {
    const { used, uncharged } = this.#options
    used.demandUnused(payment.requestId)
    if (this.#raises(payment)) uncharged.demand(payment.key.id)
  }

  /**
   * Takes a verified payment, once and for good: its id and, when that is the highest so far, its voucher are on disk when
   * this resolves.
   *
   * @throws ApiError 409 for a payment that was used, 402 for one that expired meanwhile or a voucher that passes the
   *   deposit, 429, 503
   */
  async accept(payment: Payment): Promise<void> {
    const { channel, key, requestId, expires, voucher, caller } = payment
    const { used, uncharged, ledger } = this.#options
    await used.take(requestId, expires, this.#seconds())
    if (!this.#raises(payment)) return
    if (voucher.ceiling > this.#channels.record(channel.id).deposited)
      await this.#channels.refresh(channel, caller)
    // Before the ledger is asked: a header can name amounts that it cannot hold.
    if (voucher.ceiling > this.#channels.record(channel.id).deposited) throw aboveDeposit()
    uncharged.note(key.id)
    await ledger.acceptVoucher(channel.id, voucher.ceiling, voucher.signature)
  }

  /** @throws ApiError 402 when a channel takes no new requests */
  demandOpen({ channel }: Payment): void {
    if (this.#channels.record(channel.id).state !== 'open') throw channelClosing()
  }

  /** Receipts of a payment's channel, in the order of charging. */
  receipts({ channel }: Payment, page: { after?: string; limit: number }): Promise<StoredReceipt[]> {
    return this.#options.ledger.receipts(channel.id, page)
  }

  /** Ends a channel by agreement, see {@link agreeToClose}. @throws ApiError 503 when requests run on */
  close({ channel }: Payment, signal: AbortSignal): Promise<AgreedEnd> {
    const { ledger, signRelease } = this.#options
    return agreeToClose(channel, ledger, signRelease, signal)
  }

  /** What PAYMENT-REQUIRED says. @param payment the one that was not enough */
  required(terms: RequiredTerms, payment?: Payment): PaymentRequired {
    const { chain, terms: asked } = this.#options
    return requiredStatement(chain.globalId, asked, terms, payment && this.#standing(payment))
  }

  /** What PAYMENT-RESPONSE says, with where the channel stands at this moment. */
  response(payment: Payment, terms: ResponseTerms): PaymentResponse {
    return responseStatement(this.#options.chain.globalId, this.#standing(payment), terms)
  }

  /** What the bearer of a channel's voucher key may know of it. */
  describe(payment: Payment) {
    return channelStatement(this.#options.chain.globalId, this.#standing(payment))
  }

  #standing({ channel, closeAt }: Payment): Standing {
    return { channel, record: this.#channels.record(channel.id), closeAt }
  }

  /** Nothing new is charged on a channel that ends, so it needs no higher voucher. */
  #raises({ channel, voucher }: Payment): boolean {
    const { state, ceiling } = this.#channels.record(channel.id)
    return voucher.ceiling > ceiling && state === 'open'
  }

  #demandOurs({ network, payTo }: PaymentPayload['accepted']): void {
    const own = this.#options.terms.payee.toRawString()
    if (network !== this.#network)
      throw paymentInvalid(`accepted.network: this gateway is paid on ${this.#network}.`)
    if (payTo !== own) throw paymentInvalid(`accepted.payTo: this gateway is paid at ${own}.`)
  }

  async #channelOf(
    named: PaymentPayload['payload']['channel'],
    demandSignatures: (address: Address, voucherKey: ClientChannel['voucherKey']) => void,
    caller: string,
  ): Promise<ClientChannel> {
    const { address, params, known } = await this.#find(named)
    if (known) {
      demandSignatures(address, known.voucherKey)
      return known
    }
    if (!params) throw paymentRequired()
    demandSignatures(address, publicKeyObject(params.voucherKey))
    return await this.#channels.register(params, caller)
  }

  async #find(named: PaymentPayload['payload']['channel']) {
    const params = 'id' in named ? undefined : readParams(named)
    const address = params ? channelAddress(params) : Address.parseRaw((named as { id: string }).id)
    return { address, params, known: await this.#channels.known(address.toRawString()) }
  }

  #demandSignatures(
    { accepted, payload: { voucher, request } }: Pick<PaymentPayload, 'accepted' | 'payload'>,
    { method, path, body }: PaidRequest,
    channel: Address,
    voucherKey: ClientChannel['voucherKey'],
  ): void {
    const { globalId } = this.#options.chain
    const { id, expires, signature } = request
    const amount = BigInt(accepted.amount)
    try {
      verifyPaymentRequest(
        voucherKey,
        { globalId, channel, method, path, body, id, amount, expires },
        signature,
      )
    } catch (error) {
      throw fromCodec(error)
    }
    this.#demandVoucher(voucher, channel, voucherKey)
  }

  #demandVoucher(
    voucher: PaymentPayload['payload']['voucher'],
    channel: Address,
    voucherKey: ClientChannel['voucherKey'],
  ): void {
    const { globalId } = this.#options.chain
    const ceiling = BigInt(voucher.ceiling)
    const given = Buffer.from(voucher.signature, 'base64')
    // Most requests bring the voucher that is held, which was verified when it came.
    if (this.#channels.holds(channel.toRawString(), ceiling, given)) return
    if (!verifyVoucher(voucherKey, { globalId, channel, ceiling }, given))
      throw paymentInvalid(
        'voucher.signature: not the signature of the voucher key over this channel and ceiling.',
      )
  }

  #seconds(): number {
    return this.#options.now() / 1000
  }
}

function readParams(json: unknown): ChannelParams {
  try {
    return channelParamsFromJson(json)
  } catch (error) {
    throw fromCodec(error)
  }
}
