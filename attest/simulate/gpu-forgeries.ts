/** What can be wrong with GPU evidence, one thing at a time, and the factor that has to notice. */

import type { FactorName } from '../policy/factors.ts'

/**
 * Every forgery by name, and the factor that must fail on it. Those about one device among several need two GPUs, those
 * about a switch need one.
 */
export const GPU_FORGERIES = {
  /** The report's signature has one bit changed. */
  'bad-signature': 'gpu.signature',
  /** The first report is for another nonce, although the file claims the right one. */
  'other-nonce': 'gpu.nonce',
  /** The first device was certified under another root. */
  'other-root': 'gpu.chain',
  /** The provisioner's certificate is left out. */
  'missing-intermediate': 'gpu.chain',
  /** The report names another firmware than the leaf was certified for. */
  'other-firmware': 'gpu.fwid',
  /** One measurement differs from the reference values. */
  'rim-mismatch': 'gpu.rim',
  /** Debugging is open: the fuses and the firmware settings measure to other values. */
  devtools: 'gpu.devtools',
  /** One measurement differs, and the reference values were edited to fit, after they were signed. */
  'rim-edited': 'gpu.rim-signature',
  /** The reference values are signed under another root. */
  'rim-other-root': 'gpu.rim-signature',
  /** A driver of an old branch, with its own reference values. */
  'old-driver': 'gpu.driver',
  /** An old VBIOS, with its own reference values. */
  'old-vbios': 'gpu.vbios',
  /** The report says another mode than the claims. */
  'other-mode': 'gpu.mode',
  /** One device stands in for two. */
  'duplicate-device': 'gpu.distinct',
  /** A device that the claims name gives no report. */
  'missing-device': 'gpu.complete',
  /** A device gives a report that the claims do not name. */
  'extra-device': 'gpu.complete',
  /** A switch that the GPUs are linked to gives no report. */
  'missing-switch': 'gpu.switch',
  /** The attestation service refuses, correctly signed. */
  'eat-refused': 'gpu.eat',
  /** The service's tokens are about another nonce. */
  'eat-other-nonce': 'gpu.eat',
  /** The tokens are signed by a key that nobody certified. */
  'eat-forged': 'gpu.eat',
  /** The boot ROM certificate of a device is on hold. */
  'ocsp-hold': 'gpu.ocsp',
  /** A CA of the reference values was revoked. */
  'ocsp-revoked': 'gpu.ocsp',
  /** The responder does not know a certificate. */
  'ocsp-unknown': 'gpu.ocsp',
  /** The answers have run out. */
  'ocsp-stale': 'gpu.ocsp',
  /** The answer is signed by a key that no CA certified. */
  'ocsp-forged': 'gpu.ocsp',
} as const satisfies Record<string, FactorName>

export type GpuForgery = keyof typeof GPU_FORGERIES
