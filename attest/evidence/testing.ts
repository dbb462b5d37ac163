/** Helpers for tests of this folder and its neighbours: valid claims and evidence to bend. */

import { toBase64, toHex } from '../bytes.ts'
import { measuredEvents } from '../eventlog/index.ts'
import { EVENTLOG_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { simulated } from '../policy/presets.ts'
import { SimulatedTee } from '../simulate/tee.ts'
import { createEvidence, type EvidenceBundle } from './bundle.ts'
import { type Claims, encodeClaims, epochId } from './claims.ts'

/** A fixed moment, ms. */
export const NOW = Date.UTC(2026, 10, 22, 12)
export const NONCE = Uint8Array.from({ length: 32 }, (_, i) => i)

/** Claims of a worker that are valid at NOW. */
export function sampleClaims(changes: Partial<Claims> = {}): Claims {
  const publicKey = Uint8Array.from({ length: 1216 }, (_, i) => i & 0xff)
  return {
    role: 'worker',
    bootId: '00112233445566778899aabbccddeeff',
    signingKey: toBase64(new Uint8Array(32).fill(7)),
    epoch: {
      id: toHex(epochId(publicKey)),
      kem: 'X-Wing',
      publicKey: toBase64(publicKey),
      notBefore: NOW,
      notAfter: NOW + 600_000,
    },
    accelerators: [],
    embedding: 'cpu',
    models: [
      {
        id: 'tiny',
        sha256: 'ab'.repeat(32),
        quantization: 'q8_0',
        contextLength: 512,
        tokenizerSha256: 'cd'.repeat(32),
        templateSha256: 'ef'.repeat(32),
      },
    ],
    software: { version: '0.1.0', commit: 'test' },
    registry: { globalId: -77, address: '' },
    payoutAddress: '',
    ...changes,
  }
}

/** A simulated TEE whose clock stands at NOW. */
export function sampleTee(): SimulatedTee {
  return SimulatedTee.ephemeral({ now: () => NOW })
}

/** The same, of an enclave that measured what these claims say. */
export function measuredTee(claims: Claims = sampleClaims()): SimulatedTee {
  return SimulatedTee.ephemeral({ now: () => NOW, events: measuredEvents(claims, {}) })
}

/** Evidence of the TEE for the claims and NONCE. */
export function sampleEvidence(tee: SimulatedTee, claims: Claims = sampleClaims()): Promise<EvidenceBundle> {
  return createEvidence({ tee, nonce: NONCE, claims: encodeClaims(claims) })
}

/** The preset `simulated` for fixtures whose TEE measures nothing: an event log may be missing. */
export function simulatedWithoutLog(rootSha256: string): Policy {
  const policy = simulated(rootSha256)
  return { ...policy, skip: [...policy.skip, ...EVENTLOG_FACTORS] }
}
