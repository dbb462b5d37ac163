/** The one who signs: vouchers by the rule, and requests. Nothing leaves it before it is on disk. */

import type { KeyObject } from 'node:crypto'
import type { Address } from '@ton/core'
import {
  type ChannelParams,
  type ChannelParamsJson,
  channelAddress,
  channelParamsToJson,
  encodePayment,
  least,
  paymentNetwork,
  publicKeyObject,
  rawPublicKey,
  signPaymentRequest,
  signVoucher,
  verifyVoucher,
  X402_ASSET,
  X402_SCHEME,
  X402_VERSION,
} from '../../contracts/index.ts'
import { SidecarError } from './errors.ts'
import { RequestIds } from './ids.ts'
import type { SidecarState } from './state.ts'

/** How long a signed request may wait, in seconds: enough for a slow upload, little for a thief. */
const EXPIRES_SECONDS = 120

export interface SignerOptions {
  state: SidecarState
  params: ChannelParams
  globalId: number
  /** The private half of the channel's voucherKey. */
  key: KeyObject
  /** Nanotons by which a ceiling may be ahead of what was verified: the most that the gateway can take unfairly. */
  slice: bigint
  /** Wall clock, ms. */
  now: () => number
}

/** One request as it is signed. */
export interface SignedRequest {
  /** Used for nothing else on this channel. */
  id: string
  method: string
  /** With query. */
  path: string
  body: Uint8Array
  /** Most nanotons that it may cost. */
  cap: bigint
}

/** A voucher: its ceiling in nanotons and the 64 bytes of its signature. */
export interface Voucher {
  ceiling: bigint
  signature: Uint8Array
}

/** Signs vouchers by the rule, and requests with them. */
export class Signer {
  readonly ids: RequestIds
  readonly slice: bigint
  readonly address: Address
  readonly params: ChannelParams
  readonly globalId: number
  readonly #options: SignerOptions
  readonly #publicKey: KeyObject
  readonly #json: ChannelParamsJson

  /** @throws SidecarError ERR_SIDECAR_CHANNEL when the key or the state is not that of the channel */
  constructor(options: SignerOptions) {
    const { key, params, globalId, slice, state } = options
    this.address = channelAddress(params)
    if (!rawPublicKey(key).equals(Buffer.from(params.voucherKey)))
      throw new SidecarError('ERR_SIDECAR_CHANNEL', 'the key is not the voucher key of this channel')
    if (this.address.toRawString() !== state.address)
      throw new SidecarError('ERR_SIDECAR_CHANNEL', 'the state is that of another channel')
    this.#options = options
    this.ids = new RequestIds(key, this.address)
    this.slice = slice
    this.params = params
    this.globalId = globalId
    this.#publicKey = publicKeyObject(params.voucherKey)
    this.#json = channelParamsToJson(params)
  }

  /** The highest ceiling that the rule allows now: what was verified and one slice, within the deposit. */
  get limit(): bigint {
    const { verified, deposited } = this.#options.state
    const ahead = verified + this.slice
    return least(ahead, deposited)
  }

  /**
   * The voucher to show now; raised beforehand when less than half a slice is left of it.
   * @throws SidecarError the reason why nothing is signed any more
   */
  voucher(): Voucher {
    const { state } = this.#options
    this.demandRunning()
    if (state.ceiling - state.verified < this.slice / 2n) this.raise()
    return this.shown()
  }

  /**
   * Signs the highest voucher that the rule allows, which is on disk when this returns.
   * @throws SidecarError the reason why nothing is signed any more
   */
  raise(): Voucher {
    const { state, key } = this.#options
    if (state.halted) throw new SidecarError(state.halted.code as 'ERR_CHARGES_DIFFER', state.halted.message)
    const ceiling = this.limit
    if (ceiling > state.ceiling) state.raise(ceiling, signVoucher(key, this.#terms(ceiling)))
    return this.shown()
  }

  /** @throws SidecarError the reason why nothing is signed any more */
  demandRunning(): void {
    const { halted } = this.#options.state
    if (halted) throw new SidecarError(halted.code, halted.message)
  }

  /** The highest voucher that was signed so far; one for nothing in the beginning. */
  shown(): Voucher {
    const { state, key } = this.#options
    const { ceiling, signature } = state
    // A voucher for nothing gives nothing away, so it need not be kept.
    return ceiling > 0n ? { ceiling, signature } : { ceiling, signature: signVoucher(key, this.#terms(0n)) }
  }

  /** Whether this is a voucher that was signed with the channel's key, here or elsewhere. */
  isOwn({ ceiling, signature }: Voucher): boolean {
    return verifyVoucher(this.#publicKey, this.#terms(ceiling), signature)
  }

  /**
   * The value of PAYMENT-SIGNATURE for a request.
   * @param known whether the gateway knows the channel, so that its address will do
   */
  payment(request: SignedRequest, voucher: Voucher, known: boolean): string {
    const { params, globalId, key, now } = this.#options
    const channel = known ? { id: this.address.toRawString() } : this.#json
    const payer = { globalId, address: this.address, payee: params.payee, key }
    return signedPayment(payer, { ...request, at: now() }, { channel, voucher })
  }

  #terms(ceiling: bigint) {
    return { globalId: this.globalId, channel: this.address, ceiling }
  }
}

/** Who pays on which channel, and whom. */
interface PayerTerms {
  globalId: number
  /** Of the channel. */
  address: Address
  payee: Address
  key: KeyObject
}

/** The value of PAYMENT-SIGNATURE. @param request.at wall clock, ms */
export function signedPayment(
  { globalId, address, payee, key }: PayerTerms,
  request: SignedRequest & { at: number },
  { channel, voucher }: { channel: ChannelParamsJson | { id: string }; voucher: Voucher },
): string {
  const { method, path, body, cap: amount, id, at } = request
  const expires = Math.floor(at / 1000) + EXPIRES_SECONDS
  const signed = { globalId, channel: address, method, path, body, id, expires, amount }
  return encodePayment({
    x402Version: X402_VERSION,
    accepted: {
      scheme: X402_SCHEME,
      network: paymentNetwork(globalId),
      amount: amount.toString(),
      asset: X402_ASSET,
      payTo: payee.toRawString(),
      maxTimeoutSeconds: EXPIRES_SECONDS,
    },
    payload: {
      type: 'voucher',
      channel,
      voucher: {
        ceiling: voucher.ceiling.toString(),
        signature: Buffer.from(voucher.signature).toString('base64'),
      },
      request: signPaymentRequest(key, signed),
    },
  })
}
