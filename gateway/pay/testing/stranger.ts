/** A payer with a channel of its own, opened as a stranger does it who has read contracts/x402.md. */

import { randomBytes } from 'node:crypto'
import { Address } from '@ton/core'
import {
  generateKey,
  type LocalChain,
  type PaymentRequired,
  rawPublicKey,
  Wallet,
} from '../../../contracts/index.ts'
import { Payer, TON } from './payer.ts'

/** How long the channel may take to be opened, in seconds of the chain. */
const OPEN_WITHIN = 600

/**
 * Opens a channel by the terms that a gateway tells everybody, from a wallet that the faucet fills.
 *
 * @param origin URL of the gateway, without `/v1`
 */
export async function openChannel(chain: LocalChain, origin: string): Promise<Payer> {
  const { accepts } = (await (await fetch(`${origin}/v1/payment`)).json()) as PaymentRequired
  const [terms] = accepts
  if (!terms) throw new Error('the gateway takes no payments')
  const { payTo, extra } = terms
  const wallet = Wallet.fromSeed(randomBytes(32), chain.globalId)
  await chain.fund(wallet.address, 5n * TON)
  const voucherKey = generateKey()
  const params = {
    payer: wallet.address,
    payee: Address.parseRaw(payTo),
    voucherKey: rawPublicKey(voucherKey),
    payeeKey: Buffer.from(extra.payeeKey, 'hex'),
    challengeSeconds: extra.challengeSeconds,
    openUntil: (await chain.now()) + OPEN_WITHIN,
    salt: randomBytes(32),
  }
  const payer = new Payer({ chain, params, voucherKey, wallet })
  await payer.client.open(wallet, TON)
  return payer
}
