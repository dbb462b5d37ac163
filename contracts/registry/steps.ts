/** Steps of a proposal: what the owners decide together (TL-B in README.md). */

import { type Builder, beginCell, type Cell } from '@ton/core'
import { ContractsError } from '../errors.ts'
import { checkVoucherKey } from '../voucher/keys.ts'
import { type Entry, keyBytes, TABLE, type TableName } from './entries.ts'
import { packSoftware, unpackSoftware } from './software.ts'

/** Seconds; the contract holds to the same. */
export const MIN_DELAY_SECONDS = 3600
export const MAX_DELAY_SECONDS = 2_592_000
/** Seconds that a renewed snapshot may be good for at most. */
export const MAX_VALIDITY_SECONDS = 7_776_000
/** Seconds after its hour in which a proposal can still be carried out. */
export const GRACE_SECONDS = 2_592_000
export const MAX_OWNERS = 10

export type Step =
  | { kind: 'put'; entry: Entry }
  | { kind: 'remove'; table: TableName; key: string }
  | { kind: 'unrevoke'; key: string }
  | { kind: 'policy'; policyVersion: number; minSoftware: string }
  | { kind: 'owners'; owners: readonly Uint8Array[]; threshold: number; delaySeconds: number }
  | { kind: 'renew'; expiresAt: number }
  | { kind: 'drop'; number: number }

function refuse(message: string): never {
  throw new ContractsError('ERR_REGISTRY_STEP', message)
}

/** A uint32. @throws ContractsError ERR_REGISTRY_STEP that names the field */
export function uint32(value: number, field: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 0xffffffff)
    refuse(`${field}: a whole number below 2^32`)
  return value
}

/** Keys in the order in which the contract numbers them. @throws ContractsError ERR_REGISTRY_STEP, ERR_KEY_UNSAFE */
export function sortedOwners(owners: readonly Uint8Array[]): Buffer[] {
  if (owners.length === 0 || owners.length > MAX_OWNERS) refuse(`owners: from 1 to ${MAX_OWNERS} keys`)
  for (const key of owners) checkVoucherKey(key)
  const sorted = owners.map((key) => Buffer.from(key)).sort(Buffer.compare)
  if (sorted.some((key, index) => sorted[index - 1]?.equals(key))) refuse('owners: a key stands there twice')
  return sorted
}

/** Checks threshold and time lock of owners to be. @throws ContractsError ERR_REGISTRY_STEP */
export function checkRules(rules: { owners: number; threshold: number; delaySeconds: number }): void {
  const { owners, threshold, delaySeconds } = rules
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > owners) {
    refuse('threshold: from 1 to the number of owners')
  }
  if (
    !Number.isInteger(delaySeconds) ||
    delaySeconds < MIN_DELAY_SECONDS ||
    delaySeconds > MAX_DELAY_SECONDS
  ) {
    refuse(`delaySeconds: from ${MIN_DELAY_SECONDS} to ${MAX_DELAY_SECONDS}`)
  }
}

function ownersList(keys: Buffer[]): Cell {
  let list: Cell | null = null
  for (const key of keys.toReversed()) list = beginCell().storeBuffer(key).storeMaybeRef(list).endCell()
  return list ?? refuse('owners: at least one')
}

function storeStep(builder: Builder, step: Step): Builder {
  switch (step.kind) {
    case 'put': {
      const { table, key, value } = step.entry
      return builder.storeUint(1, 8).storeUint(TABLE[table], 8).storeBuffer(keyBytes(key)).storeRef(value)
    }
    case 'remove':
      return builder.storeUint(2, 8).storeUint(TABLE[step.table], 8).storeBuffer(keyBytes(step.key))
    case 'unrevoke':
      return builder.storeUint(3, 8).storeBuffer(keyBytes(step.key))
    case 'policy':
      return builder
        .storeUint(4, 8)
        .storeUint(uint32(step.policyVersion, 'policyVersion'), 32)
        .storeUint(packSoftware(step.minSoftware), 48)
    case 'owners': {
      const keys = sortedOwners(step.owners)
      checkRules({ owners: keys.length, threshold: step.threshold, delaySeconds: step.delaySeconds })
      return builder
        .storeUint(5, 8)
        .storeUint(step.threshold, 8)
        .storeUint(step.delaySeconds, 32)
        .storeRef(ownersList(keys))
    }
    case 'renew':
      return builder.storeUint(6, 8).storeUint(uint32(step.expiresAt, 'expiresAt'), 32)
    case 'drop':
      return builder.storeUint(7, 8).storeUint(uint32(step.number, 'number'), 32)
  }
}

/** The cell that a proposal carries: its steps in order. @throws ContractsError ERR_REGISTRY_STEP */
export function stepsCell(steps: readonly Step[]): Cell {
  let list: Cell | null = null
  for (const step of steps.toReversed()) {
    list = storeStep(beginCell().storeMaybeRef(list), step).endCell()
  }
  return list ?? refuse('steps: at least one')
}

function tableOf(number: number): TableName {
  const found = (Object.keys(TABLE) as TableName[]).find((name) => TABLE[name] === number)
  return found ?? refuse('table: 0, 1 or 2')
}

function parseOwners(list: Cell): Buffer[] {
  const keys: Buffer[] = []
  for (let cell: Cell | null = list; cell; ) {
    const slice = cell.beginParse()
    keys.push(slice.loadBuffer(32))
    cell = slice.loadMaybeRef()
    slice.endParse()
  }
  return keys
}

function parseStep(slice: ReturnType<Cell['beginParse']>): Step {
  const key = () => slice.loadBuffer(32).toString('hex')
  switch (slice.loadUint(8)) {
    case 1: {
      const table = tableOf(slice.loadUint(8))
      return { kind: 'put', entry: { table, key: key(), value: slice.loadRef() } }
    }
    case 2:
      return { kind: 'remove', table: tableOf(slice.loadUint(8)), key: key() }
    case 3:
      return { kind: 'unrevoke', key: key() }
    case 4: {
      const policyVersion = slice.loadUint(32)
      return { kind: 'policy', policyVersion, minSoftware: unpackSoftware(slice.loadUint(48)) }
    }
    case 5: {
      const [threshold, delaySeconds] = [slice.loadUint(8), slice.loadUint(32)]
      return { kind: 'owners', threshold, delaySeconds, owners: parseOwners(slice.loadRef()) }
    }
    case 6:
      return { kind: 'renew', expiresAt: slice.loadUint(32) }
    case 7:
      return { kind: 'drop', number: slice.loadUint(32) }
    default:
      return refuse('step: of no known kind')
  }
}

/** Reads steps back: for owners who are to sign them and for everyone who wants to know what is coming. */
export function parseSteps(list: Cell): Step[] {
  const steps: Step[] = []
  for (let cell: Cell | null = list; cell; ) {
    const slice = cell.beginParse()
    cell = slice.loadMaybeRef()
    steps.push(parseStep(slice))
    slice.endParse()
  }
  return steps
}
