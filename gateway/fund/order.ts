/** One transfer that a wallet elsewhere is asked for, in the forms in which wallets take such requests. */

import {
  type Address,
  beginCell,
  type Cell,
  type MessageRelaxed,
  type StateInit,
  storeStateInit,
} from '@ton/core'
import { friendlyAddress } from '../../contracts/index.ts'
import { FundError } from './errors.ts'

/** A transfer to be made by somebody's wallet. */
export interface PaymentOrder {
  /** Wallet that is to pay. */
  from: Address
  to: Address
  /** Nanotons, with what pays for gas. */
  amount: bigint
  body: Cell
  /** Deploys the contract at `to`; absent where it is there. */
  init?: StateInit
  globalId: number
  /** Unix seconds after which no wallet may send it. */
  expires: number
}

/** TON Connect's `sendTransaction` for one message, as its SDK takes it. */
export interface TonConnectRequest {
  /** Unix seconds. */
  validUntil: number
  /** global_id of the network, in decimal. */
  network: string
  /** Raw address of the wallet. */
  from: string
  /** Amounts are nanotons in decimal, cells base64 of a BoC. */
  messages: { address: string; amount: string; payload: string; stateInit?: string }[]
}

/**
 * What a contract's client would send, as an order.
 * @throws FundError ERR_FUND_ORDER for anything but one plain internal message
 */
export function orderOf(
  message: MessageRelaxed,
  terms: Pick<PaymentOrder, 'from' | 'globalId' | 'expires'>,
): PaymentOrder {
  const { info, init, body } = message
  if (info.type !== 'internal') throw new FundError('ERR_FUND_ORDER', 'message: internal ones only')
  return { ...terms, to: info.dest, amount: info.value.coins, body, ...(init && { init }) }
}

/** `ton://transfer/…`: opens any wallet, which may not know `init`. */
export function tonLink(order: PaymentOrder): string {
  return link('ton://transfer/', order)
}

/** The same over https, for Tonkeeper's page or app. */
export function tonkeeperLink(order: PaymentOrder): string {
  return link('https://app.tonkeeper.com/transfer/', order)
}

/** TON Connect's `sendTransaction`; it says which network and which wallet, and carries everything. */
export function tonConnectRequest(order: PaymentOrder): TonConnectRequest {
  const { from, to, amount, body, init, globalId, expires } = order
  return {
    validUntil: expires,
    network: globalId.toString(),
    from: from.toRawString(),
    messages: [
      {
        address: friendlyAddress(to, globalId),
        amount: amount.toString(),
        payload: boc(body).toString('base64'),
        ...(init && { stateInit: boc(initCell(init)).toString('base64') }),
      },
    ],
  }
}

function link(start: string, { to, amount, body, init, globalId, expires }: PaymentOrder): string {
  const query = [`amount=${amount}`, `bin=${boc(body).toString('base64url')}`]
  if (init) query.push(`init=${boc(initCell(init)).toString('base64url')}`)
  query.push(`exp=${expires}`)
  return `${start}${friendlyAddress(to, globalId)}?${query.join('&')}`
}

function initCell(init: StateInit): Cell {
  return beginCell().store(storeStateInit(init)).endCell()
}

/** Without index and checksum: a link has to fit into a QR code. */
function boc(cell: Cell): Buffer {
  return cell.toBoc({ idx: false, crc32: false })
}
