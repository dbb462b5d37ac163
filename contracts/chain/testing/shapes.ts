/** JSON as toncenter's API v2 writes it, with the fields that its clients do not read, too. */

import {
  type Address,
  beginCell,
  Cell,
  loadShardAccount,
  type Message,
  storeMessage,
  type Transaction,
  type TupleItem,
} from '@ton/core'
import { priceParameters } from '../price-cells.ts'
import type { NetworkPrices } from '../prices.ts'
import type { FakeBlock } from './network.ts'

const SHARD = '-9223372036854775808'
const NO_HASH = Buffer.alloc(32).toString('base64')

function hashOf(value: bigint): string {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64')
}

function blockId(seqno: number) {
  const hash = (kind: number) => Buffer.alloc(32, (seqno * 2 + kind) % 251).toString('base64')
  const id = { workchain: -1, shard: SHARD, seqno }
  return { '@type': 'ton.blockIdExt', ...id, root_hash: hash(0), file_hash: hash(1) }
}

export function masterchainInfo(block: FakeBlock, zeroState: { rootHash: string; fileHash: string }) {
  return {
    '@type': 'blocks.masterchainInfo',
    last: blockId(block.seqno),
    state_root_hash: NO_HASH,
    init: {
      '@type': 'ton.blockIdExt',
      workchain: -1,
      shard: '0',
      seqno: 0,
      root_hash: zeroState.rootHash,
      file_hash: zeroState.fileHash,
    },
  }
}

export function addressInformation(block: FakeBlock, address: Address) {
  const boc = block.state.accounts.get(address.toRawString())
  const shard = boc === undefined ? undefined : loadShardAccount(Cell.fromBase64(boc).beginParse())
  const storage = shard?.account?.storage
  const active = storage?.state.type === 'active' ? storage.state.state : undefined
  const text = (cell: Cell | null | undefined) => cell?.toBoc().toString('base64') ?? ''
  const frozen = storage?.state.type === 'frozen'
  return {
    '@type': 'raw.fullAccountState',
    // A text, but the number 0 for an account that does not exist.
    balance: storage ? storage.balance.coins.toString() : 0,
    extra_currencies: [],
    code: text(active?.code),
    data: text(active?.data),
    last_transaction_id: {
      '@type': 'internal.transactionId',
      lt: shard && storage ? shard.lastTransactionLt.toString() : '0',
      hash: shard && storage ? hashOf(shard.lastTransactionHash) : NO_HASH,
    },
    block_id: blockId(block.seqno),
    frozen_hash: frozen ? NO_HASH : '',
    sync_utime: block.time,
    '@extra': `${block.time}.5:3:0.0217`,
    state: active ? 'active' : frozen ? 'frozen' : 'uninitialized',
  }
}

export function configInfo(prices: NetworkPrices, parameter: number) {
  const cell = priceParameters(prices).get(parameter)
  if (!cell) throw new Error(`the fake has no config parameter ${parameter}`)
  return {
    '@type': 'configInfo',
    config: { '@type': 'tvm.cell', bytes: cell.toBoc().toString('base64') },
    '@extra': '1781481600.5:3:0.0217',
  }
}

function stackEntry(item: TupleItem): unknown {
  if (item.type === 'int') {
    return ['num', item.value < 0n ? `-0x${(-item.value).toString(16)}` : `0x${item.value.toString(16)}`]
  }
  if (item.type === 'null') return ['list', { '@type': 'tvm.list', elements: [] }]
  if (item.type === 'cell' || item.type === 'slice' || item.type === 'builder') {
    return ['cell', { bytes: item.cell.toBoc().toString('base64') }]
  }
  throw new Error(`the fake has no ${item.type} on its stack`)
}

export function runResult(block: FakeBlock, exitCode: number, stack: TupleItem[]) {
  return {
    '@type': 'smc.runResult',
    gas_used: 549,
    stack: stack.map(stackEntry),
    exit_code: exitCode,
    block_id: blockId(block.seqno),
    '@extra': `${block.time}.5:3:0.0217`,
  }
}

/** Arguments of a get method as clients send them. */
export function parseArguments(stack: unknown): TupleItem[] {
  if (!Array.isArray(stack)) throw new TypeError('stack: a list expected')
  return stack.map((entry: [string, string]): TupleItem => {
    const [kind, value] = entry
    if (kind === 'num') return { type: 'int', value: BigInt(value) }
    if (kind === 'tvm.Cell') return { type: 'cell', cell: Cell.fromBase64(value) }
    if (kind === 'tvm.Slice') return { type: 'slice', cell: Cell.fromBase64(value) }
    throw new TypeError(`stack: ${kind} is not taken`)
  })
}

function messageEntry(message: Message) {
  const { info } = message
  const internal = info.type === 'internal' ? info : undefined
  return {
    '@type': 'ext.message',
    hash: beginCell().store(storeMessage(message)).endCell().hash().toString('base64'),
    source: internal?.src.toString() ?? '',
    destination: info.dest?.toString() ?? '',
    value: (internal?.value.coins ?? 0n).toString(),
    extra_currencies: [],
    fwd_fee: (internal?.forwardFee ?? 0n).toString(),
    ihr_fee: (internal?.ihrFee ?? 0n).toString(),
    created_lt: (internal?.createdLt ?? 0n).toString(),
    body_hash: message.body.hash().toString('base64'),
    msg_data: { '@type': 'msg.dataRaw', body: message.body.toBoc().toString('base64'), init_state: '' },
    message: '',
  }
}

export function transactionEntry(address: Address, transaction: Transaction) {
  return {
    '@type': 'raw.transaction',
    address: { '@type': 'accountAddress', account_address: address.toString() },
    utime: transaction.now,
    data: transaction.raw.toBoc().toString('base64'),
    transaction_id: {
      '@type': 'internal.transactionId',
      lt: transaction.lt.toString(),
      hash: transaction.hash().toString('base64'),
    },
    fee: transaction.totalFees.coins.toString(),
    storage_fee: '0',
    other_fee: transaction.totalFees.coins.toString(),
    ...(transaction.inMessage ? { in_msg: messageEntry(transaction.inMessage) } : {}),
    out_msgs: [...transaction.outMessages.values()].map(messageEntry),
  }
}
