import { type Address, beginCell, type Cell, contractAddress, Dictionary } from '@ton/core'
import { ContractsError } from '../errors.ts'
import { registryCode } from './code.ts'
import {
  type Entry,
  keyBytes,
  parseGateway,
  parseMeasurement,
  parseModel,
  type RegistryGateway,
  type RegistryMeasurement,
  type RegistryModel,
  type TableName,
} from './entries.ts'
import { packSoftware, unpackSoftware } from './software.ts'
import { checkRules, parseSteps, type Step, sortedOwners, uint32 } from './steps.ts'

/** What a registry begins with; its address follows from this and the code. */
export interface RegistryParams {
  /** Ed25519 public keys, 32 bytes each, at most ten. */
  owners: readonly Uint8Array[]
  /** How many of them it takes. */
  threshold: number
  /** Seconds that a widening change waits. */
  delaySeconds: number
  /** Unix seconds: when the first snapshot ends, unless renewed. */
  expiresAt: number
  policyVersion: number
  /** As `1.2.3`. */
  minSoftware: string
  /** What is in the tables from the start. */
  entries?: readonly Entry[]
}

/** What readers rely on. The tables hold no entry that is revoked. Keys are 64 hexadecimal digits. */
export interface RegistrySnapshot {
  version: number
  /** Unix seconds; from then on nothing in here is to be trusted. */
  expiresAt: number
  policyVersion: number
  minSoftware: string
  measurements: ReadonlyMap<string, RegistryMeasurement>
  models: ReadonlyMap<string, RegistryModel>
  gateways: ReadonlyMap<string, RegistryGateway>
  /** Unix seconds of each revocation. */
  revoked: ReadonlyMap<string, number>
  /** Hash of the snapshot's cell: what readers pin. */
  hash: string
}

/** A widening change that waits. */
export interface PendingProposal {
  /** Unix seconds. */
  notBefore: number
  proposedAt: number
  setsOwners: boolean
  steps: Step[]
}

export interface RegistryGovernance {
  threshold: number
  delaySeconds: number
  /** Number of the proposal that brought these owners. */
  epoch: number
  /** Number of the next proposal. */
  proposals: number
  entries: number
  /** By the owner's number: its key, and how often it acted alone. */
  owners: ReadonlyMap<number, { key: Buffer; acts: number }>
  pending: ReadonlyMap<number, PendingProposal>
}

const KEY = Dictionary.Keys.Buffer(32)
const tableOf = () => Dictionary.empty(KEY, Dictionary.Values.Cell())

interface OwnerRecord {
  key: Buffer
  acts: number
}

const ownerValue = {
  serialize: (owner: OwnerRecord, builder: ReturnType<typeof beginCell>) => {
    builder.storeBuffer(owner.key).storeUint(owner.acts, 32)
  },
  parse: (slice: ReturnType<Cell['beginParse']>): OwnerRecord => {
    const record = { key: slice.loadBuffer(32), acts: slice.loadUint(32) }
    slice.endParse()
    return record
  },
}

const pendingValue = {
  serialize: () => {
    throw new ContractsError('ERR_REGISTRY_DATA', 'pending: only the contract writes proposals')
  },
  parse: (slice: ReturnType<Cell['beginParse']>): PendingProposal => {
    const [notBefore, proposedAt, setsOwners] = [slice.loadUint(32), slice.loadUint(32), slice.loadBit()]
    const steps = parseSteps(slice.loadRef())
    slice.endParse()
    return { notBefore, proposedAt, setsOwners, steps }
  },
}

function firstSnapshot(params: RegistryParams): Cell {
  const tables = { measurements: tableOf(), models: tableOf(), gateways: tableOf() }
  for (const entry of params.entries ?? []) tables[entry.table].set(keyBytes(entry.key), entry.value)
  return beginCell()
    .storeUint(1, 32)
    .storeUint(uint32(params.expiresAt, 'expiresAt'), 32)
    .storeUint(uint32(params.policyVersion, 'policyVersion'), 32)
    .storeUint(packSoftware(params.minSoftware), 48)
    .storeDict(tables.measurements)
    .storeDict(tables.models)
    .storeDict(tables.gateways)
    .storeBit(false)
    .endCell()
}

function firstGovernance(params: RegistryParams): Cell {
  const keys = sortedOwners(params.owners)
  checkRules({ owners: keys.length, threshold: params.threshold, delaySeconds: params.delaySeconds })
  const owners = Dictionary.empty(Dictionary.Keys.Uint(8), ownerValue)
  for (const [index, key] of keys.entries()) owners.set(index, { key, acts: 0 })
  const distinct = new Set((params.entries ?? []).map((entry) => `${entry.table} ${entry.key}`))
  return beginCell()
    .storeUint(params.threshold, 8)
    .storeUint(params.delaySeconds, 32)
    .storeUint(0, 32)
    .storeUint(1, 32)
    .storeUint(0, 8)
    .storeUint(distinct.size, 16)
    .storeDict(owners)
    .storeBit(false)
    .endCell()
}

/** Code and first data of a registry. @throws ContractsError ERR_REGISTRY_STEP, ERR_REGISTRY_ENTRY, ERR_KEY_UNSAFE */
export function registryInit(params: RegistryParams): { code: Cell; data: Cell } {
  const data = beginCell().storeRef(firstSnapshot(params)).storeRef(firstGovernance(params)).endCell()
  return { code: registryCode(), data }
}

/** The address that these parameters have on the basechain. */
export function registryAddress(params: RegistryParams): Address {
  return contractAddress(0, registryInit(params))
}

/** A snapshot's cell as it is: what owners look at, who can then repair a table in which an entry says nothing to readers. */
export interface RawSnapshot {
  version: number
  /** Unix seconds. */
  expiresAt: number
  policyVersion: number
  minSoftware: string
  /** Values by key, with those that are revoked. */
  tables: Readonly<Record<TableName, ReadonlyMap<string, Cell>>>
  /** Unix seconds of each revocation. */
  revoked: ReadonlyMap<string, number>
  /** Hash of the cell. */
  hash: string
}

function readRaw(cell: Cell): RawSnapshot {
  const slice = cell.beginParse()
  const [version, expiresAt, policyVersion] = [slice.loadUint(32), slice.loadUint(32), slice.loadUint(32)]
  const minSoftware = unpackSoftware(slice.loadUint(48))
  const load = () => byHex(slice.loadDict(KEY, Dictionary.Values.Cell()))
  const tables = { measurements: load(), models: load(), gateways: load() }
  const revoked = byHex(slice.loadDict(KEY, Dictionary.Values.Uint(32)))
  slice.endParse()
  const hash = cell.hash().toString('hex')
  return { version, expiresAt, policyVersion, minSoftware, tables, revoked, hash }
}

function byHex<T>(table: Dictionary<Buffer, T>): Map<string, T> {
  return new Map([...table].map(([key, value]) => [key.toString('hex'), value]))
}

/** Reads a snapshot's cell. @throws ContractsError ERR_REGISTRY_DATA, ERR_REGISTRY_ENTRY */
export function parseSnapshot(cell: Cell): RegistrySnapshot {
  return guarded(() => {
    const { tables, ...rest } = readRaw(cell)
    const read = <T>(table: ReadonlyMap<string, Cell>, parse: (key: string, value: Cell) => T) => {
      const trusted = [...table].filter(([key]) => !rest.revoked.has(key))
      return new Map(trusted.map(([key, value]) => [key, parse(key, value)]))
    }
    return {
      ...rest,
      measurements: read(tables.measurements, parseMeasurement),
      models: read(tables.models, (_, value) => parseModel(value)),
      gateways: read(tables.gateways, (_, value) => parseGateway(value)),
    }
  })
}

function parseGovernance(cell: Cell): RegistryGovernance {
  const slice = cell.beginParse()
  const [threshold, delaySeconds, epoch] = [slice.loadUint(8), slice.loadUint(32), slice.loadUint(32)]
  const [proposals, pendingCount, entries] = [slice.loadUint(32), slice.loadUint(8), slice.loadUint(16)]
  const owners = new Map(slice.loadDict(Dictionary.Keys.Uint(8), ownerValue))
  const pending = new Map(slice.loadDict(Dictionary.Keys.Uint(32), pendingValue))
  slice.endParse()
  if (pending.size !== pendingCount) throw new ContractsError('ERR_REGISTRY_DATA', 'pending: miscounted')
  return { threshold, delaySeconds, epoch, proposals, entries, owners, pending }
}

/** The two halves of a registry's data cell. */
function halves(data: Cell): { snapshot: Cell; governance: Cell } {
  const slice = data.beginParse()
  const [snapshot, governance] = [slice.loadRef(), slice.loadRef()]
  slice.endParse()
  return { snapshot, governance }
}

/** Reads what readers rely on. @throws ContractsError ERR_REGISTRY_DATA, ERR_REGISTRY_ENTRY */
export function snapshotOf(data: Cell): RegistrySnapshot {
  return guarded(() => parseSnapshot(halves(data).snapshot))
}

/** Reads it as owners look at it. @throws ContractsError ERR_REGISTRY_DATA */
export function rawSnapshotOf(data: Cell): RawSnapshot {
  return guarded(() => readRaw(halves(data).snapshot))
}

/**
 * Reads who decides and what is coming. It does not look at the tables, so that owners can still repair one in which
 * an entry is malformed. @throws ContractsError ERR_REGISTRY_DATA
 */
export function governanceOf(data: Cell): RegistryGovernance {
  return guarded(() => parseGovernance(halves(data).governance))
}

function guarded<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof ContractsError) throw cause
    throw new ContractsError('ERR_REGISTRY_DATA', 'data: not the state of a registry', { cause })
  }
}
