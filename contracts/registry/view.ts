/** A snapshot as plain data, for those who judge evidence by it: the shape of attest's `RegistryView`. */

import type { Address } from '@ton/core'
import type { RegistryMeasurement } from './entries.ts'
import type { RegistrySnapshot } from './state.ts'

/** Which registry a snapshot is of. */
export interface RegistryName {
  globalId: number
  address: Address
}

/** Keys and amounts are hex and decimal; nothing in it is a Map, so that it can be hashed, kept and sent. */
export function registryView(snapshot: RegistrySnapshot, { globalId, address }: RegistryName) {
  const { version, hash, expiresAt, minSoftware, measurements, models, gateways, revoked } = snapshot
  return {
    globalId,
    address: address.toRawString(),
    version,
    hash,
    expiresAt,
    minSoftware,
    measurements: [...measurements.values()].map((entry) => ({
      roles: [...entry.roles],
      set: setOf(entry),
    })),
    models: [...models].map(([sha256, { id }]) => ({ id, sha256 })),
    gateways: [...gateways.keys()],
    revoked: [...revoked.keys()],
  }
}

function setOf({ mrTd, rtmr, mrConfigId, mrOwner, mrOwnerConfig }: RegistryMeasurement) {
  const [zero, one, two, three] = rtmr
  const registers: [string | null, string | null, string | null, string | null] = [zero, one, two, three]
  return {
    mrTd,
    rtmr: registers,
    ...(mrConfigId !== null && { mrConfigId }),
    ...(mrOwner !== null && { mrOwner }),
    ...(mrOwnerConfig !== null && { mrOwnerConfig }),
  }
}
