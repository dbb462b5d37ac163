/** What the registry's tables hold, and the 32-byte keys under which they hold it (layouts in README.md). */

import { createHash } from 'node:crypto'
import { beginCell, type Cell } from '@ton/core'
import { ContractsError } from '../errors.ts'

/** Numbers of the tables in the contract. */
export const TABLE = { measurements: 0, models: 1, gateways: 2 } as const
export type TableName = keyof typeof TABLE

/** An entry as the owners sign it. */
export interface Entry {
  table: TableName
  /** 32 bytes, lower-case hexadecimal. */
  key: string
  value: Cell
}

/**
 * The registers of a TD, 48 bytes of hexadecimal each. A run-time register that is null is not compared; a field of the
 * host's (the last three) that is null has to be zero.
 */
export interface RegistryMeasurement {
  roles: readonly ('worker' | 'gateway')[]
  mrTd: string
  rtmr: readonly [string | null, string | null, string | null, string | null]
  mrConfigId: string | null
  mrOwner: string | null
  mrOwnerConfig: string | null
}

/** A model by name and what it costs, in nanotons per million tokens of each kind. */
export interface RegistryModel {
  id: string
  prompt: bigint
  cached: bigint
  completion: bigint
  reasoning: bigint
}

/** Where a gateway answers. */
export interface RegistryGateway {
  endpoint: string
}

const MAX_TEXT = 120
const ROLES = ['worker', 'gateway'] as const

function refuse(message: string, cause?: unknown): never {
  throw new ContractsError('ERR_REGISTRY_ENTRY', message, { cause })
}

/** Checks a key. @throws ContractsError ERR_REGISTRY_ENTRY */
export function keyBytes(key: string): Buffer {
  if (!/^[0-9a-f]{64}$/.test(key)) refuse('key: 64 lower-case hexadecimal digits')
  return Buffer.from(key, 'hex')
}

function textCell(text: string, field: string): Cell {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length === 0 || bytes.length > MAX_TEXT) refuse(`${field}: from 1 to ${MAX_TEXT} bytes of UTF-8`)
  return beginCell().storeBuffer(bytes).endCell()
}

function readText(cell: Cell, field: string): string {
  const slice = cell.beginParse()
  const bytes = slice.loadBuffer(slice.remainingBits / 8)
  slice.endParse()
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  if (bytes.length === 0 || bytes.length > MAX_TEXT) refuse(`${field}: from 1 to ${MAX_TEXT} bytes of UTF-8`)
  return text
}

function registersOf(set: RegistryMeasurement): (string | null)[] {
  return [set.mrTd, ...set.rtmr, set.mrConfigId, set.mrOwner, set.mrOwnerConfig]
}

function rolesMask(roles: RegistryMeasurement['roles']): number {
  const mask = ROLES.reduce((bits, role, index) => (roles.includes(role) ? bits | (1 << index) : bits), 0)
  return mask === 0 ? refuse('roles: at least one of worker, gateway') : mask
}

/** Two registers fill a cell; `rest` goes into the cells that follow. */
function registersCell(registers: string[], head = beginCell()): Cell {
  for (const register of registers.slice(0, 2)) head.storeBuffer(Buffer.from(register, 'hex'))
  if (registers.length > 2) head.storeRef(registersCell(registers.slice(2)))
  return head.endCell()
}

function readRegisters(cell: Cell, count: number, skip: number): string[] {
  const slice = cell.beginParse().skip(skip)
  const here = Array.from({ length: Math.min(2, count) }, () => slice.loadBuffer(48).toString('hex'))
  const rest = count > 2 ? readRegisters(slice.loadRef(), count - 2, 0) : []
  slice.endParse()
  return [...here, ...rest]
}

/** A set of measurements; its key is the hash of its value, so that neither can be without the other. */
export function measurementEntry(set: RegistryMeasurement): Entry {
  const registers = registersOf(set)
  const present = registers.filter((register) => register !== null)
  if (registers[0] === null || !present.every((register) => /^[0-9a-f]{96}$/.test(register))) {
    refuse('measurements: registers of 96 lower-case hexadecimal digits')
  }
  const mask = registers.reduce(
    (bits, register, index) => (register === null ? bits : bits | (1 << index)),
    0,
  )
  const head = beginCell().storeUint(rolesMask(set.roles), 8).storeUint(mask, 8)
  const value = registersCell(present, head)
  return { table: 'measurements', key: value.hash().toString('hex'), value }
}

/** A model, by the SHA-256 of its file (hexadecimal). */
export function modelEntry(sha256: string, model: RegistryModel): Entry {
  keyBytes(sha256)
  for (const kind of ['prompt', 'cached', 'completion', 'reasoning'] as const) {
    if (model[kind] < 0n || model[kind] >= 1n << 64n)
      refuse(`${kind}: nanotons per million tokens, below 2^64`)
  }
  const value = beginCell()
    .storeCoins(model.prompt)
    .storeCoins(model.cached)
    .storeCoins(model.completion)
    .storeCoins(model.reasoning)
    .storeRef(textCell(model.id, 'id'))
    .endCell()
  return { table: 'models', key: sha256, value }
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : refuse('endpoint: a URL')
  if (url.protocol !== 'https:') refuse('endpoint: https')
  if (url.username || url.password || url.hash) refuse('endpoint: without user, password and fragment')
}

/**
 * A gateway, by the account id of its wallet: the hash of the contract that its wallet key alone commands, which its
 * evidence names as `payoutAddress`. (The key that signs for an enclave lives no longer than one boot of it.)
 * @param account 64 hexadecimal digits
 */
export function gatewayEntry(account: string, gateway: RegistryGateway): Entry {
  keyBytes(account)
  checkEndpoint(gateway.endpoint)
  return { table: 'gateways', key: account, value: textCell(gateway.endpoint, 'endpoint') }
}

/** Reads a set of measurements. @throws ContractsError ERR_REGISTRY_ENTRY if key and value do not belong together */
export function parseMeasurement(key: string, value: Cell): RegistryMeasurement {
  if (value.hash().toString('hex') !== key) refuse('measurements: the key is not the hash of the value')
  return guarded('measurements', () => {
    const head = value.beginParse()
    const roles = head.loadUint(8)
    const mask = head.loadUint(8)
    const names = ROLES.filter((_, index) => roles & (1 << index))
    if ((mask & 1) === 0 || names.length === 0 || roles >> ROLES.length)
      refuse('measurements: roles and mask')
    const indexes = Array.from({ length: 8 }, (_, index) => index).filter((index) => mask & (1 << index))
    const present = readRegisters(value, indexes.length, 16)
    const at = (index: number): string | null => present[indexes.indexOf(index)] ?? null
    const mrTd = at(0) ?? refuse('measurements: MRTD is missing')
    return {
      roles: names,
      mrTd,
      rtmr: [at(1), at(2), at(3), at(4)],
      mrConfigId: at(5),
      mrOwner: at(6),
      mrOwnerConfig: at(7),
    }
  })
}

/** Reads a model. @throws ContractsError ERR_REGISTRY_ENTRY */
export function parseModel(value: Cell): RegistryModel {
  return guarded('models', () => {
    const slice = value.beginParse()
    const [prompt, cached] = [slice.loadCoins(), slice.loadCoins()]
    const [completion, reasoning] = [slice.loadCoins(), slice.loadCoins()]
    const id = readText(slice.loadRef(), 'id')
    slice.endParse()
    return { id, prompt, cached, completion, reasoning }
  })
}

/** Reads a gateway. @throws ContractsError ERR_REGISTRY_ENTRY */
export function parseGateway(value: Cell): RegistryGateway {
  return guarded('gateways', () => {
    const endpoint = readText(value, 'endpoint')
    checkEndpoint(endpoint)
    return { endpoint }
  })
}

function guarded<T>(table: TableName, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof ContractsError) throw cause
    return refuse(`${table}: not an entry of this table`, cause)
  }
}

/**
 * The key under which a platform is revoked: a hash, so that the list names no machine to those who do not know it.
 * @param id PPID, platform instance id or id of the quoting enclave: 16 bytes of hexadecimal
 */
export function platformKey(id: string): string {
  if (!/^[0-9a-f]{32}$/.test(id)) refuse('platform: 32 lower-case hexadecimal digits')
  return createHash('sha256').update('chrysalis/platform/1\0').update(Buffer.from(id, 'hex')).digest('hex')
}
