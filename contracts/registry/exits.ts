import { exitName } from '../errors.ts'

/** Exit codes of the registry contract (registry.tolk), by name. */
export const REGISTRY_EXIT = {
  BAD_SIGNATURE: 301,
  TOO_FEW_SIGNATURES: 302,
  UNKNOWN_OWNER: 303,
  WRONG_NUMBER: 304,
  SIGNATURES_EXPIRED: 305,
  NO_PROPOSAL: 306,
  TOO_EARLY: 307,
  LAPSED: 308,
  TOO_MANY_PENDING: 309,
  BAD_TABLE: 310,
  TOO_LARGE: 311,
  FULL: 312,
  NO_ENTRY: 313,
  REVOKED_SINCE: 314,
  POLICY_BACK: 315,
  BAD_OWNERS: 316,
  NOT_ALONE: 317,
  BAD_EXPIRY: 318,
  OUT_OF_ACTS: 319,
  ALREADY_REVOKED: 320,
  LOW_VALUE: 321,
  PROTECTED: 322,
  UNKNOWN_STEP: 323,
  STILLBORN: 324,
  UNKNOWN_OP: 0xffff,
} as const

export type RegistryExitName = keyof typeof REGISTRY_EXIT

/** The name of an exit code of the registry contract, or undefined for one of the TVM itself. */
export function registryExitName(exitCode: number): RegistryExitName | undefined {
  return exitName(REGISTRY_EXIT, exitCode)
}
