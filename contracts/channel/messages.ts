/** Bodies of the messages that a channel takes (TL-B in contracts/README.md). Amounts are nanotons. */

import { beginCell, type Cell } from '@ton/core'
import { ContractsError } from '../errors.ts'

export const OP = {
  topUp: 0x43480001,
  settle: 0x43480002,
  startClose: 0x43480003,
  finishClose: 0x43480004,
  coopClose: 0x43480005,
} as const

/**
 * Nanotons kept in the contract beside the deposit, for rent; the payer gets them back at the end. The same number
 * stands in channel.tolk.
 */
export const RENT_RESERVE = 10_000_000n

/**
 * Nanotons to attach for gas and forwarding; what is not used comes back in the same exchange. The contract asks for
 * far less at today's prices, and this would be enough if they rose sixfold again.
 */
export const ATTACH = 20_000_000n

function signatureOf(signature: Uint8Array): Buffer {
  if (signature.length !== 64) throw new ContractsError('ERR_VOUCHER_SIGNATURE', 'signature: 64 bytes')
  return Buffer.from(signature)
}

/** Raises the deposit by `amount`. The message has to bring it, and {@link RENT_RESERVE} the first time. */
export function topUpBody(amount: bigint): Cell {
  return beginCell().storeUint(OP.topUp, 32).storeCoins(amount).endCell()
}

/** Takes `amount` in all (the new cumulative total), under a voucher for `ceiling`. */
export function settleBody(amount: bigint, ceiling: bigint, signature: Uint8Array): Cell {
  return beginCell()
    .storeUint(OP.settle, 32)
    .storeCoins(amount)
    .storeCoins(ceiling)
    .storeBuffer(signatureOf(signature))
    .endCell()
}

/** Starts the challenge period; from the payer. */
export function startCloseBody(): Cell {
  return beginCell().storeUint(OP.startClose, 32).endCell()
}

/** Ends a channel whose challenge period is over; from anyone. */
export function finishCloseBody(): Cell {
  return beginCell().storeUint(OP.finishClose, 32).endCell()
}

/** Closes at once with `amount` in all for the payee, under the payee's release. */
export function coopCloseBody(amount: bigint, signature: Uint8Array): Cell {
  return beginCell()
    .storeUint(OP.coopClose, 32)
    .storeCoins(amount)
    .storeBuffer(signatureOf(signature))
    .endCell()
}
