/** Odds and ends of TON's formats that the local chain needs. */

import {
  type Address,
  beginCell,
  Cell,
  type CommonMessageInfoInternal,
  type Message,
  storeShardAccount,
  type Transaction,
} from '@ton/core'
import { createEmptyShardAccount } from '@ton/sandbox'

/** The number of a get method: CRC-16/XMODEM of its name, bit 16 set. */
export function methodId(name: string): number {
  let crc = 0
  for (const byte of Buffer.from(name)) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
    crc &= 0xffff
  }
  return crc | 0x10000
}

/** base64 BoC of the ShardAccount of an address that nobody has used. */
export function emptyAccount(address: Address): string {
  const cell = beginCell()
    .store(storeShardAccount(createEmptyShardAccount(address)))
    .endCell()
  return cell.toBoc().toString('base64')
}

/** A plain, unbounceable transfer. */
export function internalMessage(
  src: Address,
  dest: Address,
  coins: bigint,
  lt: bigint,
  now: number,
): Message {
  const info: CommonMessageInfoInternal = {
    type: 'internal',
    ihrDisabled: true,
    bounce: false,
    bounced: false,
    src,
    dest,
    value: { coins },
    ihrFee: 0n,
    forwardFee: 0n,
    createdLt: lt,
    createdAt: now,
  }
  return { info, body: Cell.EMPTY, init: null }
}

/** Messages get logical times after their transaction's; the next transaction has to come after them. */
export function maxLt(lt: bigint, transaction: Transaction): bigint {
  const last = transaction.lt + BigInt(transaction.outMessagesCount)
  return last > lt ? last : lt
}
