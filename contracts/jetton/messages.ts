/** Bodies of the messages that a jetton channel takes beside the TON channel's, and of TEP-74's transfer. */

import { type Address, beginCell, type Cell } from '@ton/core'

export const JETTON_OP = {
  open: 0x43480006,
  retry: 0x43480007,
  sweep: 0x43480008,
  transfer: 0x0f8a7ea5,
  transferNotification: 0x7362d09c,
} as const

/** Nanotons that {@link openBody} fills the contract up to, for rent; the payer gets them back at the end. */
export const JETTON_RENT_RESERVE = 30_000_000n

/**
 * Nanotons to attach to what ends in one jetton transfer; what is not used comes back. The contract asks for 0.0048 TON
 * at the prices of June 2026, and this would be enough if they rose sixfold again.
 */
export const JETTON_ATTACH = 50_000_000n

/** Nanotons to attach to a jetton transfer from a wallet, with {@link FORWARD_TON} in it. */
export const DEPOSIT_ATTACH = 100_000_000n

/**
 * Nanotons that a deposit brings to the channel with its notification. Without them the channel is never told of the
 * jettons; with them it can send back what it does not take. They stay in its reserve, the payer's at the end.
 */
export const FORWARD_TON = 30_000_000n

/** Fills up the reserve; the message that deploys. */
export function openBody(): Cell {
  return beginCell().storeUint(JETTON_OP.open, 32).endCell()
}

/** Orders again what bounced. */
export function retryBody(): Cell {
  return beginCell().storeUint(JETTON_OP.retry, 32).endCell()
}

/** Sends `amount` jettons that the channel was never told of to the payer. */
export function sweepBody(amount: bigint): Cell {
  return beginCell().storeUint(JETTON_OP.sweep, 32).storeCoins(amount).endCell()
}

/** TEP-74's transfer, for the sender's own jetton wallet; `forwardTon` nanotons go on to `to` with the notification. */
export function jettonTransferBody(transfer: {
  amount: bigint
  to: Address
  excessTo: Address
  forwardTon: bigint
}): Cell {
  return beginCell()
    .storeUint(JETTON_OP.transfer, 32)
    .storeUint(0, 64)
    .storeCoins(transfer.amount)
    .storeAddress(transfer.to)
    .storeAddress(transfer.excessTo)
    .storeBit(false)
    .storeCoins(transfer.forwardTon)
    .storeBit(false)
    .endCell()
}
