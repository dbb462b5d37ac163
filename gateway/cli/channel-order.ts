/** How a person, or a program, is told what to pay. */

import { formatTon, formatUsd, type UsdRate } from '../../contracts/amount.ts'
import { ATTACH, OP, RENT_RESERVE } from '../../contracts/index.ts'
import {
  friendly,
  type PaymentOrder,
  terminalQr,
  tonConnectRequest,
  tonkeeperLink,
  tonLink,
} from '../fund/index.ts'
import type { ChannelRecord } from '../sidecar/index.ts'

/** An amount in TON, and in dollars where the user gave a rate. */
export function money(amount: bigint, rate: UsdRate | undefined): string {
  return `${formatTon(amount)} TON${rate ? ` (${formatUsd(amount, rate)} USD)` : ''}`
}

/** One line of `--json`; amounts are nanotons. */
export function orderJson(order: PaymentOrder) {
  return {
    event: 'pay',
    channel: order.to.toRawString(),
    from: order.from.toRawString(),
    amount: order.amount.toString(),
    expires: order.expires,
    link: tonLink(order),
    tonkeeper: tonkeeperLink(order),
    tonConnect: tonConnectRequest(order),
  }
}

export interface Shown {
  rate: UsdRate | undefined
  data: string
  /** Width of the terminal; 0 where there is none. */
  columns: number
}

/** What to pay and how, what it means, and what happens to money that goes another way. */
export function describeOrder(order: PaymentOrder, record: ChannelRecord, shown: Shown): string {
  const { to, from, amount, globalId, expires } = order
  const link = tonLink(order)
  const code = terminalQr(link, shown.columns)
  return [
    `Channel ${friendly(to, globalId)}`,
    `  to the gateway ${record.gateway}`,
    ...amounts(order, shown.rate),
    '',
    `Send ${money(amount, shown.rate)} from your wallet ${friendly(from, globalId, false)}`,
    `until ${new Date(expires * 1000).toISOString()}, by one of these:`,
    '',
    ...(code === undefined ? narrow(shown.columns, link) : [code, '']),
    `wallet     ${link}`,
    '',
    `Tonkeeper  ${tonkeeperLink(order)}`,
    '',
    ...(order.init ? meaning(record, shown.data) : []),
    'The link carries a message to the contract. A wallet that leaves part of it out pays nothing in: the contract',
    'refuses it and the money comes back, less some thousandths of a TON. Do not send to this address by hand:',
    'what comes without the message, and may not bounce, returns only with the next deposit or at the end.',
    '',
    'Waiting until the chain shows it …',
  ].join('\n')
}

function amounts({ amount, body, init }: PaymentOrder, rate: UsdRate | undefined): string[] {
  const slice = body.beginParse()
  if (slice.loadUint(32) !== OP.topUp) return [`  for gas  ${money(amount, rate)}; most of it comes back`]
  const deposit = slice.loadCoins()
  const lines = [
    `  deposit  ${money(deposit, rate)}`,
    `  gas      ${money(ATTACH, rate)}; what is not used comes back at once`,
  ]
  if (init) lines.push(`  rent     ${money(RENT_RESERVE, rate)}; what is not used comes back at the end`)
  return lines
}

function meaning({ params }: ChannelRecord, data: string): string[] {
  return [
    `The key that spends the deposit was made on this machine and is in ${data}; nobody else has it. The gateway`,
    'gets what that key signs, as you use it. Keep the folder: the channel is closed from it. Without the gateway',
    `that takes ${params.challengeSeconds} s, and everything that was not signed away returns to your wallet.`,
    '',
  ]
}

function narrow(columns: number, link: string): string[] {
  if (columns === 0) return []
  return [
    `(The terminal is too narrow for a QR code of ${link.length} characters: make it wider, or say --qr FILE.svg.)`,
    '',
  ]
}
