/** What a person, or a program, is told of what to pay: in words, made once for terminal and page. */

import { formatTon, formatUsd, type UsdRate } from '../../contracts/amount.ts'
import { ATTACH, OP } from '../../contracts/index.ts'
import {
  type PaymentOrder,
  type PaymentView,
  type PriceTable,
  tonConnectRequest,
  tonkeeperLink,
  tonLink,
  type ViewRow,
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

export interface ViewOptions {
  rate: UsdRate | undefined
  /** Folder of the payer's keys. */
  data: string
  prices?: PriceTable | undefined
  /** More paragraphs on what it means. */
  notes?: readonly string[] | undefined
}

/** What to pay, what it means, and what happens to money that goes another way. */
export function viewOf(order: PaymentOrder, record: ChannelRecord, options: ViewOptions): PaymentView {
  const { rate, data, prices, notes = [] } = options
  const { title, rows, meaning } = said(order, record, rate, data)
  return {
    ...{ order, title, rows, gateway: record.gateway, total: money(order.amount, rate) },
    ...(prices && { prices }),
    meaning: [
      ...meaning,
      ...notes,
      'The link carries a message to the contract. A wallet that leaves part of it out does nothing: the contract refuses ' +
        'it and the money comes back, less some thousandths of a TON. Do not send to this address by hand: what comes ' +
        'without the message, and may not bounce, returns only with the next deposit or at the end.',
    ],
  }
}

type Said = Pick<PaymentView, 'title' | 'rows' | 'meaning'>

/** By the message that the wallet is asked for. */
function said(
  { amount, body, init }: PaymentOrder,
  { params, signer }: ChannelRecord,
  rate: UsdRate | undefined,
  data: string,
): Said {
  const slice = body.beginParse()
  const op = slice.loadUint(32)
  const gas = (note: string): ViewRow => ({ name: 'gas', amount: money(ATTACH, rate), note })
  if (op === OP.topUp) {
    const deposit = slice.loadCoins()
    const rent = amount - deposit - ATTACH
    const rows = [
      { name: 'deposit', amount: money(deposit, rate) },
      gas('what is not used comes back at once'),
    ]
    if (rent > 0n)
      rows.push({ name: 'rent', amount: money(rent, rate), note: 'what is not used comes back at the end' })
    const its = signer === 'gateway' ? gatewaysKey : ownKey
    if (init) return { title: 'Open a payment channel', rows, meaning: [its(params.challengeSeconds, data)] }
    const meaning = signer === 'gateway' ? TOPPED_UP_FOR_KEY : TOPPED_UP
    return { title: 'Add to a payment channel', rows, meaning: [meaning] }
  }
  const forGas = [gas('most of it comes back')]
  if (op === OP.coopClose) {
    const gets = money(slice.loadCoins(), rate)
    const rows = [
      { name: 'gateway', amount: gets, note: 'from the deposit, in all; your wallet does not send it' },
    ]
    const meaning = [signer === 'gateway' ? CLOSED_FOR_KEY : CLOSED]
    return { title: 'Close a payment channel', rows: [...rows, ...forGas], meaning }
  }
  if (op === OP.startClose)
    return {
      title: 'Start to close a payment channel',
      rows: forGas,
      meaning: [
        `The gateway has ${params.challengeSeconds} s from then on to take what you signed. After that, one more message gets the rest back.`,
      ],
    }
  return { title: 'Finish closing a payment channel', rows: forGas, meaning: [FINISHED] }
}

const TOPPED_UP =
  'The deposit of this channel grows. The gateway gets what you sign as you use it; everything else returns to your wallet when the channel is closed.'
const TOPPED_UP_FOR_KEY =
  'The deposit of this channel grows, and with it what its API key may use. What the gateway did not take returns to your wallet when the channel is closed.'
const CLOSED =
  'The gateway agreed to be content with its part, which receipts prove. Everything else of the deposit returns to your wallet at once, and the channel is gone.'
const CLOSED_FOR_KEY =
  'The gateway agreed to be content with what it counts for your API key. Everything else of the deposit returns to your wallet at once, and the channel is gone.'
const FINISHED =
  'The challenge period is over. Everything that the gateway did not take returns to your wallet, and the channel is gone.'

function ownKey(challengeSeconds: number, data: string): string {
  return (
    `The key that spends the deposit was made on this machine and is in ${data}; nobody else has it. The gateway gets what ` +
    'that key signs, as you use it. Keep the folder: the channel is closed from it. Without the gateway that takes ' +
    `${challengeSeconds} s, and everything that was not signed away returns to your wallet.`
  )
}

function gatewaysKey(challengeSeconds: number, data: string): string {
  return (
    'The key that spends the deposit is the gateway’s, and not yours: it takes what it counts for your API key, and whoever has ' +
    'that key can take the whole deposit, and no more. Where a program can run beside yours, leave out --delegated and sign for ' +
    `yourself. The API key and what ends the channel were made on this machine and are in ${data}: keep the folder. ` +
    `Without the gateway the end takes ${challengeSeconds} s, and everything that it did not take returns to your wallet.`
  )
}
