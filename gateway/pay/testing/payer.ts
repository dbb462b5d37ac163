/** A gateway's purse, and payers that sign for themselves, on a chain in memory. */

import { randomBytes } from 'node:crypto'
import {
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

  constructor(chain: MemoryChain, wallet: Wallet) {
    this.chain = chain
    this.wallet = wallet
  }

  /** Terms of a gateway with this purse. */
  get desk(): Omit<PaymentDeskOptions, 'ledger' | 'now' | 'monotonic'> {
    const { chain, wallet, releaseKey } = this
    const payeeKey = rawPublicKey(releaseKey)
    return {
      chain,
      terms: { payee: wallet.address, payeeKey, challengeSeconds: 3600, minDeposit: TON / 10n },
      signRelease: (terms) => signRelease(releaseKey, { ...terms, globalId: chain.globalId }),
      perMinute: 30,
    }
  }

  /** A payer with a channel to this purse. @param deposit nanotons; 0: not opened */
  async payer(deposit = TON, overrides: Partial<ChannelParams> = {}): Promise<Payer> {
    const { chain, wallet, releaseKey } = this
    const channel = new TestChannel(chain, await chain.wallet(), wallet, generateKey(), releaseKey, overrides)
    const payer = new Payer(channel)
    if (deposit > 0n) await payer.client.open(channel.payer, deposit)
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

export class Payer {
  readonly channel: TestChannel
  readonly client: ChannelClient

  constructor(channel: TestChannel) {
    this.channel = channel
    this.client = new ChannelClient({ chain: channel.chain, params: channel.params })
  }

  get address(): string {
    return this.channel.channel.address.toRawString()
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
    const { params, voucherKey, chain, channel } = this.channel
    const request = signPaymentRequest(voucherKey, {
      globalId: chain.globalId,
      channel: channel.address,
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
        voucher: { ceiling: ceiling.toString(), signature: this.channel.voucher(ceiling).toString('base64') },
        request,
      },
    }
  }

  /** The value of PAYMENT-SIGNATURE. */
  header(signed: Signed): string {
    return encodePayment(this.payment(signed))
  }
}
