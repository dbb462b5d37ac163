/** A gateway's purse, and payers that sign for themselves, on a chain in memory. */

import { type KeyObject, randomBytes } from 'node:crypto'
import {
  type Chain,
  ChannelClient,
  type ChannelParams,
  channelParamsToJson,
  encodePayment,
  generateKey,
  type PaymentPayload,
  paymentNetwork,
  rawPublicKey,
  signPaymentRequest,
  signRelease,
  signVoucher,
  type Wallet,
} from '../../../contracts/index.ts'
import { type MemoryChain, TestChannel } from '../../../contracts/testing.ts'
import type { PaymentDeskOptions } from '../index.ts'

export const TON = 1_000_000_000n

/** What a gateway is paid with: its wallet and its release key. */
export class Payee {
  readonly chain: MemoryChain
  readonly wallet: Wallet
  readonly releaseKey = generateKey()
  /** Signs vouchers for those who have an API key only. */
  readonly delegatedKey = generateKey()

  constructor(chain: MemoryChain, wallet: Wallet) {
    this.chain = chain
    this.wallet = wallet
  }

  /** Terms of a gateway with this purse. */
  get desk(): Omit<PaymentDeskOptions, 'ledger' | 'used' | 'uncharged' | 'now' | 'monotonic'> {
    const { chain, wallet, releaseKey } = this
    const payeeKey = rawPublicKey(releaseKey)
    return {
      chain,
      terms: { payee: wallet.address, payeeKey, challengeSeconds: 3600, minDeposit: TON / 10n },
      signRelease: (terms) => signRelease(releaseKey, { ...terms, globalId: chain.globalId }),
      perMinute: 30,
      delegated: {
        offered: true,
        voucherKey: rawPublicKey(this.delegatedKey),
        kept: 'file',
        cap: 3n * TON,
        own: [wallet.address],
        admit: () => {},
      },
    }
  }

  /** A payer with a channel to this purse. @param deposit nanotons; 0: not opened */
  async payer(deposit = TON, overrides: Partial<ChannelParams> = {}): Promise<Payer> {
    const { chain, wallet, releaseKey } = this
    const purse = await chain.wallet()
    const { params, voucherKey } = new TestChannel(chain, purse, wallet, generateKey(), releaseKey, overrides)
    const payer = new Payer({ chain, params, voucherKey, wallet: purse })
    if (deposit > 0n) await payer.client.open(purse, deposit)
    return payer
  }
}

/** One request as its payer signs it. */
export interface Signed {
  method?: string
  path: string
  body?: string | Uint8Array
  /** Nanotons; more than any test's request costs when absent. */
  amount?: bigint
  /** Cumulative, nanotons. */
  ceiling: bigint
  id?: string
  /** Unix seconds. */
  expires: number
  /** Names the channel by its address only. */
  short?: boolean
}

/** Somebody with a wallet and the voucher key of a channel. */
export class Payer {
  readonly chain: Chain
  readonly params: ChannelParams
  readonly voucherKey: KeyObject
  readonly wallet: Wallet
  readonly client: ChannelClient

  constructor({
    chain,
    params,
    voucherKey,
    wallet,
  }: Pick<Payer, 'chain' | 'params' | 'voucherKey' | 'wallet'>) {
    this.chain = chain
    this.params = params
    this.voucherKey = voucherKey
    this.wallet = wallet
    this.client = new ChannelClient({ chain, params })
  }

  /** Raw address of the channel. */
  get address(): string {
    return this.client.address.toRawString()
  }

  voucher(ceiling: bigint): Buffer {
    const { globalId } = this.chain
    return signVoucher(this.voucherKey, { globalId, channel: this.client.address, ceiling })
  }

  payment({
    method = 'POST',
    path,
    body = '',
    amount = TON,
    ceiling,
    id,
    expires,
    short,
  }: Signed): PaymentPayload {
    const { params, voucherKey, chain } = this
    const channel = this.client.address
    const request = signPaymentRequest(voucherKey, {
      globalId: chain.globalId,
      channel,
      method,
      path,
      body: typeof body === 'string' ? Buffer.from(body) : body,
      id: id ?? randomBytes(16).toString('hex'),
      amount,
      expires,
    })
    return {
      x402Version: 2,
      accepted: {
        scheme: 'batch-settlement',
        network: paymentNetwork(chain.globalId),
        amount: amount.toString(),
        asset: 'native',
        payTo: params.payee.toRawString(),
        maxTimeoutSeconds: 300,
      },
      payload: {
        type: 'voucher',
        channel: short ? { id: this.address } : channelParamsToJson(params),
        voucher: { ceiling: ceiling.toString(), signature: this.voucher(ceiling).toString('base64') },
        request,
      },
    }
  }

  /** The value of PAYMENT-SIGNATURE. */
  header(signed: Signed): string {
    return encodePayment(this.payment(signed))
  }
}
