import { Address } from '@ton/core'
import {
  CHANNEL_CODE_HASH,
  decodePaymentRequired,
  type PaymentRequirements,
  paymentNetwork,
} from '../../contracts/index.ts'
import { askFreely } from './client.ts'
import { SidecarError } from './errors.ts'
import type { Upstream } from './upstream.ts'

/** What a gateway asks of a channel. Amounts are nanotons. */
export interface GatewayTerms {
  payee: Address
  payeeKey: Uint8Array
  challengeSeconds: number
  minDeposit: bigint
}

/**
 * Asks a gateway for its terms. Whoever answers there is paid, and no more than that follows from them: the contract is
 * this program's own.
 *
 * @throws SidecarError ERR_GATEWAY, ERR_TERMS_DIFFER for another network or contract
 */
export async function readTerms(upstream: Upstream, globalId: number): Promise<GatewayTerms> {
  const { status, json } = await askFreely(upstream, '/v1/payment')
  if (status !== 200)
    throw new SidecarError('ERR_GATEWAY', `the gateway answers ${status}, asked for its terms of payment`)
  const { payTo, extra } = pick(json, globalId)
  if (extra.codeHash !== CHANNEL_CODE_HASH)
    throw new SidecarError(
      'ERR_TERMS_DIFFER',
      'the gateway wants a channel of other code than this program has',
    )
  return {
    payee: Address.parseRaw(payTo),
    payeeKey: Buffer.from(extra.payeeKey, 'hex'),
    challengeSeconds: extra.challengeSeconds,
    minDeposit: BigInt(extra.minDeposit),
  }
}

function pick(json: unknown, globalId: number): PaymentRequirements {
  let accepts: readonly PaymentRequirements[]
  try {
    // The header's own codec checks every field.
    accepts = decodePaymentRequired(Buffer.from(JSON.stringify(json ?? null)).toString('base64')).accepts
  } catch (cause) {
    throw new SidecarError('ERR_GATEWAY', 'the gateway’s terms of payment cannot be read', { cause })
  }
  const network = paymentNetwork(globalId)
  const found = accepts.find((each) => each.network === network)
  if (found) return found
  const theirs = accepts.map((each) => each.network).join(', ')
  throw new SidecarError('ERR_TERMS_DIFFER', `the gateway is paid on ${theirs}, and this chain is ${network}`)
}
