/** The registers of a TD report that say what was started in it, and how a set of measurements is met. */

import { toHex } from '../bytes.ts'
import type { MeasurementSet } from '../policy/policy.ts'
import type { TdBody } from './quote.ts'

const ZERO = '0'.repeat(96)

/** 48 bytes of hex each. */
export interface Registers {
  mrTd: string
  rtmr: readonly string[]
  mrConfigId: string
  mrOwner: string
  mrOwnerConfig: string
}

/** The registers of a TD report, in hex. */
export function registersOf({ mrTd, rtmr, mrConfigId, mrOwner, mrOwnerConfig }: TdBody): Registers {
  return {
    mrTd: toHex(mrTd),
    rtmr: rtmr.map(toHex),
    mrConfigId: toHex(mrConfigId),
    mrOwner: toHex(mrOwner),
    mrOwnerConfig: toHex(mrOwnerConfig),
  }
}

/** Whether MRTD and the run-time registers are those of the set; what it leaves null is not compared. */
export function measuredAs({ mrTd, rtmr }: Registers, set: MeasurementSet): boolean {
  if (set.mrTd !== mrTd) return false
  return rtmr.every((register, i) => set.rtmr[i] === null || set.rtmr[i] === register)
}

/** Whether the host's own fields are those of the set. One that it does not name has to be zero. */
export function ownedAs(registers: Registers, set: Partial<MeasurementSet>): boolean {
  return (['mrConfigId', 'mrOwner', 'mrOwnerConfig'] as const).every(
    (name) => (set[name] ?? ZERO) === registers[name],
  )
}
