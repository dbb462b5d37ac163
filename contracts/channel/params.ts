import { Address, beginCell, type Cell, contractAddress, type Slice, type StateInit } from '@ton/core'
import { z } from 'zod'
import { ContractsError } from '../errors.ts'
import { channelCode } from './code.ts'

/** What a channel is bound to for its whole life; its address follows from these and the code. */
export interface ChannelParams {
  /** Gets the rest back; the only one who can start closing. */
  payer: Address
  /** Gets what is settled; the only one who can settle. */
  payee: Address
  /** Ed25519 public key (32 bytes) that signs vouchers. */
  voucherKey: Uint8Array
  /** Ed25519 public key (32 bytes) that signs the release of a cooperative close. */
  payeeKey: Uint8Array
  /** Seconds between StartClose and the earliest FinishClose. */
  challengeSeconds: number
  /** Unix seconds: the first deposit comes before this time, destruction after it, so no address opens twice. */
  openUntil: number
  /** 32 bytes, random: two channels of the same parties never share an address. */
  salt: Uint8Array
}

/** State of a channel. Amounts are nanotons; `closeAt` is Unix seconds, 0 while open. */
export interface ChannelState {
  deposited: bigint
  settled: bigint
  closeAt: number
}

/** 32 bytes as the number that a cell stores. @throws ContractsError ERR_CHANNEL_PARAMS naming the field */
export function bytes32(value: Uint8Array, name: string): bigint {
  if (value.length !== 32) throw new ContractsError('ERR_CHANNEL_PARAMS', `${name}: 32 bytes`)
  return BigInt(`0x${Buffer.from(value).toString('hex')}`)
}

function uint32(value: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
    throw new ContractsError('ERR_CHANNEL_PARAMS', `${name}: a whole number of seconds below 2^32`)
  }
  return value
}

/** The cell of what both kinds of channel keep out of sight of a settle. */
export function paramsCell(params: ChannelParams): Cell {
  return beginCell()
    .storeAddress(params.payer)
    .storeUint(bytes32(params.payeeKey, 'payeeKey'), 256)
    .storeUint(uint32(params.challengeSeconds, 'challengeSeconds'), 32)
    .storeUint(uint32(params.openUntil, 'openUntil'), 32)
    .storeUint(bytes32(params.salt, 'salt'), 256)
    .endCell()
}

/** The contract's data cell. */
export function channelData(
  params: ChannelParams,
  state: ChannelState = { deposited: 0n, settled: 0n, closeAt: 0 },
): Cell {
  return beginCell()
    .storeCoins(state.settled)
    .storeCoins(state.deposited)
    .storeUint(state.closeAt, 32)
    .storeAddress(params.payee)
    .storeUint(bytes32(params.voucherKey, 'voucherKey'), 256)
    .storeRef(paramsCell(params))
    .endCell()
}

/** Code and first data of the channel. */
export function channelInit(params: ChannelParams): Required<Pick<StateInit, 'code' | 'data'>> & StateInit {
  return { code: channelCode(), data: channelData(params) }
}

/** The address that these parameters have on the basechain. */
export function channelAddress(params: ChannelParams): Address {
  return contractAddress(0, channelInit(params))
}

/** Reads what {@link paramsCell} wrote. */
export function readParamsCell(
  slice: Slice,
): Pick<ChannelParams, 'payer' | 'payeeKey' | 'challengeSeconds' | 'openUntil' | 'salt'> {
  const bound = {
    payer: slice.loadAddress(),
    payeeKey: slice.loadBuffer(32),
    challengeSeconds: slice.loadUint(32),
    openUntil: slice.loadUint(32),
    salt: slice.loadBuffer(32),
  }
  slice.endParse()
  return bound
}

/** Reads a channel's data cell. @throws ContractsError ERR_CHANNEL_DATA on any other cell */
export function parseChannelData(data: Cell): ChannelState & { params: ChannelParams } {
  try {
    const slice = data.beginParse()
    const settled = slice.loadCoins()
    const deposited = slice.loadCoins()
    const closeAt = slice.loadUint(32)
    const payee = slice.loadAddress()
    const voucherKey = slice.loadBuffer(32)
    const params = { payee, voucherKey, ...readParamsCell(slice.loadRef().beginParse()) }
    slice.endParse()
    return { settled, deposited, closeAt, params }
  } catch (cause) {
    throw new ContractsError('ERR_CHANNEL_DATA', 'data: not the state of a channel', { cause })
  }
}

/** An address of the basechain, raw. */
export const rawAddress = z.string().regex(/^0:[0-9a-f]{64}$/)
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const seconds = z.number().int().min(0).max(0xffffffff)

/** {@link ChannelParams} as JSON: addresses raw, keys and salt in lower-case hexadecimal. */
export const channelParamsSchema = z.strictObject({
  payer: rawAddress,
  payee: rawAddress,
  voucherKey: hex32,
  payeeKey: hex32,
  challengeSeconds: seconds,
  openUntil: seconds,
  salt: hex32,
})

/** What {@link channelParamsSchema} reads. */
export type ChannelParamsJson = z.infer<typeof channelParamsSchema>

/** The parameters as JSON, see {@link channelParamsSchema}. */
export function channelParamsToJson(params: ChannelParams): ChannelParamsJson {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  return {
    payer: params.payer.toRawString(),
    payee: params.payee.toRawString(),
    voucherKey: hex(params.voucherKey),
    payeeKey: hex(params.payeeKey),
    challengeSeconds: params.challengeSeconds,
    openUntil: params.openUntil,
    salt: hex(params.salt),
  }
}

/** What a schema makes of `json`. @throws ContractsError ERR_CHANNEL_PARAMS naming the field */
export function parseParams<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  throw new ContractsError('ERR_CHANNEL_PARAMS', `${issue?.path.join('.') || 'params'}: ${issue?.message}`)
}

/** Reads what {@link channelParamsSchema} has let through. */
export function readParamsJson(value: ChannelParamsJson): ChannelParams {
  return {
    payer: Address.parseRaw(value.payer),
    payee: Address.parseRaw(value.payee),
    voucherKey: Buffer.from(value.voucherKey, 'hex'),
    payeeKey: Buffer.from(value.payeeKey, 'hex'),
    challengeSeconds: value.challengeSeconds,
    openUntil: value.openUntil,
    salt: Buffer.from(value.salt, 'hex'),
  }
}

/** @throws ContractsError ERR_CHANNEL_PARAMS naming the field */
export function channelParamsFromJson(json: unknown): ChannelParams {
  return readParamsJson(parseParams(channelParamsSchema, json))
}
