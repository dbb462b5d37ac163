/** Token bundles of a simulated attestation service, bent as a test wants them. */

import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../bytes.ts'
import {
  type EatClaims,
  type EatSpec,
  eatClaims,
  makeServiceCa,
  makeServiceSigner,
  type ServiceSigner,
  SIMULATED_EAT_ISSUER,
  signEat,
} from '../simulate/gpu-eat.ts'
import { type EatInput, type EatPolicies, verifyEats } from './eat.ts'

export const NOW = Date.UTC(2026, 10, 23)
export const NONCE = new Uint8Array(32).fill(7)
export const ca = makeServiceCa(NOW)
export const signer = makeServiceSigner(ca, NOW)
export const PINNED: EatPolicies = {
  eat: { issuer: SIMULATED_EAT_ISSUER, intermediates: [toHex(sha256(ca.certificate))] },
}
export const TRUSTED: EatPolicies = { eat: { issuer: SIMULATED_EAT_ISSUER } }

export const gpu = (ueid: string) => ({
  kind: 'gpu' as const,
  ueid,
  hwmodel: 'GH100 A01 GSP BROM',
  driver: '580.65.06',
  vbios: '96.00.9f.00.01',
})
export const nvSwitch = {
  kind: 'switch' as const,
  ueid: '33',
  hwmodel: 'LS_10 A01 FSP BROM',
  vbios: '96.10.55.00.01',
}
export const DEVICES = [gpu('11'), gpu('22'), nvSwitch]
export const EXPECTED = [
  { arch: 'HOPPER', ueid: '22', driver: '580.65.06', vbios: '96.00.9f.00.01' },
  { arch: 'HOPPER', ueid: '11' },
  { arch: 'LS10', ueid: '33', vbios: '35.2e.30.31.2e' },
]

export type Json = Record<string, unknown>

export interface Change {
  spec?: Partial<EatSpec>
  overall?: Json
  /** Claims of GPU-0 to set; undefined removes one. */
  first?: Json
  bundle?: (bundle: [['JWT', string], Json]) => unknown
  signer?: ServiceSigner
  input?: Partial<EatInput>
  policy?: EatPolicies
}

export function make({ spec, overall, first, signer: by = signer }: Change): [['JWT', string], Json] {
  const claims: EatClaims = eatClaims({ devices: DEVICES, nonce: NONCE, now: NOW, ...spec })
  Object.assign(claims.overall, overall)
  Object.assign(claims.devices[0]?.claims ?? {}, first)
  return signEat(claims, by)
}

export function judge(change: Change): Promise<unknown> {
  const bundle = make(change)
  const eats = [{ bundle: change.bundle?.(bundle) ?? bundle }]
  const input = { eats, jwks: signer.jwks, nonce: NONCE, devices: EXPECTED, now: NOW, ...change.input }
  return verifyEats(input, change.policy ?? TRUSTED)
}
