import { Address } from '@ton/core'
import { ControlError } from './server.ts'

/** What a field of a call should have been. */
export const wrong = (field: string, expected: string): ControlError =>
  new ControlError('ERR_CONTROL_INPUT', `${field}: expected ${expected}`)

/** A channel's id in the ledger from its address in any of TON's notations. @throws ControlError */
export function parseChannel(value: unknown): string {
  try {
    return Address.parse(String(value)).toRawString()
  } catch {
    throw wrong('channel', 'an address of TON')
  }
}
