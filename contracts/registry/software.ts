import { ContractsError } from '../errors.ts'

/** `1.2.3` as the contract keeps and compares it: three uint16. @throws ContractsError ERR_REGISTRY_STEP */
export function packSoftware(version: string): number {
  const match = /^(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,4})$/.exec(version)
  const parts = match ? match.slice(1).map(Number) : []
  if (parts.length !== 3 || parts.some((part) => part > 0xffff)) {
    throw new ContractsError('ERR_REGISTRY_STEP', 'minSoftware: three numbers below 65536, as in 1.2.3')
  }
  return parts.reduce((sum, part) => sum * 0x10000 + part, 0)
}

/** The other way round. */
export function unpackSoftware(packed: number): string {
  const major = Math.floor(packed / 0x100000000)
  return `${major}.${Math.floor(packed / 0x10000) % 0x10000}.${packed % 0x10000}`
}
