/** The nine-key object that tools exchange, in the spellings in which they write it. */

import { toHex } from '../bytes.ts'
import { firstIssue } from '../schema.ts'
import { type Collateral, collateralSchema } from '../tdx/collateral.ts'
import { CollateralError } from './errors.ts'

const HEX_KEYS: readonly string[] = [
  'root_ca_crl',
  'pck_crl',
  'tcb_info_signature',
  'qe_identity_signature',
] satisfies readonly (keyof Collateral)[]

/**
 * Reads parsed JSON as nine-key collateral. Lists and signatures may also be upper-case hex or arrays of bytes, and a
 * PCK chain of null counts as none: other tools write them so. Throws CollateralError `ERR_COLLATERAL_FILES`.
 */
export function readNineKeys(json: unknown): Collateral {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw refuse('collateral: not an object')
  const entries = Object.entries(json)
    .filter(([key, value]) => !(key === 'pck_certificate_chain' && value === null))
    .map(([key, value]) => [key, HEX_KEYS.includes(key) ? lowerHex(value) : value])
  const shape = collateralSchema.safeParse(Object.fromEntries(entries))
  if (shape.success) return shape.data
  throw refuse(`collateral: ${firstIssue(shape.error)}`)
}

/** Whether this JSON has the look of nine-key collateral. */
export function looksLikeNineKeys(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'tcb_info' in json && 'pck_crl' in json
}

function lowerHex(value: unknown): unknown {
  if (typeof value === 'string') return value.toLowerCase()
  const isBytes = (item: unknown): item is number =>
    Number.isInteger(item) && Number(item) >= 0 && Number(item) < 256
  return Array.isArray(value) && value.every(isBytes) ? toHex(Uint8Array.from(value)) : value
}

function refuse(message: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_FILES', message)
}
