import { Address, beginCell, Cell, contractAddress, type StateInit } from '@ton/core'
import { z } from 'zod'
import {
  bytes32,
  type ChannelParams,
  channelParamsSchema,
  channelParamsToJson,
  paramsCell,
  parseParams,
  rawAddress,
  readParamsCell,
  readParamsJson,
} from '../channel/params.ts'
import { ContractsError } from '../errors.ts'
import { jettonChannelCode } from './code.ts'

/** What a jetton channel is bound to for its whole life; its address follows from these and the code. */
export interface JettonChannelParams extends ChannelParams {
  /** The jetton's master contract. */
  master: Address
  /** The code that the master gives its wallets (a library cell in USDT's case). */
  walletCode: Cell
}

/** State of a jetton channel. Amounts are the jetton's smallest units; `closeAt` is Unix seconds, 0 while open. */
export interface JettonChannelState {
  deposited: bigint
  /** Ordered for the payee in all, whether or not its transfer came through: see `unpaidPayee`. */
  settled: bigint
  /** Ordered for the payee, bounced, and owed until a Retry. */
  unpaidPayee: bigint
  /** The same for the payer. */
  unpaidPayer: bigint
  closeAt: number
  /** All has been ordered; from `closeAt` on the contract may be removed. */
  finished: boolean
}

const FRESH: JettonChannelState = {
  deposited: 0n,
  settled: 0n,
  unpaidPayee: 0n,
  unpaidPayer: 0n,
  closeAt: 0,
  finished: false,
}

/** The contract's data cell. `jettonWallet` is known to the contract from the first notification on. */
export function jettonChannelData(
  params: JettonChannelParams,
  state: JettonChannelState = FRESH,
  jettonWallet?: Address,
): Cell {
  const terms = beginCell()
    .storeAddress(params.payee)
    .storeUint(bytes32(params.voucherKey, 'voucherKey'), 256)
    .storeAddress(params.master)
    .storeRef(params.walletCode)
    .storeRef(paramsCell(params))
    .endCell()
  return beginCell()
    .storeCoins(state.settled)
    .storeCoins(state.deposited)
    .storeCoins(state.unpaidPayee)
    .storeCoins(state.unpaidPayer)
    .storeUint(state.closeAt, 32)
    .storeBit(state.finished)
    .storeAddress(jettonWallet)
    .storeRef(terms)
    .endCell()
}

/** Code and first data of the channel. */
export function jettonChannelInit(
  params: JettonChannelParams,
): StateInit & Required<Pick<StateInit, 'code' | 'data'>> {
  return { code: jettonChannelCode(), data: jettonChannelData(params) }
}

/** The address that these parameters have on the basechain. */
export function jettonChannelAddress(params: JettonChannelParams): Address {
  return contractAddress(0, jettonChannelInit(params))
}

/**
 * Address of `owner`'s wallet of a governed jetton (USDT's layout: status, balance, owner, master). A master whose
 * `get_wallet_address` says otherwise has another layout, and its jettons cannot be used: see `requireSameWallet`.
 */
export function jettonWalletAddress(owner: Address, jetton: { master: Address; walletCode: Cell }): Address {
  const data = beginCell()
    .storeUint(0, 4)
    .storeCoins(0)
    .storeAddress(owner)
    .storeAddress(jetton.master)
    .endCell()
  return contractAddress(0, { code: jetton.walletCode, data })
}

/** Reads a jetton channel's data cell. @throws ContractsError ERR_CHANNEL_DATA on any other cell */
export function parseJettonChannelData(
  data: Cell,
): JettonChannelState & { params: JettonChannelParams; jettonWallet: Address | null } {
  try {
    const slice = data.beginParse()
    const state = {
      settled: slice.loadCoins(),
      deposited: slice.loadCoins(),
      unpaidPayee: slice.loadCoins(),
      unpaidPayer: slice.loadCoins(),
      closeAt: slice.loadUint(32),
      finished: slice.loadBit(),
      jettonWallet: slice.loadMaybeAddress(),
    }
    const terms = slice.loadRef().beginParse()
    slice.endParse()
    const params = {
      payee: terms.loadAddress(),
      voucherKey: terms.loadBuffer(32),
      master: terms.loadAddress(),
      walletCode: terms.loadRef(),
      ...readParamsCell(terms.loadRef().beginParse()),
    }
    terms.endParse()
    return { ...state, params }
  } catch (cause) {
    throw new ContractsError('ERR_CHANNEL_DATA', 'data: not the state of a jetton channel', { cause })
  }
}

/** {@link JettonChannelParams} as JSON: as the TON channel's, the wallet code as base64 BoC. */
export const jettonChannelParamsSchema = channelParamsSchema.extend({
  master: rawAddress,
  walletCode: z.base64().max(8192),
})

/** What {@link jettonChannelParamsSchema} reads. */
export type JettonChannelParamsJson = z.infer<typeof jettonChannelParamsSchema>

/** The parameters as JSON, see {@link jettonChannelParamsSchema}. */
export function jettonChannelParamsToJson(params: JettonChannelParams): JettonChannelParamsJson {
  return {
    ...channelParamsToJson(params),
    master: params.master.toRawString(),
    walletCode: params.walletCode.toBoc().toString('base64'),
  }
}

/** @throws ContractsError ERR_CHANNEL_PARAMS naming the field */
export function jettonChannelParamsFromJson(json: unknown): JettonChannelParams {
  const { master, walletCode, ...common } = parseParams(jettonChannelParamsSchema, json)
  return { ...readParamsJson(common), master: Address.parseRaw(master), walletCode: readCode(walletCode) }
}

function readCode(boc: string): Cell {
  try {
    return Cell.fromBase64(boc)
  } catch (cause) {
    throw new ContractsError('ERR_CHANNEL_PARAMS', 'walletCode: a cell as base64 BoC expected', { cause })
  }
}
