/** Channels of clients: one's own voucher key, to sign ahead of what is charged, or the gateway's. */

import { randomBytes } from 'node:crypto'
import {
  ChannelClient,
  type ChannelParams,
  channelParamsToJson,
  generateKey,
  rawPublicKey,
  signVoucher,
  Wallet,
} from '../../../contracts/index.ts'
import type { Stand } from './stand.ts'

const TON = 1_000_000_000n
let requests = 0

/** One that a wallet of its own pays into. */
export interface PaidChannel {
  /** Its raw address, as in the ledger. */
  id: string
  params: ChannelParams
  payer: Wallet
  client: ChannelClient
}

export interface ClientChannel extends PaidChannel {
  /** Signs a voucher and hands it in. */
  voucher(ceiling: bigint): Promise<void>
  /** Reserves and charges one request. */
  charge(amount: bigint, workerChannel: string): Promise<void>
}

/** Opens one with 10 TON, and has it in the ledger as `gateway/pay` would. */
export async function openClientChannel(stand: Stand): Promise<ClientChannel> {
  const { chain } = stand
  const voucherKey = generateKey()
  const channel = await openChannel(stand, 'client', rawPublicKey(voucherKey))
  const { id, client } = channel
  return {
    ...channel,
    voucher: async (ceiling) => {
      const terms = { globalId: chain.globalId, channel: client.address, ceiling }
      await stand.ledger.acceptVoucher(id, ceiling, signVoucher(voucherKey, terms))
    },
    charge: async (amount, workerChannel) => {
      const requestId = `client-${requests++}`
      const { id: key } = await stand.ledger.keys.accountOf(id)
      const worker = { id: 'w', bootId: 'b' }
      await stand.ledger.reserve({ requestId, channel: id, key, worker, maxCharge: amount })
      await stand.charge(requestId, amount, 1n, workerChannel)
    },
  }
}

/** The same with the gateway's voucher key, as one has it who wants an API key of his own deposit. */
export async function openPaidChannel(stand: Stand): Promise<PaidChannel> {
  const channel = await openChannel(stand, 'gateway', stand.keys.voucherKey('client'))
  stand.keys.admit(channel.id, 'client')
  return channel
}

async function openChannel(
  { chain, keys, ledger }: Stand,
  signer: 'client' | 'gateway',
  voucherKey: Uint8Array,
): Promise<PaidChannel> {
  const payer = Wallet.fromSeed(randomBytes(32), chain.globalId)
  const params: ChannelParams = {
    payer: payer.address,
    payee: keys.gateway.address,
    voucherKey,
    payeeKey: keys.releaseKey(),
    challengeSeconds: 3600,
    openUntil: (await chain.now()) + 600,
    salt: randomBytes(32),
  }
  await chain.fund(payer.address, 20n * TON)
  const client = new ChannelClient({ chain, params })
  const { deposited } = await client.open(payer, 10n * TON)
  const id = client.address.toRawString()
  const json = JSON.stringify(channelParamsToJson(params))
  await ledger.putChannel({ id, address: id, role: 'client', signer, params: json, deposited })
  return { id, params, payer, client }
}
