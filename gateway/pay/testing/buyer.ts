/** Somebody who deposits for an API key, as `chrysalis channel open --delegated` does. */

import { randomBytes } from 'node:crypto'
import {
  ChannelClient,
  type ChannelParams,
  channelParamsToJson,
  rawPublicKey,
  type Wallet,
} from '../../../contracts/index.ts'
import { newKeySecret } from '../../ledger/keys.ts'
import { saltOf } from '../commitment.ts'
import { type Payee, TON } from './payer.ts'

export class Buyer {
  readonly params: ChannelParams
  readonly owner: Uint8Array
  readonly apiKey: string
  readonly wallet: Wallet
  readonly client: ChannelClient

  private constructor(of: Pick<Buyer, 'params' | 'owner' | 'apiKey' | 'wallet' | 'client'>) {
    this.params = of.params
    this.owner = of.owner
    this.apiKey = of.apiKey
    this.wallet = of.wallet
    this.client = of.client
  }

  /** With parameters as they should be, but for what is named; nothing is paid yet. */
  static async of(
    { chain, wallet: { address: payee }, releaseKey, delegatedKey }: Payee,
    changed: Partial<ChannelParams> & { apiKey?: string } = {},
  ): Promise<Buyer> {
    const wallet = await chain.wallet()
    const [owner, { apiKey = newKeySecret(), ...others }] = [randomBytes(32), changed]
    const params: ChannelParams = {
      ...{ payer: wallet.address, payee, challengeSeconds: 3600 },
      voucherKey: rawPublicKey(delegatedKey),
      payeeKey: rawPublicKey(releaseKey),
      openUntil: (await chain.now()) + 3600,
      salt: saltOf({ owner, apiKey }),
      ...others,
    }
    return new Buyer({ params, owner, apiKey, wallet, client: new ChannelClient({ chain, params }) })
  }

  /** Raw address of the channel. */
  get id(): string {
    return this.client.address.toRawString()
  }

  /** Deposits. @param amount nanotons */
  async pay(amount = TON): Promise<this> {
    await this.client.open(this.wallet, amount)
    return this
  }

  /** The body of both requests. */
  get claim() {
    const { params, owner, apiKey } = this
    return { params: channelParamsToJson(params), owner: Buffer.from(owner).toString('hex'), api_key: apiKey }
  }
}
