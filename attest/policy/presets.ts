/** Ready policies. */

import type { Policy } from './policy.ts'

/** SHA-256 of the Intel SGX Root CA certificate (valid 2018-05-21 to 2049-12-31). */
export const INTEL_ROOT = '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3'

/**
 * For evidence of the simulated TEE of one installation: every signature, chain, date and binding is judged as with
 * hardware, but the root is a file, so this proves nothing about a machine. What no simulated installation has yet
 * (a registry, pinned measurements, an event log) may be skipped.
 *
 * @param rootSha256 SHA-256 of the simulated root certificate, hex (see simulatedRoot)
 */
export function simulated(rootSha256: string): Policy {
  return {
    name: 'simulated',
    roots: [{ sha256: rootSha256, kind: 'simulated' }],
    roles: ['worker', 'gateway'],
    freshness: ['caller-nonce'],
    evaluationFloor: 1,
    skip: [
      'measurement.allowed',
      'eventlog.replay',
      'model.allowed',
      'registry.expected',
      'registry.allowed',
      'sidechannel.token-access',
    ],
  }
}

/** Intel's root and an up-to-date platform; says nothing about what runs on it. For judging bare quotes. */
export function intelPlatform(): Policy {
  return {
    name: 'intel-platform',
    roots: [{ sha256: INTEL_ROOT, kind: 'intel' }],
    roles: ['worker', 'gateway'],
    freshness: ['caller-nonce'],
    skip: ['measurement.allowed', 'tcb.evaluation-floor'],
  }
}
