/** What the gateway says of the channel as a whole, held against what is known here. Amounts are nanotons. */

import { invented } from './answers.ts'
import type { Totals } from './client.ts'
import { SidecarError, type SidecarErrorCode } from './errors.ts'
import type { Signer } from './signer.ts'
import type { SidecarState } from './state.ts'

/** What is known here. */
export interface Known {
  state: SidecarState
  signer: Signer
}

/**
 * Takes over a higher voucher of one's own: what was known here was lost or is old.
 *
 * @returns whether it did
 * @throws SidecarError ERR_VOUCHER_INVENTED for one that this key never signed
 */
export function adoptVoucher({ state, signer }: Known, { voucher }: Totals): boolean {
  const ceiling = BigInt(voucher?.signedMaxClaimable ?? 0)
  if (!voucher || ceiling <= state.ceiling) return false
  const signature = Buffer.from(voucher.signature, 'base64')
  if (!signer.isOwn({ ceiling, signature })) throw invented(voucher)
  state.setBehind(true)
  state.raise(ceiling, signature)
  return true
}

/**
 * Refuses totals that cannot be true, and notes the deposit.
 *
 * @param verifiedBefore sum that was verified when the request went out: the gateway had shown receipts for it
 * @throws SidecarError ERR_TERMS_DIFFER, ERR_VOUCHER_INVENTED, ERR_OTHER_SIGNER, ERR_ROLLED_BACK, ERR_CHARGES_DIFFER
 */
export function requireAgreement(
  { state, signer }: Known,
  { channel, voucher }: Totals,
  verifiedBefore: bigint,
): void {
  const refuse = (code: SidecarErrorCode, message: string) =>
    new SidecarError(code, message, { evidence: { totals: { channel, voucher } } })
  if (channel.channelId !== state.address)
    throw refuse('ERR_TERMS_DIFFER', `the gateway speaks of another channel, ${channel.channelId}`)
  if (voucher) {
    const ceiling = BigInt(voucher.signedMaxClaimable)
    const own =
      ceiling === 0n || signer.isOwn({ ceiling, signature: Buffer.from(voucher.signature, 'base64') })
    if (!own) throw invented(voucher)
    if (ceiling > state.ceiling) {
      throw refuse(
        'ERR_OTHER_SIGNER',
        `the gateway holds a voucher for ${ceiling} nanotons, and ${state.ceiling} is the highest that was signed here: another program signs with this key`,
      )
    }
  }
  const charged = BigInt(channel.chargedCumulativeAmount)
  if (charged < verifiedBefore) {
    throw refuse(
      'ERR_ROLLED_BACK',
      `the gateway counts ${charged} nanotons, and had shown receipts for ${verifiedBefore}: its books went back`,
    )
  }
  const claimed = BigInt(channel.totalClaimed)
  if (claimed > charged)
    throw refuse('ERR_CHARGES_DIFFER', `${claimed} nanotons were taken on chain, and ${charged} charged`)
  state.setDeposited(BigInt(channel.balance))
}

/** Whether what is proven, and what the open requests may cost, explains all that the gateway counts. */
export function isExplained({ verified, openCaps }: SidecarState, { channel }: Totals): boolean {
  return BigInt(channel.chargedCumulativeAmount) <= verified + openCaps
}

/**
 * To be called when the whole list was gone through: then everything is listed but what still runs.
 *
 * @throws SidecarError ERR_CHARGES_DIFFER
 */
export function requireExplained(state: SidecarState, totals: Totals): void {
  const charged = BigInt(totals.channel.chargedCumulativeAmount)
  const most = state.cursor.total + state.openCaps
  if (charged <= most || isExplained(state, totals)) return
  throw new SidecarError(
    'ERR_CHARGES_DIFFER',
    `the gateway counts ${charged} nanotons; its receipts and the requests that run explain ${most} at most`,
    { evidence: { totals } },
  )
}

/**
 * For a gateway that has never heard of the channel, or wants to be told of it again.
 *
 * @throws SidecarError ERR_ROLLED_BACK when it has shown receipts before
 */
export function requireNothingProven({ verified }: SidecarState): void {
  if (verified === 0n) return
  throw new SidecarError(
    'ERR_ROLLED_BACK',
    `the gateway no longer knows the channel, though it showed receipts for ${verified} nanotons: its books went back`,
  )
}
